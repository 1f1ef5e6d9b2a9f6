"""Writes what is to be kept of an export beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping

import tensorflow as tf


def write(folder: str, files: Mapping[str, str | None]) -> None:
    """Writes text files to a folder, over those of an earlier export.

    Args:
      folder: Made where it does not exist; a path that `tf.io.gfile` can write.
      files: The texts by the files' names; None where an earlier file is to go.
    """
    tf.io.gfile.makedirs(folder)
    for name, text in files.items():
        path = os.path.join(folder, name)
        if text is not None:
            with tf.io.gfile.GFile(path, "w") as file:
                file.write(text)
        elif tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)
