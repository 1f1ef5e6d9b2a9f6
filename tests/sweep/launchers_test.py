"""Launchers of others, several sweeps on one folder, and sweeps that were killed."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

import launch
from exporter import folder_locks
from exporter.sweep import launchers, states
from tests.sweep import launcher_cases

_FILES = f"""
tokenizer.vocab_file = '{launcher_cases.TESTDATA}/bert_tiny/vocab.txt'
tokenizer.do_lower_case = True
export.export_type = 'preprocessing'
export.verify = 'off'
sweep.points = @axis()
axis.name = 'LENGTH'
axis.values = [16, 32, 64]
LENGTH = 128
preprocessing.default_seq_length = %LENGTH
"""
_LAUNCHER = """
import dataclasses
import gin
from exporter.sweep import launchers

@gin.configurable("backwards", module="launcher_of_others")
@dataclasses.dataclass
class Backwards:
    greeting: str = "hello"

    def run(self, planned):
        print(self.greeting)
        for job in reversed(planned):
            yield launchers.Event(job)
            yield launchers.Event(job, launchers.run_job(job, wait=True))
"""


def _arguments(folder: pathlib.Path, text: str = "") -> list[str]:
    (folder / "sweep.gin").write_text(f"{text}\n{_FILES}")
    return ["--mode=sweep", f"--gin_file={folder}/sweep.gin", f"--export_path={folder}/out"]


def _states(folder: pathlib.Path) -> dict[str, tuple[str, int]]:
    """Returns each export's status, and when that was written."""
    found = {}
    for path in (folder / "out").glob("*.record/export.json"):
        status = json.loads(path.read_text())["status"]
        found[path.parent.name.removesuffix(".record")] = (status, path.stat().st_mtime_ns)
    return found


def test_a_launcher_of_others(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "launcher_of_others.py").write_text(_LAUNCHER)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = (
        "import launcher_of_others\nsweep.launcher = @launcher_of_others.backwards()\n"
        "backwards.greeting = %GREETING\nGREETING = 'good morning'"
    )
    assert launch.run(["launch.py", *_arguments(tmp_path, text)]) == 0
    assert capsys.readouterr().out.startswith("good morning\n3 exports in ")
    ended = {name: written for name, (_, written) in _states(tmp_path).items()}
    assert sorted(ended, key=lambda name: ended[name]) == ["64", "32", "16"]
    # What is bound of the sweep is no part of its exports.
    recorded = (tmp_path / "out" / "64.record" / "parsed.gin").read_text()
    assert "LENGTH = 64" in recorded
    without_folders = re.sub(r"'/[^']*/", "'", recorded)
    for other in ("sweep", "axis", "backwards", "GREETING"):
        assert other not in without_folders


def test_another_sweep_makes_the_same_export(tmp_path: pathlib.Path) -> None:
    job = launcher_cases.job(tmp_path / "out", "more", "preprocessing.default_seq_length = 8")
    os.makedirs(job.record)
    held = folder_locks.lock(job.record)
    assert held is not None
    assert launchers.run_job(job, wait=False) is None
    assert not os.listdir(job.record)
    # Meanwhile the other one ends.
    state = states.State("more", states.STARTED, job.digest, {})
    states.write(job.record, state)
    os.close(held)
    ended = launchers.run_job(job, wait=False)
    assert ended is not None
    assert ended.status == states.SUCCEEDED
    before = pathlib.Path(job.record, "export.json").stat().st_mtime_ns
    assert launchers.run_job(job, wait=True) == ended
    assert pathlib.Path(job.record, "export.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("launcher", ["in_process", "local"])
def test_a_killed_sweep_is_taken_up_again(tmp_path: pathlib.Path, launcher: str) -> None:
    arguments = _arguments(tmp_path, f"sweep.launcher = @{launcher}()")
    command = [sys.executable, launch.__file__, *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if "succeeded" in {status for status, _ in _states(tmp_path).values()}:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    assert process.wait() == -signal.SIGKILL
    before = {name: at for name, at in _states(tmp_path).items() if at[0] == "succeeded"}
    assert before
    assert not (tmp_path / "out" / "results.jsonl").exists()
    assert launch.run(["launch.py", *arguments]) == 0
    after = _states(tmp_path)
    assert {name: status for name, (status, _) in after.items()} == dict.fromkeys(
        ("16", "32", "64"), "succeeded"
    )
    assert {name: after[name] for name in before} == before
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {
        *("16", "32", "64", "16.record", "32.record", "64.record"),
        *("results.csv", "results.html", "results.jsonl"),
    }
