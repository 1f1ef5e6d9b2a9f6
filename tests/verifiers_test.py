"""A process that verifies beside the one that writes."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import launch
from exporter import verifiers

_RUN = "tests/testdata/bert_tiny"
# What a process of a command is told to do otherwise, when TensorFlow is imported.
_COMMAND = f"""\
import os, pathlib, signal, sys
os.sched_getaffinity = lambda _: (0, 1)
import {launch.__name__}
from exporter import export

def changed():
    import_tensorflow()
    import time
    from exporter import saved_models, tensor_bundles, verification
    from exporter import verifiers as tested
    main = os.getpid()
CODE

import_tensorflow = export.import_tensorflow
export.import_tensorflow = changed
launch.main()
"""


def _start(code: str, path: pathlib.Path, kind: str) -> subprocess.Popen[str]:
    indented = "\n".join(f"    {line}" for line in code.strip().split("\n"))
    flags = {
        "export_path": path,
        "export_type": kind,
        "encoder_config_file": f"{_RUN}/params.yaml",
        "model_checkpoint_path": _RUN,
        "vocab_file": f"{_RUN}/vocab.txt",
        "do_lower_case": "true",
    }
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _COMMAND.replace("CODE", indented)),
            *(f"--{name}={value}" for name, value in flags.items()),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, told = process.communicate(timeout=120)
    return process.returncode, told


def test_all_is_verified_by_another_process(tmp_path: pathlib.Path) -> None:
    code = """
def restored(*arguments):
    print("restored by another process:", os.getpid() != main, file=sys.stderr)
    return restore(*arguments)
from exporter import restorations
restore, restorations.restore = restorations.restore, restored
"""
    status, told = _ended(_start(code, tmp_path / "all", "all"))
    assert status == 0, told
    assert "restored by another process: True" in told
    assert "restored by another process: False" not in told
    reports = json.loads((tmp_path / "all.record/report.json").read_text(encoding="utf-8"))
    assert [report["subject"] for report in reports] == [
        "encoder",
        "preprocessing",
        "text embedding",
    ]
    assert all(report["passed"] for report in reports)
    # Each step is told once, and what is found.
    for text in ("building the encoder:", "verifying the encoder:", "masked words: mean loss"):
        assert told.count(text) == 1, told


def test_what_it_finds_leaves_no_export(tmp_path: pathlib.Path) -> None:
    code = """
def complete(path, *arguments):
    written(path, *arguments)
    variables = pathlib.Path(path, "variables")
    with open(next(variables.glob("variables.data-00000-*")), "r+b") as file:
        file.seek(64)
        file.write(bytes(64))
written, saved_models.complete = saved_models.complete, complete
"""
    status, told = _ended(_start(code, tmp_path / "model", "model"))
    assert status == 3, told
    assert "FAILED" in told
    assert list(tmp_path.iterdir()) == []


def test_its_end_is_told(tmp_path: pathlib.Path) -> None:
    code = """
verification.verify_encoder = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
"""
    status, told = _ended(_start(code, tmp_path / "model", "model"))
    assert status == 2, told
    assert (
        "error: The process that verifies was ended by the system, or by TensorFlow itself. There "
        "must be enough memory, and files must be undamaged.\n"
        "  received: SIGKILL while verifying (encoder)\n"
    ) in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_writes(
    number: signal.Signals, tmp_path: pathlib.Path
) -> None:
    code = """
def prepare(self):
    print(os.getpid(), main, flush=True)
    time.sleep(120)
tested.Verification.prepare = prepare
"""
    process = _start(code, tmp_path / "model", "model")
    assert process.stdout is not None
    verifying, writing = map(int, process.stdout.readline().split())
    os.kill(writing, number)
    status, told = _ended(process)
    assert status == 128 + number, told
    for _ in range(100):
        if not pathlib.Path(f"/proc/{verifying}").exists():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the process that verifies goes on")


def test_none_is_forked_from_a_process_that_is_no_commands() -> None:
    assert not verifiers.can_be_beside()
