"""Faults of what an export is made from: it cannot be written to, it vanishes, it is replaced."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
from collections.abc import Callable

from tests.faults import mounts, running, scenes
from tests.faults.scenes import Fault, Scene

_BUILT = "building the encoder"
_DATA = "ckpt-6000.data-00000-of-00001"


def _read_only(scene: Scene) -> running.Ended:
    try:
        with mounts.read_only(scene.source):
            return scene.export()
    except OSError as error:
        raise scenes.NotSetUp(f"no mounts ({error})") from error


def _meanwhile(change: Callable[[pathlib.Path], object]) -> Callable[[Scene], running.Ended]:
    """Changes the source when the checkpoint has been looked at and not yet been copied."""

    def make(scene: Scene) -> running.Ended:
        def act(pid: int) -> None:
            # Or it would be over before the change is.
            os.kill(pid, signal.SIGSTOP)
            change(scene.source)
            os.kill(pid, signal.SIGCONT)

        return scene.export(step=_BUILT, act=act)

    return make


def _before(change: Callable[[pathlib.Path], object]) -> Callable[[Scene], running.Ended]:
    def make(scene: Scene) -> running.Ended:
        change(scene.source)
        return scene.export()

    return make


def _replace(source: pathlib.Path) -> None:
    """Puts a checkpoint of other values and of the same size in the place of the old one."""
    data = source / _DATA
    other = data.with_name("other")
    other.write_bytes(data.read_bytes()[::-1])
    other.rename(data)


def _cut(source: pathlib.Path) -> None:
    os.truncate(source / _DATA, 1000)


def _rewrite(source: pathlib.Path) -> None:
    data = source / _DATA
    data.write_bytes(data.read_bytes()[::-1])


def _split(source: pathlib.Path) -> None:
    """Names the data file as the first of two shards, of which the second is missing."""
    (source / _DATA).rename(source / "ckpt-6000.data-00000-of-00002")


FAULTS = (
    Fault("source is read-only", _read_only, (0,)),
    Fault("source is removed before", _before(shutil.rmtree), (2,)),
    Fault("source is removed meanwhile", _meanwhile(shutil.rmtree), (0, 2)),
    Fault("checkpoint is replaced meanwhile", _meanwhile(_replace), (2,)),
    Fault("checkpoint is rewritten meanwhile", _meanwhile(_rewrite), (2,)),
    Fault("checkpoint is cut off meanwhile", _meanwhile(_cut), (2,)),
    Fault(
        "data file of the checkpoint is missing",
        _before(lambda source: (source / _DATA).unlink()),
        (2,),
        says=f"{_DATA} is missing",
    ),
    Fault("a shard of the checkpoint is missing", _before(_split), (2,), says="is missing"),
)
