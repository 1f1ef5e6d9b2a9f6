"""Runs a command in a cold process and tells what it took."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import sys
import time
from collections.abc import Mapping, Sequence

_ROOT = pathlib.Path(__file__).absolute().parent.parent
_TAIL_LINES = 30
# Set by one of the contenders itself; from outside, it would change the other one.
_NOT_INHERITED = ("TF_USE_LEGACY_KERAS",)


class BenchmarkError(RuntimeError):
    """What was to be measured did not happen."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a process took.

    Attributes:
      seconds: From its start to its end.
      processor_seconds: What it and its children used of all processors.
      peak_bytes: The largest resident set, of it or of any process that it started and waited for.
    """

    seconds: float
    processor_seconds: float
    peak_bytes: int


def run(
    command: Sequence[str], log: pathlib.Path, variables: Mapping[str, str] | None = None
) -> Usage:
    """Runs a command to its end.

    The kernel counts the memory of this process as the command's until the command's program is
    loaded: never import anything large here.

    Args:
      command: The program's path and its arguments.
      log: A file for its output; replaced.
      variables: Environment variables, beside this process's own ones.

    Raises:
      BenchmarkError: Its exit status was not 0.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _NOT_INHERITED}
    environment |= {"PYTHONPATH": str(_ROOT), **(variables or {})}
    os.sync()  # What the run before has left to be written must not slow down this one.
    with open(log, "wb") as output:
        to_log = [(os.POSIX_SPAWN_DUP2, output.fileno(), stream) for stream in (1, 2)]
        start = time.perf_counter()
        pid = os.posix_spawn(command[0], list(command), environment, file_actions=to_log)
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
    if status:
        raise BenchmarkError(
            "Each command must end with status 0, or nothing is measured; received: "
            f"{os.waitstatus_to_exitcode(status)} from\n  {shlex.join(command)}\nIts output ends "
            f"with:\n{tail(log)}"
        )
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def tail(log: pathlib.Path) -> str:
    """Returns the last lines of a command's output."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])
