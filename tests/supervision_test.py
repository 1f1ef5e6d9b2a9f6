"""What is told of commands that cannot tell it themselves."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from exporter import progress, supervision

_COMMAND = f"""\
import os, signal, sys, time
from {progress.__name__} import step
from {supervision.__name__} import supervised

def run():
    with step("reading a file"):
        CODE
    return 0

sys.exit(supervised(run))
"""
_TOLD = (
    "error: The command was ended by the system, or by TensorFlow itself. There must be enough "
    "memory, and files must be undamaged. An earlier export is as it was, or replaced by a "
    "complete one.\n  received: {signal} while reading a file\n"
)


def _start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND.replace("CODE", code)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, told = process.communicate(timeout=60)
    return process.returncode, out, told


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_the_end_by_a_signal_is_told(name: str) -> None:
    process = _start(f"os.kill(os.getpid(), signal.{name})")
    number = signal.Signals[name]
    assert _ended(process) == (128 + number, "", _TOLD.format(signal=name))


@pytest.mark.parametrize("status", [0, 3])
def test_the_status_is_the_commands(status: int) -> None:
    assert _ended(_start(f"print('done'); return {status}")) == (status, "done\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("caught", [True, False])
def test_what_is_sent_to_it_reaches_the_command(number: signal.Signals, caught: bool) -> None:
    handler = "lambda *given: sys.exit(5)" if caught else "signal.SIG_DFL"
    process = _start(
        f"signal.signal({int(number)}, {handler}); print('ready', flush=True); time.sleep(60)"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert _ended(process) == (5 if caught else 128 + number, "", "")


def test_the_command_ends_with_it() -> None:
    process = _start("print(os.getpid(), flush=True); time.sleep(60)")
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    # At its end, what it writes to is closed.
    assert _ended(process) == (-signal.SIGKILL, "", "")
    for _ in range(100):
        if not pathlib.Path(f"/proc/{pid}/exe").exists():
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} still runs")


def test_without_a_way_to_wait_for_signals_the_command_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(signal, "sigwaitinfo")
    monkeypatch.delattr(os, "fork")
    assert supervision.supervised(lambda: 3) == 3
