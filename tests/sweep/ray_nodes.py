"""A Ray cluster for tests, of one machine, without what Ray starts for people."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ray import cluster_utils

_LEAN = {"include_dashboard": False, "no_monitor": True, "include_log_monitor": False}


@contextlib.contextmanager
def cluster(*cpus: int) -> Iterator[cluster_utils.Cluster]:
    """While open, there is a cluster, whose address is in the environment.

    Args:
      *cpus: How many CPUs each node has, that of the driver first.
    """
    from ray import cluster_utils

    # Sockets' paths must be short.
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_TMPDIR", folder)
        pathlib.Path(folder, "ray").mkdir()
        started = cluster_utils.Cluster()
        try:
            for count in cpus:
                add_node(started, count)
            patch.setenv("RAY_ADDRESS", started.address)
            yield started
        finally:
            started.shutdown()


def add_node(cluster: cluster_utils.Cluster, cpus: int = 1) -> None:
    """Adds a node to a cluster, the first one for its driver."""
    cluster.add_node(num_cpus=cpus, **_LEAN)


def folders_of(process: int) -> list[pathlib.Path]:
    """Returns the folders of clusters that a process or one it started has and not removed."""
    children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [
        path.parent
        for one in (process, *children)
        for path in pathlib.Path("/tmp").glob(f"ray-*/session_*_{one}")
    ]


def processes_of(folder: pathlib.Path) -> list[int]:
    """Returns the processes of a cluster: its folder is in their commands, or takes their logs."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            output = (process / "fd" / "1").readlink()
            command = (process / "cmdline").read_bytes()
            if output.is_relative_to(folder) or f"{folder}/".encode() in command:
                found.append(int(process.name))
    return found
