"""Gives all types of encoders the interface of TF Hub's Transformer encoders.

Three inputs, int32 `[B, L]`: `input_word_ids`, `input_mask`, `input_type_ids`. Four outputs:
`pooled_output` and its alias `default` `[B, D]`, `sequence_output` `[B, L, D]`, and
`encoder_outputs`, a list of `[B, L, D]` (B: batch size, L: sequence length, D: hidden size).
Nothing else is changed: what TF-NLP's code computes is what comes out.

An encoder without a pooler has no `pooled_output` of its own; it is then made of
`sequence_output`, in one of the ways of `encoder.pooled_output`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
import tf_keras
from official.nlp.modeling import networks

from exporter import encoder_configs

INPUT_NAMES = ("input_word_ids", "input_mask", "input_type_ids")
# What `.mlm` takes besides.
POSITIONS_NAME = "masked_lm_positions"

_OUTPUT_NAMES = ("pooled_output", "sequence_output", "encoder_outputs")

# Their layers are made for one length: BigBird draws its random blocks for it, the others mix all
# positions by matrices of that size.
ONE_LENGTH = ("bigbird", "fnet", "sparse_mixer")


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

    Raises:
      ValueError: The sequences are too long for the encoder. Where that is only known when a graph
        runs, it is an InvalidArgumentError.
    """
    outputs = run(network, architecture, inputs, training)
    wanted = {
        name: output
        for name, output in outputs.items()
        if name in _OUTPUT_NAMES or getattr(architecture.encoder, f"return_{name}", False)
    }
    if architecture.pooled_output is not None:
        pool = _POOLINGS[architecture.pooled_output]
        wanted["pooled_output"] = pool(wanted["sequence_output"], inputs["input_mask"])
    return wanted | {"default": wanted["pooled_output"]}


def run(
    network: tf_keras.layers.Layer,
    architecture: encoder_configs.Architecture,
    inputs: dict[str, tf.Tensor],
    training: bool | None,
) -> dict[str, Any]:
    """Runs an encoder and returns what TF-NLP's code makes, by name; the arguments are `call`'s."""
    if isinstance(network, networks.XLNetBase):
        return _run_xlnet(network, inputs, training)
    longest = architecture.max_seq_length
    if longest is None:
        return network(inputs, training=training)
    length = inputs["input_word_ids"].shape[1]
    if length is not None and length > longest:
        raise ValueError(f"{_at_most(longest)}, received {length}".replace("_", " "))
    if architecture.type in ONE_LENGTH:
        return _run_padded(network, inputs, training, longest)
    return network(_checked(inputs, longest), training=training)


def _run_padded(
    network: tf_keras.layers.Layer,
    inputs: dict[str, tf.Tensor],
    training: bool | None,
    longest: int,
) -> dict[str, Any]:
    """Pads the inputs to the one length that the network takes, and cuts its outputs."""
    length = tf.shape(inputs["input_word_ids"])[1]
    with tf.name_scope(_at_most(longest)):
        padded = {
            name: tf.ensure_shape(tf.pad(value, [[0, 0], [0, longest - length]]), [None, longest])
            for name, value in inputs.items()
        }
    outputs = dict(network(padded, training=training))
    outputs["sequence_output"] = outputs["sequence_output"][:, :length]
    outputs["encoder_outputs"] = [output[:, :length] for output in outputs["encoder_outputs"]]
    return outputs


def _checked(inputs: dict[str, tf.Tensor], longest: int) -> dict[str, tf.Tensor]:
    """Returns the inputs, by way of an op that fails where they are too long.

    An assertion would come too late: a graph is checked for shapes that cannot be before it runs,
    and what fails first then is a layer's inner reshape.
    """
    word_ids = inputs["input_word_ids"]
    length = tf.shape(word_ids)[1]
    with tf.name_scope(_at_most(longest)):
        zeros = tf.pad(tf.zeros([length], word_ids.dtype), [[0, longest - length]])
        return inputs | {"input_word_ids": word_ids + zeros[:length]}


def _at_most(longest: int) -> str:
    """The name of ops that fail where sequences are too long; TensorFlow's errors tell it."""
    return f"sequences_may_have_at_most_{longest}_tokens"


def _run_xlnet(
    network: networks.XLNetBase, inputs: dict[str, tf.Tensor], training: bool | None
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
    return {
        "sequence_output": sequence_output,
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


def _first_token(sequence_output: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    del mask
    return sequence_output[:, 0]


def _mean(sequence_output: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean over the tokens; zeros where there are none."""
    weights = tf.cast(mask, sequence_output.dtype)[:, :, tf.newaxis]
    count = tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)
    return tf.reduce_sum(sequence_output * weights, axis=1) / count


def _last_token(sequence_output: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The last position that is no padding, whichever side that is on; the last if all are."""
    behind = tf.argmax(tf.reverse(mask, [1]), axis=1, output_type=tf.int32)
    return tf.gather(sequence_output, tf.shape(mask)[1] - 1 - behind, axis=1, batch_dims=1)


# Ways to make `pooled_output` `[B, D]` of `sequence_output` and `input_mask`.
_POOLINGS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "first_token": _first_token,
    "mean": _mean,
    "last_token": _last_token,
}
