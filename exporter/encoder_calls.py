"""Gives all types of encoders the interface of TF Hub's Transformer encoders.

Three inputs, int32 `[B, L]`: `input_word_ids`, `input_mask`, `input_type_ids`. Four outputs:
`pooled_output` and its alias `default` `[B, D]`, `sequence_output` `[B, L, D]`, and
`encoder_outputs`, a list of `[B, L, D]` (B: batch size, L: sequence length, D: hidden size).
Nothing else is changed: what TF-NLP's code computes is what comes out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
import tf_keras

from exporter import encoder_configs

INPUT_NAMES = ("input_word_ids", "input_mask", "input_type_ids")

_OUTPUT_NAMES = ("pooled_output", "sequence_output", "encoder_outputs")

# Their layers are made for one length: BigBird draws its random blocks for it, the others mix all
# positions by matrices of that size.
_ONE_LENGTH = ("bigbird", "fnet", "sparse_mixer")


def call(
    network: tf_keras.layers.Layer,
    architecture: encoder_configs.Architecture,
    inputs: dict[str, tf.Tensor],
    training: bool | None,
) -> dict[str, Any]:
    """Runs an encoder.

    Args:
      network: The Keras model or layer.
      architecture: What it was built from.
      inputs: The three inputs, by name.
      training: Whether dropout is active; None leaves it to Keras.

    Returns:
      The four outputs by name, and what else the configuration asks for: `attention_scores` by
      `return_attention_scores`, `word_embeddings` by `return_word_embeddings`.
    """
    if architecture.type == "xlnet":
        outputs = _call_xlnet(network, inputs, training)
    elif architecture.type in _ONE_LENGTH and architecture.max_seq_length is not None:
        outputs = _call_padded(network, inputs, training, architecture.max_seq_length)
    else:
        outputs = network(inputs, training=training)
    wanted = [
        name
        for name in outputs
        if name in _OUTPUT_NAMES or getattr(architecture.encoder, f"return_{name}", False)
    ]
    return {name: outputs[name] for name in wanted} | {"default": outputs["pooled_output"]}


def _call_padded(
    network: tf_keras.layers.Layer,
    inputs: dict[str, tf.Tensor],
    training: bool | None,
    longest: int,
) -> dict[str, Any]:
    """Pads the inputs to the one length that the network takes, and cuts its outputs."""
    length = tf.shape(inputs["input_word_ids"])[1]
    with tf.control_dependencies([_check_length(length, longest)]):
        missing = longest - length
    padded = {
        name: tf.ensure_shape(tf.pad(value, [[0, 0], [0, missing]]), [None, longest])
        for name, value in inputs.items()
    }
    outputs = dict(network(padded, training=training))
    outputs["sequence_output"] = outputs["sequence_output"][:, :length]
    outputs["encoder_outputs"] = [output[:, :length] for output in outputs["encoder_outputs"]]
    return outputs


def _check_length(length: tf.Tensor, longest: int) -> tf.Operation:
    return tf.debugging.assert_less_equal(
        length, longest, message=f"This encoder takes sequences of at most {longest} tokens."
    )


def _call_xlnet(
    network: tf_keras.layers.Layer, inputs: dict[str, tf.Tensor], training: bool | None
) -> dict[str, Any]:
    """Calls `XLNetBase`, which names its inputs otherwise and returns the last layer's output."""
    word_ids, mask, type_ids = (inputs[name] for name in INPUT_NAMES)
    layers = network._transformer_xl.transformer_xl_layers
    with _recorded(layers) as outputs:
        sequence_output, _ = network(
            input_ids=word_ids,
            segment_ids=type_ids,
            # One is for what may be attended to, whatever the comments there say.
            input_mask=tf.cast(mask, tf.float32),
            training=training,
        )
    # XLNet puts [CLS] last (Yang et al., 2019, section 2.5), and padding before the text.
    return {
        "sequence_output": sequence_output,
        "pooled_output": sequence_output[:, -1],
        "encoder_outputs": [output["content_attention"] for output in outputs],
    }


@contextlib.contextmanager
def _recorded(layers: list[tf_keras.layers.Layer]) -> Iterator[list[Any]]:
    """While open, the layers' outputs are put on a list."""
    outputs: list[Any] = []

    def recording(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            outputs.append(output)
            return output

        return wrapper

    for layer in layers:
        object.__setattr__(layer, "call", recording(layer.call))
    try:
        yield outputs
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")
