"""Copies of SavedModels with another graph, for use and not for keeps: large files are links."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_GRAPH = "saved_model.pb"


def read(path: str) -> saved_model_pb2.SavedModel:
    """Returns the graph of a SavedModel."""
    with tf.io.gfile.GFile(os.path.join(path, _GRAPH), "rb") as file:
        return saved_model_pb2.SavedModel.FromString(file.read())


def write(path: str, folder: str, change: Callable[[Any], None]) -> None:
    """Makes a copy with a changed graph.

    Args:
      path: The SavedModel.
      folder: Where to; must not exist.
      change: Changes each of its meta graphs, in place.
    """
    os.makedirs(folder)
    for name in (entry.rstrip("/") for entry in tf.io.gfile.listdir(path)):
        if name != _GRAPH:
            _copy(os.path.join(path, name), os.path.join(folder, name))
    model = read(path)
    for graph in model.meta_graphs:
        change(graph)
    pathlib.Path(folder, _GRAPH).write_bytes(model.SerializeToString())


def _copy(source: str, target: str) -> None:
    if "://" not in source:
        os.symlink(os.path.abspath(source), target)
        return
    # There are no links to storage elsewhere.
    if not tf.io.gfile.isdir(source):
        tf.io.gfile.copy(source, target)
        return
    os.makedirs(target)
    for name in (entry.rstrip("/") for entry in tf.io.gfile.listdir(source)):
        _copy(os.path.join(source, name), os.path.join(target, name))
