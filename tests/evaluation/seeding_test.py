"""Copies of an encoder whose dropout has seeds."""

from __future__ import annotations

import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from exporter.evaluation import seeding
from tests.evaluation import evaluating

_INPUTS = {
    "input_word_ids": tf.constant([[2, 40, 41, 3]]),
    "input_mask": tf.ones([1, 4], tf.int32),
    "input_type_ids": tf.zeros([1, 4], tf.int32),
}


def _twice(path: pathlib.Path) -> list[np.ndarray]:
    """Returns what an encoder that is loaded anew makes in training, first and then."""
    loaded = tf.saved_model.load(str(path))
    return [loaded(_INPUTS, training=True)["sequence_output"].numpy() for _ in range(2)]


def test_equal_seeds_drop_the_same_units(tmp_path: pathlib.Path) -> None:
    path = evaluating.export(tmp_path / "encoder", "--export_type=model")
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        seeding.copy(str(path), str(tmp_path / name), seed)
    one, same, other = (_twice(tmp_path / name) for name in ("one", "same", "other"))
    np.testing.assert_array_equal(one, same)
    assert np.any(one[0] != one[1])
    assert np.any(one[0] != other[0])

    right, copied = (tf.saved_model.load(str(p))(_INPUTS) for p in (path, tmp_path / "one"))
    for name in ("sequence_output", "pooled_output"):
        np.testing.assert_array_equal(copied[name], right[name])

    # In each place, also of layers that share a function, other units.
    graph = (tmp_path / "one" / "saved_model.pb").read_bytes()
    (meta_graph,) = saved_model_pb2.SavedModel.FromString(graph).meta_graphs
    functions = meta_graph.graph_def.library.function
    random = [node for f in functions for node in f.node_def if node.op == "RandomUniform"]
    seeds = [node.attr["seed2"].i for node in random if node.attr["seed"].i]
    assert len(set(seeds)) == len(seeds) == 1 + 2 * 3  # Of embeddings and two layers.
