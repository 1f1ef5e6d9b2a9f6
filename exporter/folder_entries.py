"""What is in a folder, down to the last file.

Links to folders are followed once, so that no ring of links is a way without an end.
"""

from __future__ import annotations

import dataclasses
import os

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Entries:
    """The entries of a folder and the folders in it, by paths relative to it, in their order.

    Attributes:
      files: What is no folder, links to files among them.
      folders: The folders.
      links: Files and folders that are links.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    links: tuple[str, ...]


def read(path: str) -> Entries:
    """Lists what is in a folder.

    Args:
      path: The folder; a path that `tf.io.gfile` can read.
    """
    files: list[str] = []
    folders: list[str] = []
    seen = {os.path.realpath(path)}
    ahead = [""]
    while ahead:
        inside = ahead.pop()
        for name in tf.io.gfile.listdir(os.path.join(path, inside).rstrip("/")):
            entry = os.path.join(inside, name.rstrip("/"))
            if not tf.io.gfile.isdir(os.path.join(path, entry)):
                files.append(entry)
                continue
            folders.append(entry)
            real = os.path.realpath(os.path.join(path, entry))
            if real not in seen:
                seen.add(real)
                ahead.append(entry)
    links = [name for name in (*files, *folders) if os.path.islink(os.path.join(path, name))]
    return Entries(tuple(sorted(files)), tuple(sorted(folders)), tuple(sorted(links)))
