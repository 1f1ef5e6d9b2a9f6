"""Tells how a command ended where it could not tell that itself.

Where memory runs out, the system kills a process without a word; where a file is not what it should
be, TensorFlow may end its process by itself. A second process that does nothing but wait outlives
that.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable

from exporter import errors, progress

_PR_SET_PDEATHSIG = 1
_FORWARDED = (signal.SIGINT, signal.SIGTERM)
_BY_SIGNAL = 128
_is_supervised = False


def is_supervised() -> bool:
    """Whether this process runs one command, and another one waits for it."""
    return _is_supervised


def supervised(run: Callable[[], int]) -> int:
    """Runs a command in a process of its own.

    Returns in that process, with what `run` returns, and in this one, when that one has ended. This
    process must have no threads. SIGINT and SIGTERM reach the other process, and SIGKILL, too.

    Args:
      run: Returns the exit status.

    Returns:
      The exit status; 128 and the signal's number where a signal has ended the process.
    """
    if not hasattr(signal, "sigwaitinfo"):  # macOS: unsupervised rather than not at all.
        return run()
    awaited = {signal.SIGCHLD, *_FORWARDED}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    progress.share()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        global _is_supervised  # noqa: PLW0603 (as processes are)
        _is_supervised = True
        end_with_parent(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return run()
    status = _wait(pid, awaited)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if status >= 0:
        return status
    if -status not in _FORWARDED:
        name = signal.Signals(-status).name
        step = progress.shared() or "starting"
        error = errors.UserError(
            "The command was ended by the system, or by TensorFlow itself. There must be enough "
            "memory, and files must be undamaged. An earlier export is as it was, or replaced by a "
            "complete one.",
            received=f"{name} while {step}",
        )
        print(f"error: {error}", file=sys.stderr)
    return _BY_SIGNAL - status


def end_with_parent(parent: int) -> None:
    """Has this process killed when the one that it was forked from ends.

    Args:
      parent: The other process's id.
    """
    with contextlib.suppress(AttributeError):  # Linux has it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It has ended already.
        os._exit(1)


def _wait(pid: int, awaited: set[signal.Signals]) -> int:
    """Returns a process's exit status, or minus the signal's number."""
    while True:
        info = signal.sigwaitinfo(awaited)
        if info.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
        elif info.si_code <= 0:  # From a process; what a terminal sends, both hear.
            os.kill(pid, info.si_signo)
