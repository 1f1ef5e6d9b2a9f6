"""Files of equal content stored once: hard links, where the file system has them.

A folder holds one link to each file, by its digest. An export's file is linked to it before the
export gets its name; no file of an export is ever written to after that, and exports are replaced
by renaming, so that nothing is written through a link. Any export may be removed without harm to
the others.

What a link leads to may be damaged nevertheless, by whoever writes to an export or by the disk. So
each process reads it before it links it, and anew where size or time of modification are others;
what is not what its name says is no longer known. And links that a killed command left are never
taken: who knows what has happened since.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter import folder_locks, sharing

# No hard links here, no more of this file, or another process has removed the folder.
_NO_LINK = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOENT, errno.ENOSYS)

# FICLONE of linux/fs.h, a "reflink": of Btrfs, XFS and others.
_CLONE = 0x40049409

# Of manifests: "files" there.
Digests = Mapping[str, Mapping[str, Any]]

# What is kept of files are digests.
_KEPT = 256
_SLICE_BYTES = 1 << 20
_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def kept(folder: str) -> Iterator[None]:
    """While open, there is a folder of links, which other commands may have open, too.

    The first one begins with an empty folder, the last one removes it.

    Args:
      folder: The folder.

    Raises:
      OSError: It cannot be made, or what is in it cannot be removed.
    """
    held = _opened(folder)
    try:
        yield
    finally:
        if folder_locks.is_last(held) and _is_at(folder, held):
            remove(folder)
        os.close(held)


def _opened(folder: str) -> int:
    """Returns the lock that all have who use the folder."""
    while True:
        os.makedirs(folder, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # Somebody else has ended just now.
            held = folder_locks.share(folder)
            if folder_locks.is_last(held) and _is_at(folder, held):
                _empty(folder)
            folder_locks.share_again(held)
            if _is_at(folder, held):
                return held
            os.close(held)


def _is_at(folder: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(folder), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _empty(folder: str) -> None:
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.remove(entry.path)


def digest(file: str) -> dict[str, Any]:
    """Returns size and SHA-256 of a local file.

    While `sharing.results` is open, the links of one file are read once, until it is written to.

    Args:
      file: The file.

    Raises:
      OSError: It cannot be read.
    """
    status = os.stat(file)
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return sharing.once("file", key, lambda: _read_digest(file), keep=_KEPT)


def _read_digest(file: str) -> dict[str, Any]:
    found, size = hashlib.sha256(), 0
    with open(file, "rb") as stream:
        while piece := stream.read(_SLICE_BYTES):
            found.update(piece)
            size += len(piece)
    return {"sha256": found.hexdigest(), "size": size}


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
            if _link(file, known) or os.path.samefile(file, known):
                continue
            if _is_sound(known, digest):
                os.link(known, f"{file}.link")
                os.replace(f"{file}.link", file)
            else:
                _link(file, known)
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
      Whether all of them are there, undamaged; if not, none is.
    """
    if not all(_is_sound(os.path.join(folder, d["sha256"]), d) for d in digests.values()):
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


def _is_sound(known: str, expected: Mapping[str, Any]) -> bool:
    """Whether a link leads to what its name says; removed where it does not."""
    try:
        found = digest(known)
    except FileNotFoundError:
        return False
    except OSError as error:
        found = {"sha256": str(error)}
    if found["sha256"] == expected["sha256"]:
        return True
    _logger.warning(
        "A file of %d bytes that several exports have was damaged after it was written: it is made "
        "again for this one. The same sweep again makes those that are damaged.",
        expected["size"],
    )
    with contextlib.suppress(FileNotFoundError):
        os.remove(known)
    return False


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
