"""Kills parts of sweeps on Ray at random moments (SIGKILL): workers, drivers and a node's raylet.

    .venv-ray/bin/python -m tests.faults.kill_ray_sweeps --kills=9

runs from the project's folder: a cluster of two nodes on this machine, and real sweeps of the
bundled pre-training run on it. Without a worker or a node a sweep must end complete by itself;
without its driver the next one must complete it. Each export must be byte for byte what the
launcher `in_process` makes, and nothing may be left over.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import launch
from tests.faults import running
from tests.sweep import ray_nodes

if TYPE_CHECKING:
    from ray import cluster_utils

KINDS = ("worker", "driver", "raylet")
_LENGTHS = (16, 32, 64, 128)
_SWEEP = """
sweep.launcher = @{launcher}()
tokenizer.vocab_file = '{run}/vocab.txt'
tokenizer.do_lower_case = True
checkpoint.model_checkpoint_path = '{run}'
encoder.encoder_config_file = '{run}/params.yaml'
export.export_type = 'text_embedding'
sweep.points = @axis()
axis.name = 'preprocessing.default_seq_length'
axis.values = {lengths}
"""


class Killer:
    """Runs sweeps and kills parts of them.

    Attributes:
      found: How often a sweep ended how.
    """

    def __init__(self, cluster: cluster_utils.Cluster, folder: pathlib.Path, seed: int) -> None:
        """Will write sweeps to a folder, and choose the moments by a seed."""
        self.found: collections.Counter[str] = collections.Counter()
        self._cluster = cluster
        self._folder = folder
        self._random = random.Random(seed)
        self._expected = _contents(self._run("expected", "in_process")[0])
        path, self._seconds = self._run("measured", "ray")
        assert _contents(path) == self._expected

    def kill_one(self, kind: str) -> None:
        """Starts a sweep, kills a part of it and looks at what it comes to.

        Args:
          kind: What is killed, one of `KINDS`.

        Raises:
          AssertionError: The sweep is not complete, or something else than must be.
        """
        name = f"{self.found.total():03d}_{kind}"
        sweep = self._start(name, "ray")
        seconds = self._random.uniform(0, self._seconds)
        time.sleep(seconds)
        killed = self._kill(kind, sweep)
        status = sweep.wait()
        if kind == "driver" and killed:
            assert status == -signal.SIGKILL
            status = self._start(name, "ray").wait()
        assert status == 0, f"{name}: ended with status {status}"
        found = _contents(self._folder / name)
        assert found == self._expected, f"{name}: {sorted(found)}"
        outcome = f"{kind} killed, complete" if killed else f"{kind} had ended or not begun"
        self.found[outcome] += 1
        print(f"{kind}, {seconds:.2f} s after the start: {outcome}", flush=True)
        if kind == "raylet":
            (node,) = self._cluster.worker_nodes
            self._cluster.remove_node(node, allow_graceful=False)
            ray_nodes.add_node(self._cluster)

    def _run(self, name: str, launcher: str) -> tuple[pathlib.Path, float]:
        start = time.monotonic()
        status = self._start(name, launcher).wait()
        assert status == 0, f"a sweep that nobody killed ended with status {status}"
        return self._folder / name, time.monotonic() - start

    def _start(self, name: str, launcher: str) -> subprocess.Popen[bytes]:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        text = _SWEEP.format(launcher=launcher, run=running.RUN, lengths=list(_LENGTHS))
        (folder / "sweep.gin").write_text(text)
        flags = ["--mode=sweep", f"--gin_file={folder}/sweep.gin", f"--export_path={folder}/out"]
        with (folder / "log.txt").open("ab") as log:
            return subprocess.Popen([sys.executable, launch.__file__, *flags], stderr=log)

    def _kill(self, kind: str, sweep: subprocess.Popen[bytes]) -> bool:
        """Returns whether there was something to kill."""
        processes = [sweep.pid]
        if kind == "worker":
            processes = _workers(pathlib.Path(os.environ["RAY_TMPDIR"]))
        elif kind == "raylet":
            (node,) = self._cluster.worker_nodes
            processes = [info.process.pid for info in node.all_processes["raylet"]]
        if sweep.poll() is not None or not processes:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._random.choice(processes), signal.SIGKILL)
            return True
        return False


def _workers(folder: pathlib.Path) -> list[int]:
    """Returns the processes that make exports in a cluster."""
    return [
        process
        for process in ray_nodes.processes_of(folder)
        if pathlib.Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::SweepWorker")
    ]


def _contents(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns all files of a complete sweep's exports."""
    out = folder / "out"
    names = sorted(map(str, _LENGTHS))
    there = {path.name for path in out.iterdir() if not path.name.startswith("results.")}
    assert there == {*names, *(f"{name}.record" for name in names)}, f"{out}: {sorted(there)}"
    records = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [record["status"] for record in records] == ["succeeded"] * len(names), records
    return {
        str(file.relative_to(out)): file.read_bytes()
        for name in names
        for file in sorted((out / name).rglob("*"))
        if file.is_file()
    }


def main() -> None:
    """Kills as many as the command line says, one kind after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS)
    arguments = parser.parse_args()
    kinds = arguments.kind or KINDS
    with tempfile.TemporaryDirectory() as folder, ray_nodes.cluster(1, 1) as cluster:
        killer = Killer(cluster, pathlib.Path(folder), arguments.seed)
        for index in range(arguments.kills):
            killer.kill_one(kinds[index % len(kinds)])
        for outcome, count in sorted(killer.found.items()):
            print(f"{count:4} {outcome}")


if __name__ == "__main__":
    main()
