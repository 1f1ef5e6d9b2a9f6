"""Says what a long step does: live on a terminal, one line a step elsewhere."""

from __future__ import annotations

import contextlib
import logging
import mmap
import sys
import time
from collections.abc import Iterator

from exporter import interruptions

_logger = logging.getLogger(__name__)
# What is done, for another process to read.
_shared: mmap.mmap | None = None
_silent = False


def share() -> None:
    """Lets processes that are forked from this one tell what they do, see `shared`."""
    global _shared  # noqa: PLW0603 (as shared memory is)
    _shared = mmap.mmap(-1, mmap.PAGESIZE)


def silence() -> None:
    """Says nothing of this process's steps from now on."""
    global _silent  # noqa: PLW0603 (as standard error is)
    _silent = True


def tell(what: str) -> None:
    """Has `shared` return what is done now, and says nothing of it.

    Args:
      what: What is done, as "tracing the encoder".
    """
    if _shared is not None:
        _shared[:] = what.encode()[: mmap.PAGESIZE].ljust(mmap.PAGESIZE, b"\0")


def shared() -> str:
    """Returns what is done, here or in a process forked from this one: what was told last."""
    return "" if _shared is None else _shared[:].rstrip(b"\0").decode(errors="replace")


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Announces a step and how long it took.

    Args:
      what: What is done, as "tracing the encoder".

    Raises:
      KeyboardInterrupt: A signal came before, see `interruptions.check`.
    """
    interruptions.check()
    if _silent:
        yield
        return
    tell(what)
    terminal = sys.stderr.isatty()
    if terminal:
        print(f"  {what} …", end="", file=sys.stderr, flush=True)
    start = time.perf_counter()
    try:
        yield
    except BaseException:
        if terminal:
            print(file=sys.stderr)
        raise
    seconds = time.perf_counter() - start
    if terminal:
        print(f"\r  {what}: {seconds:.1f} s", file=sys.stderr)
    else:
        _logger.info("%s: %.1f s", what, seconds)
