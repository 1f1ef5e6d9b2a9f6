"""Calls TF-NLP's encoders, the odd ones too, without the exporter's code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfnlp_layers
from official.nlp.modeling import networks

INPUT_NAMES = ("input_word_ids", "input_mask", "input_type_ids")


def call(
    network: tf_keras.layers.Layer, inputs: Mapping[str, tf.Tensor], training: bool = False
) -> dict[str, Any]:
    """Returns what an encoder makes of its inputs.

    One that takes a single length gets them padded to that, and its outputs are cut.

    Args:
      network: The encoder.
      inputs: int32 `[B, L]` each (B: batch size, L: sequence length).
      training: Whether dropout is active.
    """
    if isinstance(network, networks.XLNetBase):
        return _call_xlnet(network, inputs, training)
    length = inputs[INPUT_NAMES[0]].shape[1]
    longest = _only_length(network)
    if longest is None:
        return network(dict(inputs), training=training)
    padded = {
        name: tf.constant(np.pad(value, [(0, 0), (0, longest - length)]))
        for name, value in inputs.items()
    }
    outputs = network(padded, training=training)
    return {
        "pooled_output": outputs["pooled_output"],
        "sequence_output": outputs["sequence_output"][:, :length],
        "encoder_outputs": [output[:, :length] for output in outputs["encoder_outputs"]],
    }


def _only_length(network: tf_keras.layers.Layer) -> int | None:
    layers = list(network.submodules)
    one_length = (networks.FNet, networks.SparseMixer, tfnlp_layers.BigBirdAttention)
    if not any(isinstance(layer, one_length) for layer in [network, *layers]):
        return None
    tables = (layer for layer in layers if isinstance(layer, tfnlp_layers.PositionEmbedding))
    return next(tables).get_config()["max_length"]


def _call_xlnet(
    network: networks.XLNetBase, inputs: Mapping[str, tf.Tensor], training: bool
) -> dict[str, Any]:
    """The last layer's output is all that is returned: each is made the last one in turn."""
    ids, mask, types = (inputs[name] for name in INPUT_NAMES)
    core = network._transformer_xl
    count = len(core.transformer_xl_layers)
    outputs = []
    for core._num_layers in range(1, count + 1):
        output, _ = network(
            input_ids=ids,
            segment_ids=types,
            input_mask=tf.cast(mask, tf.float32),
            training=training,
        )
        outputs.append(output)
    lengths = np.array([row.nonzero()[0].max(initial=-1) for row in np.asarray(mask)])
    last = outputs[-1].numpy()[np.arange(len(lengths)), lengths]
    return {
        "pooled_output": tf.constant(last),
        "sequence_output": outputs[-1],
        "encoder_outputs": outputs,
    }
