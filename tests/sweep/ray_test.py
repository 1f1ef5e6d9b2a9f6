"""The launcher that runs exports on a Ray cluster."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import launch
from exporter import errors
from exporter.sweep import jobs, ray_cluster, ray_sessions, scheduling, states
from tests import layers
from tests.sweep import launcher_cases, ray_nodes
from tests.sweep.launcher_cases import single_exports, sweep_once  # noqa: F401 (fixtures)


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with layers.added("ray", "ray"), ray_nodes.cluster(2):
        yield


class TestRay(launcher_cases.LauncherTests):
    launcher = "sweep.launcher = @ray()\nray.num_workers = 2"


# Kills its process when it is imported by gin, as often as the file has letters.
_KILLER = """
import os, pathlib, signal
file = pathlib.Path(__file__).with_name("left")
left = file.read_text()
if left:
    file.write_text(left[1:])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_did_is_done_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, times in (("once", 1), ("twice", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"killed_{name}.py").write_text(_KILLER)
        (tmp_path / name / "left").write_text("x" * times)
        monkeypatch.syspath_prepend(str(tmp_path / name))
    planned = [
        launcher_cases.job(tmp_path / "out", "a", "import killed_once"),
        launcher_cases.job(tmp_path / "out", "b", "import killed_twice"),
    ]
    events = list(ray_cluster.Ray(num_workers=1, retries=1).run(planned))
    ended = {event.job.name: event.state for event in events if event.state is not None}
    assert {name: state.status for name, state in ended.items()} == {
        "a": "succeeded",
        "b": "failed",
    }
    assert ended["b"] == states.read(planned[1].record)
    node = os.uname().nodename
    assert ended["b"].message == (
        f"Its process was lost 2 times, at last on {node}: "
        "The actor died unexpectedly before finishing this task."
    )
    notes = [(event.job.name, event.note) for event in events if event.note is not None]
    assert notes == [(name, f"lost on {node}, to be tried again") for name in "ab"]


def test_code_is_sent_to_where_it_is_missing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package_to_send"
    package.mkdir()
    said = tmp_path / "said.txt"
    (package / "__init__.py").write_text(
        "import pathlib, exporter\n"
        f"pathlib.Path({str(said)!r}).write_text(f'{{__file__}}\\n{{exporter.__file__}}')\n"
    )
    monkeypatch.setattr(ray_sessions, "_sees_code", lambda: False)
    job = launcher_cases.job(tmp_path / "out", "sent", "import package_to_send")
    *_, last = ray_cluster.Ray(py_modules=[str(package)]).run([job])
    assert last.state is not None
    assert last.state.message is None
    for path in said.read_text().splitlines():
        assert "py_modules_files" in path


def test_a_node_that_does_not_see_what_is_to_be_exported(tmp_path: pathlib.Path) -> None:
    job = launcher_cases.job(tmp_path / "out", "unseen", "")
    unseen = dataclasses.replace(job, reads=("/of_another_machine/vocab.txt",))
    with pytest.raises(errors.UserError) as raised:
        list(ray_cluster.Ray().run([unseen]))
    raised.value.locate(lambda _: "here")
    assert str(raised.value) == (
        "All nodes of the cluster must see the sweep's folder and what its exports are made of, "
        "under the same paths: on a file system that they share, or as gs://...\n"
        f"  received: /of_another_machine/vocab.txt, which is not there on {os.uname().nodename}\n"
        "  where:    here\n  example:  --export_path=/shared/sweep"
    )


def test_no_cluster_there() -> None:
    with pytest.raises(errors.UserError) as raised:
        list(ray_cluster.Ray(address="nowhere").run([launcher_cases.job(pathlib.Path(), "a", "")]))
    raised.value.locate(lambda _: "here")
    assert str(raised.value) == (
        "ray.address must be the address of a Ray cluster of which this machine is a node: "
        "Invalid address format: nowhere\n"
        "  received: nowhere\n  where:    here\n  example:  ray.address = '10.0.0.1:6379'"
    )


_SWEEP = f"""
sweep.launcher = @ray()
ray.num_workers = 1
tokenizer.vocab_file = '{launcher_cases.TESTDATA}/bert_tiny/vocab.txt'
tokenizer.do_lower_case = True
export.export_type = 'preprocessing'
export.verify = 'off'
sweep.points = @axis()
axis.name = 'preprocessing.default_seq_length'
axis.values = [16, 32, 64]
"""


def test_a_cluster_of_its_own_ends_with_the_launcher(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS")
    (tmp_path / "sweep.gin").write_text(_SWEEP)
    out = tmp_path / "out"
    arguments = ["--mode=sweep", f"--gin_file={tmp_path}/sweep.gin", f"--export_path={out}"]
    process = subprocess.Popen([sys.executable, launch.__file__, *arguments])
    while process.poll() is None and not list(out.glob("*/saved_model.pb")):
        time.sleep(0.01)
    (folder,) = ray_nodes.folders_of(process.pid)
    assert len(ray_nodes.processes_of(folder)) > 5
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    end = time.monotonic() + 60
    while ray_nodes.processes_of(folder) and time.monotonic() < end:
        time.sleep(0.1)
    assert ray_nodes.processes_of(folder) == []
    shutil.rmtree(folder)

    environment, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    assert launch.run(["launch.py", *arguments]) == 0
    assert (dict(os.environ), signal.getsignal(signal.SIGTERM)) == (environment, handler)
    assert ray_nodes.folders_of(os.getpid()) == []
    assert {path.name for path in out.iterdir()} == {
        *("16", "32", "64", "16.record", "32.record", "64.record"),
        *("results.csv", "results.html", "results.jsonl"),
    }


class _Hire:
    """Starts no processes."""

    count = 2

    def worker(self, weights: int) -> ray_cluster._Worker:
        return ray_cluster._Worker(None, weights, None)


@pytest.mark.parametrize(
    ("rooms", "waiting", "expected"),
    [
        ([], [3, 1], [3, 1]),
        ([], [5], [5]),
        ([1], [3, 1], [1, 3]),  # For the small job there is one; it has no room for the large one.
        ([1], [3], [3]),
        ([3], [3, 1], [3, 1]),
        ([3, 1], [3, 2], [3, 2]),
        ([3, 3], [1], [3]),
        ([2], [], []),
    ],
)
def test_processes_are_asked_for_where_none_has_room(
    rooms: list[int], waiting: list[int], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(ray, "kill", lambda actor, no_restart: None)
    planned = [jobs.Job(str(n), "", {}, (), "", "", "", n) for n in waiting]
    run = ray_cluster._Run(scheduling.Queue(planned), _Hire(), 2)
    run._workers += [_Hire().worker(room) for room in rooms]
    run._ask_for_workers()
    assert [worker.room for worker in run._workers] == expected
