"""SIGTERM and SIGINT as exceptions that end a command, whatever is made of them on their way.

Python raises the exception of a signal wherever it is. Where that is called by C++, as in
TensorFlow's checks of types, another exception can be made of it, or none.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import types
from collections.abc import Iterator


class Terminated(KeyboardInterrupt):
    """SIGTERM, so that what would be left is removed as after an interruption."""


# Those of the signals that came, in a process that listens.
_came: list[KeyboardInterrupt] = []


def check() -> None:
    """Raises the exception of a signal that came, if one did: what was raised then was lost."""
    if _came:
        raise _came[0]


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """While open, SIGTERM raises `Terminated`, and SIGINT `KeyboardInterrupt`.

    So does what else the block raises when one of them came. SIGINT is left alone where it is
    ignored or handled otherwise, and both are where a thread must not listen to signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _raise)}
    if signal.getsignal(signal.SIGINT) in (signal.SIG_DFL, signal.default_int_handler):
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _raise)
    try:
        yield
    except Exception as error:
        if _came:
            raise _came[0] from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        _came.clear()


def _raise(number: int, frame: types.FrameType | None) -> None:
    _came.append(Terminated() if number == signal.SIGTERM else KeyboardInterrupt())
    raise _came[-1]
