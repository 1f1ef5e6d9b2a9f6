"""File systems of a process's own: small ones, read-only ones. Nobody else sees them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import subprocess
from collections.abc import Iterator

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000


class _Mounts:
    """Whether this process has mounts of its own."""

    own = False


def may_mount() -> bool:
    """Gives this process mounts of its own, for good. False where the system does not let it.

    A process that is not root becomes root of a user namespace for that, and must not have threads.
    """
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    user, group = os.geteuid(), os.getegid()
    if unshare(_CLONE_NEWNS) != 0:
        if unshare(_CLONE_NEWNS | _CLONE_NEWUSER) != 0:
            return False
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _Mounts.own = True
    _Mounts.own = _mount("--make-rprivate", "/")
    return _Mounts.own


def _mount(*arguments: str | pathlib.Path) -> bool:
    if not _Mounts.own:
        return False
    try:
        ended = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return ended.returncode == 0


@contextlib.contextmanager
def tmpfs(folder: pathlib.Path, options: str = "") -> Iterator[None]:
    """While open, there is a file system in memory under a folder's name.

    Args:
      folder: The folder.
      options: As `mount` takes them: "size=1m,nr_inodes=10".

    Raises:
      OSError: It cannot be mounted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _require(_mount("-t", "tmpfs", "-o", f"mode=755{options and ','}{options}", "tmpfs", folder))
    try:
        yield
    finally:
        _unmount(folder)


@contextlib.contextmanager
def read_only(folder: pathlib.Path) -> Iterator[None]:
    """While open, what is in a folder can only be read.

    Raises:
      OSError: It cannot be mounted.
    """
    _require(_mount("--bind", folder, folder))
    try:
        remount(folder, "bind,ro")
        yield
    finally:
        _unmount(folder)


@contextlib.contextmanager
def over(file: pathlib.Path, place: pathlib.Path) -> Iterator[None]:
    """While open, a file is under another file's name, too.

    Raises:
      OSError: It cannot be mounted.
    """
    _require(_mount("--bind", file, place))
    try:
        yield
    finally:
        _unmount(place)


def remount(folder: pathlib.Path, options: str) -> None:
    """Changes the options of what is mounted under a folder's name.

    Raises:
      OSError: They cannot be had.
    """
    _require(_mount("-o", f"remount,{options}", str(folder)))


def _unmount(folder: pathlib.Path) -> None:
    subprocess.run(["umount", "--lazy", folder], check=True)


def _require(mounted: bool) -> None:
    if not mounted:
        raise OSError("mount fails")
