"""Faults of the place that an export is written to: no room, no permission, other things there."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import resource
import shutil
from collections.abc import Callable, Iterator

from tests.faults import mounts, privileges, running, scenes
from tests.faults.scenes import Fault, Scene

_PAGE = 4096
_NOBODY = 65534
_BUILT, _WRITTEN = "building the encoder", "writing the encoder"
_NO_ROOM = os.strerror(errno.ENOSPC)
_READ_ONLY = os.strerror(errno.EROFS)
_LONG = "x" * 250


@contextlib.contextmanager
def _mounted(scene: Scene, folder: pathlib.Path, options: str = "") -> Iterator[None]:
    """While open, a folder is a file system of its own with what was in it."""
    aside = folder.with_name(f"{folder.name}.aside")
    folder.rename(aside)
    try:
        with mounts.tmpfs(folder, options):
            shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
            yield
            shutil.rmtree(aside)
            shutil.copytree(folder, aside, symlinks=True)
    except OSError as error:
        raise scenes.NotSetUp(f"no mounts ({error})") from error
    finally:
        if folder.is_dir():
            folder.rmdir()
        aside.rename(folder)


def _pages(folder: pathlib.Path) -> int:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(-(-path.stat().st_size // _PAGE) for path in files)


def _disk_full(room: Callable[[int], float]) -> Callable[[Scene], running.Ended]:
    """Leaves room for so many pages, given those of a complete export."""

    def make(scene: Scene) -> running.Ended:
        needed = _pages(scene.intact.folder(scene.fault.kind, scenes.NEW))
        with _mounted(scene, scene.exports):
            there = os.statvfs(scene.exports)
            used = there.f_blocks - there.f_bfree
            mounts.remount(scene.exports, f"size={(used + int(room(needed))) * _PAGE}")
            return scene.export()

    return make


def _no_inodes(scene: Scene) -> running.Ended:
    with _mounted(scene, scene.exports):
        there = os.statvfs(scene.exports)
        used = there.f_files - there.f_ffree
        mounts.remount(scene.exports, f"nr_inodes={used + 4}")
        return scene.export()


def _file_size(scene: Scene) -> running.Ended:
    limit = (500_000, resource.RLIM_INFINITY)
    return scene.export(prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))


def _read_only(scene: Scene) -> running.Ended:
    with _mounted(scene, scene.exports):
        mounts.remount(scene.exports, "ro")
        return scene.export()


def _becomes_read_only(scene: Scene) -> running.Ended:
    with _mounted(scene, scene.exports):
        ended = scene.export(step=_BUILT, act=lambda pid: mounts.remount(scene.exports, "ro"))
        mounts.remount(scene.exports, "rw")
        return ended


def _protected(*names: str) -> Callable[[Scene], running.Ended]:
    """Exports without root's privileges where folders cannot be written to.

    Args:
      *names: The folders, relative to that of exports.
    """

    def make(scene: Scene) -> running.Ended:
        for name in names:
            (scene.exports / name).chmod(0o555)
        ended = scene.export(prepare=privileges.drop)
        scene.exports.chmod(0o755)
        return ended

    return make


def _of_another_user(scene: Scene, *, sticky: bool) -> running.Ended:
    """Exports without root's privileges over another user's export."""
    try:
        for path in (scene.target, *scene.target.rglob("*")):
            shutil.chown(path, _NOBODY, _NOBODY)
        if sticky:
            scene.exports.chmod(0o1777)
            shutil.chown(scene.exports, _NOBODY, _NOBODY)
    except OSError as error:
        raise scenes.NotSetUp(f"no other users ({error.strerror})") from error
    return scene.export(prepare=privileges.drop)


def _elsewhere(scene: Scene) -> running.Ended:
    with _mounted(scene, scene.exports), _mounted(scene, scene.temporary):
        return scene.export()


def _link_elsewhere(scene: Scene) -> running.Ended:
    disk = scene.folder / "disk"
    scene.put_earlier(disk / "bert")
    with _mounted(scene, disk):
        scene.target.symlink_to(disk / "bert")
        ended = scene.export()
        assert scene.target.is_symlink()
        scene.target.unlink()
        shutil.copytree(disk / "bert", scene.target)
    return ended


def _vanishes(name: str, step: str) -> Callable[[Scene], running.Ended]:
    """Removes the target, the folder that it is in, or the one that is written to."""

    def vanish(scene: Scene) -> None:
        for path in scene.folder.glob(name):
            while path.exists():  # Files come and go meanwhile.
                shutil.rmtree(path, ignore_errors=True)

    return lambda scene: scene.export(step=step, act=lambda pid: vanish(scene))


def _other_there(put: Callable[[pathlib.Path], object]) -> Callable[[Scene], running.Ended]:
    """Puts something under the export's name that is no export, and takes it away afterwards."""

    def make(scene: Scene) -> running.Ended:
        put(scene.target)
        ended = scene.export()
        (put_there,) = [path for path in scene.exports.iterdir() if ".record" not in path.name]
        put_there.unlink()
        return ended

    return make


def _dangling(scene: Scene) -> running.Ended:
    scene.target.symlink_to(scene.exports / "real")
    ended = scene.export()
    scene.target.unlink()
    (scene.exports / "real").rename(scene.target)
    (scene.exports / "real.record").rename(f"{scene.target}.record")
    return ended


def _parent_missing(scene: Scene) -> running.Ended:
    ended = scene.export(path=scene.exports / "a" / "b" / "bert")
    (scene.exports / "a" / "b" / "bert").rename(scene.target)
    shutil.rmtree(scene.exports / "a")
    return ended


def _parent_missing_and_fails(scene: Scene) -> running.Ended:
    limit = (500_000, resource.RLIM_INFINITY)
    return scene.export(
        path=scene.exports / "a" / "b" / "bert",
        prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )


def _links_inside(scene: Scene) -> running.Ended:
    """Replaces an export whose files and folders have become links to precious ones."""
    precious = scene.folder / "precious"
    for name in ("variables", "saved_model.pb", "assets/vocab.txt"):
        (precious / name).parent.mkdir(parents=True, exist_ok=True)
        (scene.target / name).rename(precious / name)
        (scene.target / name).symlink_to(precious / name)
    before = scenes.contents(precious)
    ended = scene.export()
    assert scenes.contents(precious) == before
    return ended


def _link_to_all(scene: Scene) -> running.Ended:
    """Under the export's name there is a link to where it is."""
    real = scene.folder / "real"
    scene.target.rename(real)
    scene.target.symlink_to(real)
    ended = scene.export()
    assert scene.target.is_symlink()
    scene.target.unlink()
    real.rename(scene.target)
    shutil.rmtree(f"{real}.record", ignore_errors=True)
    return ended


FAULTS = (
    Fault("disk full: nothing fits", _disk_full(lambda needed: 0), (2,), says=_NO_ROOM),
    Fault("disk full: not the variables", _disk_full(lambda n: n / 3), (2,), says=_NO_ROOM),
    Fault("disk full: not the graph", _disk_full(lambda n: n - 30), (2,), says=_NO_ROOM),
    Fault("disk full: all but one page", _disk_full(lambda n: n - 1), (2,), says=_NO_ROOM),
    Fault(
        "disk full: all but the record beside it",
        _disk_full(lambda n: n + 1),
        (2,),
        earlier=False,
        says=_NO_ROOM,
    ),
    Fault("disk full: no more files", _no_inodes, (2,), says=_NO_ROOM),
    Fault("limit of files' size", _file_size, (2,), says=os.strerror(errno.EFBIG)),
    Fault("read-only file system", _read_only, (2,), says="must be writable"),
    Fault("file system becomes read-only", _becomes_read_only, (2,), says=_READ_ONLY),
    Fault("no permission: the parent", _protected("."), (2,), says="must be writable"),
    Fault("no permission: the record", _protected("bert.record"), (2,), says="must be writable"),
    Fault("no permission: the export's folders", _protected("bert", "bert/variables"), (0,)),
    Fault(
        "no permission: another user's export, sticky folder",
        lambda scene: _of_another_user(scene, sticky=True),
        (2,),
    ),
    Fault(
        "no permission: another user's export",
        lambda scene: _of_another_user(scene, sticky=False),
        (0,),
        says="is left (",
    ),
    Fault("target on another file system than TMPDIR", _elsewhere, (0,)),
    Fault("target is a link to another file system", _link_elsewhere, (0,), earlier=False),
    Fault("target vanishes", _vanishes("exports/bert", _WRITTEN), (0,)),
    Fault("its folder vanishes", _vanishes("exports", _BUILT), (2,), earlier=False),
    Fault("what is written vanishes", _vanishes("exports/.bert.staging-*", _WRITTEN), (2, 3)),
    Fault("parents missing", _parent_missing, (0,), earlier=False),
    Fault("parents missing, and no room", _parent_missing_and_fails, (2,), earlier=False),
    Fault("target is a file", _other_there(pathlib.Path.touch), (2,), earlier=False),
    Fault(
        "target is a link to itself",
        _other_there(lambda path: path.symlink_to(path.name)),
        (2,),
        earlier=False,
    ),
    Fault("target is a link to nothing", _dangling, (0,), earlier=False),
    Fault("target is a link to an export", _link_to_all, (0,)),
    Fault(
        "name too long",
        lambda scene: scene.export(path=scene.exports / _LONG),
        (2,),
        earlier=False,
        says=os.strerror(errno.ENAMETOOLONG),
    ),
    Fault("links in place of files of the export", _links_inside, (0,)),
)
