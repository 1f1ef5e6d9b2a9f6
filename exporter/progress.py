"""Says what a long step does: live on a terminal, one line a step elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Announces a step and how long it took.

    Args:
      what: What is done, as "tracing the encoder".
    """
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
