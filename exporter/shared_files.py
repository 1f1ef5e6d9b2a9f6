"""Files of equal content stored once: hard links, where the file system has them.

A folder holds one link to each file, by its digest. An export's file is linked to it before the
export gets its name; no file of an export is ever written to after that, and exports are replaced
by renaming, so that nothing is written through a link. Any export may be removed without harm to
the others.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

# No hard links here, no more of this file, or another process has removed the folder.
_NO_LINK = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOENT, errno.ENOSYS)

# FICLONE of linux/fs.h, a "reflink": of Btrfs, XFS and others.
_CLONE = 0x40049409

# Of manifests: "files" there.
Digests = Mapping[str, Mapping[str, Any]]


def add(folder: str, path: str, digests: Digests) -> None:
    """Makes files known, or, where a file of equal content is known, links of that.

    Args:
      folder: What holds the links; made where it does not exist.
      path: A SavedModel that nobody uses yet, on the same file system.
      digests: Its files' sizes and digests, by relative path.
    """
    os.makedirs(folder, exist_ok=True)
    for name, digest in digests.items():
        file, known = os.path.join(path, name), os.path.join(folder, digest["sha256"])
        try:
            # A link is not replaced by another one of the same file.
            if not _link(file, known) and not os.path.samefile(file, known):
                os.link(known, f"{file}.link")
                os.replace(f"{file}.link", file)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise


def place(folder: str, path: str, digests: Digests) -> bool:
    """Makes files of known content.

    Args:
      folder: What holds the links.
      path: A folder on the same file system, which has none of them.
      digests: The files' sizes and digests, by relative path.

    Returns:
      Whether all of them are there; if not, none is.
    """
    files = {os.path.join(folder, digests[name]["sha256"]): name for name in digests}
    if not all(map(os.path.exists, files)):
        return False
    placed = []
    try:
        for name, digest in digests.items():
            file = os.path.join(path, name)
            os.makedirs(os.path.dirname(file), exist_ok=True)
            _link_or_copy(os.path.join(folder, digest["sha256"]), file)
            placed.append(file)
    except FileNotFoundError:  # Another process has just removed the folder.
        for file in placed:
            os.remove(file)
        return False
    return True


def detach(files: Iterable[str]) -> None:
    """Makes files such that may be written to, whoever has links to what they were.

    Args:
      files: Small ones.
    """
    for file in files:
        if "://" not in file and os.stat(file).st_nlink > 1:
            shutil.copyfile(file, f"{file}.own")
            os.replace(f"{file}.own", file)


def remove(folder: str) -> None:
    """Removes a folder of links, which other processes may be using or removing meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)


def add_all(folder: str, exports: Iterable[tuple[str, Digests]]) -> None:
    """Makes the files of exports known that are complete, and leaves these as they are.

    Args:
      folder: What holds the links; made where it does not exist.
      exports: SavedModels with their files' sizes and digests, by relative path.
    """
    os.makedirs(folder, exist_ok=True)
    for path, digests in exports:
        for name, digest in digests.items():
            _link_if_possible(os.path.join(path, name), os.path.join(folder, digest["sha256"]))


def _link(file: str, link: str) -> bool:
    """Whether a link could be made; false where there is one already."""
    try:
        os.link(file, link)
    except FileExistsError:
        return False
    return True


def _link_if_possible(file: str, link: str) -> None:
    try:
        _link(file, link)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise


def _link_or_copy(known: str, file: str) -> None:
    try:
        os.link(known, file)
    except OSError as error:
        if error.errno not in _NO_LINK or error.errno == errno.ENOENT:
            raise
        if not _clone(known, file):
            shutil.copyfile(known, file)


def _clone(known: str, file: str) -> bool:
    """Makes a copy that shares its blocks with the file, where the file system has that."""
    with open(known, "rb") as source, open(file, "wb") as target:
        try:
            fcntl.ioctl(target, _CLONE, source.fileno())
        except OSError:
            return False
    return True
