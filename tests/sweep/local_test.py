"""The launcher that runs exports in processes of this machine."""

from __future__ import annotations

import os
import pathlib
import select
import signal
import subprocess
import sys
import time

import pytest

from exporter.sweep import jobs, local, states
from tests.sweep import launcher_cases
from tests.sweep.launcher_cases import single_exports, sweep_once  # noqa: F401 (fixtures)


class TestLocal(launcher_cases.LauncherTests):
    launcher = "sweep.launcher = @local()\nlocal.num_workers = 2"


# Kills its process when it is imported by gin, as often as the file has letters.
_KILLER = """
import os, pathlib, signal
file = pathlib.Path(__file__).with_name("left")
left = file.read_text()
if left:
    file.write_text(left[1:])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("times", "status"), [(2, "succeeded"), (3, "failed")])
def test_what_a_killed_process_did_is_done_again(
    times: int, status: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "killer_of_its_process.py").write_text(_KILLER)
    (tmp_path / "left").write_text("x" * times)
    monkeypatch.syspath_prepend(str(tmp_path))
    planned = [
        launcher_cases.job(tmp_path / "out", "killed", "import killer_of_its_process"),
        launcher_cases.job(tmp_path / "out", "other", ""),
    ]
    events = list(local.Local(num_workers=1, retries=2).run(planned))
    ended = {event.job.name: event.state for event in events if event.state is not None}
    assert {name: state.status for name, state in ended.items()} == {
        "killed": status,
        "other": "succeeded",
    }
    told = [(event.job.name, event.note) for event in events if event.note is not None]
    assert told == [("killed", "its process ended with status -9, to be tried again")] * 2
    assert ended["killed"] == states.read(planned[0].record)
    if status == "failed":
        assert ended["killed"].message == (
            f"Its process ended 3 times, at last with status -{signal.SIGKILL.value}."
        )
    assert sorted(os.listdir(tmp_path / "out")) == sorted(
        [".shared", "killed.record", "other", "other.record"]
        + (["killed"] if status == "succeeded" else [])
    )


def test_a_process_that_is_killed_between_two_exports_costs_none(tmp_path: pathlib.Path) -> None:
    planned = [launcher_cases.job(tmp_path / "out", name, "") for name in "ab"]
    ended = []
    for event in local.Local(num_workers=1, retries=0).run(planned):
        if event.state is not None:
            ended.append((event.job.name, event.state.status))
            for process in local.multiprocessing.active_children():
                process.kill()
                process.join()
    assert ended == [("a", "succeeded"), ("b", "succeeded")]


# An export that does not end by itself.
_SLEEPER = """
import os, pathlib, time
file = pathlib.Path(__file__).with_name("sleeper")
file.with_suffix(".new").write_text(str(os.getpid()))
os.replace(file.with_suffix(".new"), file)
time.sleep(1000)
"""
_LAUNCHER = """
import pathlib, sys
from exporter.sweep import local
from tests.sweep import launcher_cases
folder = pathlib.Path(sys.argv[1])
job = launcher_cases.job(folder / "out", "sleeping", "import sleeper_in_its_process")
for event in local.Local(num_workers=1).run([job]):
    pass
"""


def test_processes_end_when_the_launcher_is_killed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sleeper_in_its_process.py").write_text(_SLEEPER)
    paths = [str(tmp_path), str(pathlib.Path(local.__file__).parents[2]), *filter(None, sys.path)]
    launcher = subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    while not (tmp_path / "sleeper").exists():
        assert launcher.poll() is None
        time.sleep(0.01)
    worker = os.pidfd_open(int((tmp_path / "sleeper").read_text()))
    launcher.kill()
    launcher.wait()
    assert select.select([worker], [], [], 60)[0], "it goes on without its launcher"
    os.close(worker)


# While the process that others are forked of imports TensorFlow, which takes longer than that.
_INTERRUPTED = """
import multiprocessing, os, signal, sys, time
from exporter.sweep import local
local.Local().prepare()
signal.signal(signal.SIGINT, signal.SIG_IGN)
time.sleep(0.5)
os.killpg(0, signal.SIGINT)
process = multiprocessing.get_context("forkserver").Process(target=os.getpid)
process.start()
process.join()
sys.exit(process.exitcode)
"""


def test_an_interruption_is_the_launchers_alone() -> None:
    paths = [str(pathlib.Path(local.__file__).parents[2]), *filter(None, sys.path)]
    run = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        capture_output=True,
        check=False,
        text=True,
    )
    assert run.returncode == 0
    assert "Traceback" not in run.stderr


def test_processes_end_when_the_launcher_stops(tmp_path: pathlib.Path) -> None:
    events = local.Local(num_workers=2).run(
        [launcher_cases.job(tmp_path, name, "") for name in "ab"]
    )
    first = next(events)
    assert (first.job.name, first.state) == ("a", None)
    events.close()
    assert not {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} & {
        "a",
        "b",
    }
    assert local.multiprocessing.active_children() == []


def test_as_many_processes_as_there_are_cores_and_memory_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    planned = [jobs.Job("a", "", {}, (), "", "", "", weights) for weights in (0, 440_000_000)]
    for available, expected in ((1, 1), (8_000_000_000, 2), (1_000_000_000_000, 16)):
        monkeypatch.setattr(local, "_available_memory", lambda available=available: available)
        assert local._affordable(planned) == expected
