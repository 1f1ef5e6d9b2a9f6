"""Launchers of others, several sweeps on one folder, and sweeps that were killed."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

import launch
from exporter import folder_locks, manifests, shared_files, sharing
from exporter.sweep import jobs, kept_texts, launchers, local, monitor, states
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

    def prepare(self):
        print("preparing")

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
    arguments = _arguments(tmp_path, text)
    # Nothing is begun of what will not be, or not be right.
    assert launch.run(["launch.py", *arguments, "--dry_run"]) == 0
    assert "preparing" not in capsys.readouterr().out
    wrong = "--gin_params=preprocessing.default_seq_length = 'long'"
    assert launch.run(["launch.py", *arguments, wrong]) == 2
    assert "preparing" not in capsys.readouterr().out
    assert launch.run(["launch.py", *arguments]) == 0
    assert capsys.readouterr().out.startswith("preparing\ngood morning\n3 exports in ")
    ended = {name: written for name, (_, written) in _states(tmp_path).items()}
    assert sorted(ended, key=lambda name: ended[name]) == ["64", "32", "16"]
    # What is bound of the sweep is no part of its exports.
    recorded = (tmp_path / "out" / "64.record" / "parsed.gin").read_text()
    assert "LENGTH = 64" in recorded
    without_folders = re.sub(r"'/[^']*/", "'", recorded)
    for other in ("sweep", "axis", "backwards", "GREETING"):
        assert other not in without_folders


def test_a_storage_that_has_neither_links_nor_locks(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _arguments(tmp_path)
    storage = f"--export_path=file://{tmp_path}/storage"
    for flags in (arguments, [*arguments, storage]):
        assert launch.run(["launch.py", *flags]) == 0
    assert sorted(os.listdir(tmp_path / "storage")) == sorted(os.listdir(tmp_path / "out"))
    for name in ("16", "32", "64"):
        found = launcher_cases.files(tmp_path / "storage" / name)
        assert found == launcher_cases.files(tmp_path / "out" / name)
        assert os.stat(tmp_path / "storage" / name / "assets" / "vocab.txt").st_nlink == 1
    shutil.rmtree(tmp_path / "storage" / "32")
    capsys.readouterr()
    assert launch.run(["launch.py", *arguments, storage]) == 0
    told = capsys.readouterr().out
    assert told == f"3 exports in file://{tmp_path}/storage: 1 succeeded, 2 skipped, 0 failed\n"


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


@pytest.mark.parametrize("launcher", [launchers.InProcess(), local.Local(num_workers=1)])
def test_it_is_waited_for_after_all_else(
    tmp_path: pathlib.Path, launcher: launchers.Launcher
) -> None:
    planned = [launcher_cases.job(tmp_path / "out", name, "") for name in ("held", "free")]
    os.makedirs(planned[0].record)
    held = folder_locks.lock(planned[0].record)
    assert held is not None
    shown = monitor.Monitor(2, 0, io.StringIO())
    lines = []
    for event in launcher.run(planned):
        shown.see(event)
        lines.append(f"{event.job.name}: {shown.line()}".partition(", 0 failed")[0])
        if event.job.name == "free" and event.state is not None:
            os.close(held)
    waiting = "1 waiting for another sweep"
    assert list(dict.fromkeys(lines)) == [
        "held: 0/2 done, 1 running",
        f"held: 0/2 done, 0 running, {waiting}",
        f"free: 0/2 done, 1 running, {waiting}",
        f"free: 1/2 done, 0 running, {waiting}",
        *([f"held: 1/2 done, 0 running, {waiting}"] if isinstance(launcher, local.Local) else []),
        "held: 2/2 done, 0 running",
    ]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_that_changes_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(monitor.time, "monotonic", lambda: now[0])
    planned = [jobs.Job(name, "", {}, (), "", "", "", 0) for name in "abc"]
    stream = _Terminal()
    shown = monitor.Monitor(3, 2, stream)
    shown.see(launchers.Event(planned[0]))
    for job, seconds, status in zip(planned, (50.0, 4000.0), ("succeeded", "failed"), strict=False):
        now[0] = seconds
        message = "error: a rule\n  received: this" if status == "failed" else None
        state = states.State(job.name, status, "", {}, message=message, seconds=seconds)
        shown.see(launchers.Event(job, state))
    shown.end()
    assert stream.getvalue() == (
        "\r\x1b[K2/5 done, 1 running, 0 failed"
        "\r\x1b[K3/5 done, 0 running, 0 failed, 1 min 40 s left"
        "\r\x1b[Kb: failed in 4000.0 s: error: a rule\n"
        "\r\x1b[K4/5 done, 0 running, 1 failed, 33 min 20 s left\n"
    )
    now[0] = 20000.0
    assert shown.line().endswith(", 2 h 46 min left")


def test_what_is_changed_before_it_is_complete_has_failed(tmp_path: pathlib.Path) -> None:
    @dataclasses.dataclass
    class Writes:
        """A measure that writes to what it measures."""

        def of(self, path: str) -> dict[str, float]:
            pathlib.Path(path, "saved_model.pb").write_bytes(b"graph")
            return {}

    job = launcher_cases.job(tmp_path / "out", "more", "export.overwrite = True")
    with sharing.results(job.shared):
        state = launchers.run_job(dataclasses.replace(job, measures=(Writes(),)), wait=True)
        assert state is not None
        assert state.status == states.FAILED
        assert (state.message or "").startswith(
            "What was verified has been changed meanwhile: saved_model.pb has 5 bytes, not "
        )
        # Nor is it linked by what comes next.
        again = launchers.run_job(job, wait=True)
        assert again is not None
        assert again.status == states.SUCCEEDED
        assert states.damages(job.path) == []


def test_nothing_is_taken_of_what_a_killed_sweep_left_damaged(tmp_path: pathlib.Path) -> None:
    arguments = _arguments(tmp_path)
    assert launch.run(["launch.py", *arguments]) == 0
    out = tmp_path / "out"
    found = {name: manifests.of_export(f"{out}/{name}") for name in ("16", "32", "64")}
    # As it is while a sweep runs.
    for exports in found.values():
        shared_files.add_all(f"{out}/.shared", [(p, e["files"]) for p, e in exports.items()])
    vocabulary = out / "16" / "assets" / "vocab.txt"
    status = vocabulary.stat()
    assert status.st_nlink == 4
    with vocabulary.open("r+b") as file:
        file.write(b"?")
    os.utime(vocabulary, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    shutil.rmtree(out / "32")
    assert launch.run(["launch.py", *arguments]) == 0
    assert {name: status for name, (status, _) in _states(tmp_path).items()} == dict.fromkeys(
        found, "succeeded"
    )
    assert {name: states.damages(f"{out}/{name}") for name in found} == {name: [] for name in found}
    assert {name: manifests.of_export(f"{out}/{name}") for name in found} == found
    assert not (out / ".shared").exists()


@pytest.mark.parametrize("file", ["export.json", "results.jsonl"])
def test_no_room_for_what_is_known(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
) -> None:
    replace, left = kept_texts.replace, iter([True] * 2)

    def full(path: str, text: str) -> None:
        if (path.endswith(file) and not next(left, False)) or path.endswith("results.jsonl"):
            raise kept_texts.no_room(f"{path} (No space left on device)")
        replace(path, text)

    with monkeypatch.context() as patched:
        patched.setattr(kept_texts, "replace", full)
        assert launch.run(["launch.py", *_arguments(tmp_path)]) == 2
    told = capsys.readouterr().err.partition("error: ")[2].splitlines()
    assert told[0].startswith("There must be room and permission to write a sweep's exports")
    assert [line.rpartition("/")[2] for line in told[1:]] == [f"{file} (No space left on device)"]
    known = {name: status for name, (status, _) in _states(tmp_path).items()}
    assert set(known.values()) == {"succeeded"}
    assert launch.run(["launch.py", *_arguments(tmp_path)]) == 0
    assert f" {3 - len(known)} succeeded, {len(known)} skipped" in capsys.readouterr().out


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
