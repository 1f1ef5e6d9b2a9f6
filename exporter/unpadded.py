"""Runs the blocks of a BERT on the tokens of a batch alone: nothing is computed for padding.

In sentences of natural length a third to a half of a batch is padding, even where it is padded to
its longest text only. All but attention is done token by token, so here blocks take and give the
batch's tokens one after the other, `[T, D]`, and only attention puts them into padded rows. Its
projections are plain matrix products with bias, which TensorFlow fuses with the activation, and
are put into rows and split into heads by one gather. In the last block, what only its first
token's output is asked of computes no other.

The network's own code remains in charge of all else: embeddings, the order of blocks, the pooler.
Blocks are rewritten while the network is called, and only where all that their class can be told is
known here. TensorFlow's fused batch normalization, Keras's way to normalize layers, would be
somewhat faster still, but TensorFlow turns it into an op that GPUs do not have.

The idea is that of Effective Transformer (ByteDance, 2020;
github.com/bytedance/effective_transformer).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfnlp_layers
from official.nlp.modeling import networks

from exporter import layer_sharing

# They call their blocks one after the other on `[x, mask]`, with nothing in between, and the mask
# is the same for all positions of a row.
_NETWORKS = (networks.BertEncoder, networks.BertEncoderV2, networks.AlbertEncoder)
# What a block's configuration must say where it matters to inference.
_REQUIRED = {
    "activity_regularizer": None,
    "attention_axes": None,
    "diff_q_kv_att_layer_norm": False,
    "linformer_dim": None,
    "num_kv_heads": None,
    "output_last_dim": None,
    "output_range": None,
    "src_block_size": None,
    "tgt_block_size": None,
    "use_bias": True,
    "use_query_residual": True,
    "value_dim": None,
}
# And what it may say as it likes: taken into account below, or of no matter to inference.
_FREE = frozenset(
    {
        *("name", "trainable", "dtype", "num_attention_heads", "inner_dim", "inner_activation"),
        *("norm_first", "norm_epsilon", "key_dim", "inner_dropout", "output_dropout"),
        *("attention_dropout", "kernel_initializer", "bias_initializer", "attention_initializer"),
        *("kernel_regularizer", "bias_regularizer", "kernel_constraint", "bias_constraint"),
        # Not read without what must be None above.
        *("linformer_shared_kv_projection", "sigmoid_attn_bias", "use_sigmoid_attn"),
    }
)


class Rows(NamedTuple):
    """Where the T tokens of a batch are in its padded rows.

    Attributes:
      positions: Of the tokens among all positions, int32 `[T]`.
      numbers: Of the tokens in the rows, int32 `[B, L]`; at padding, those of some token.
      mask: One for tokens and zero for padding, float32 `[B, L]`.
    """

    positions: tf.Tensor
    numbers: tf.Tensor
    mask: tf.Tensor

    @classmethod
    def of(cls, mask: tf.Tensor) -> Rows:
        """Finds the tokens by a mask, float32 `[B, L]`."""
        is_token = mask > 0
        flat = tf.reshape(tf.cast(is_token, tf.int32), [-1])
        numbers = tf.reshape(tf.maximum(tf.cumsum(flat) - 1, 0), tf.shape(mask))
        positions = tf.cast(tf.where(tf.reshape(is_token, [-1])), tf.int32)
        return cls(tf.squeeze(positions, axis=1), numbers, mask)

    def tokens(self, padded: tf.Tensor) -> tf.Tensor:
        """Takes the tokens `[T, D]` out of rows `[B, L, D]`."""
        return tf.gather(tf.reshape(padded, [-1, padded.shape[-1]]), self.positions)

    def padded(self, tokens: tf.Tensor) -> tf.Tensor:
        """Puts tokens `[T, D]` into rows `[B, L, D]`, with zeros at padding."""
        return tf.gather(tokens, self.numbers) * self.mask[:, :, tf.newaxis]

    def split(self, tokens: tf.Tensor, num_heads: int) -> tf.Tensor:
        """Puts tokens `[T, H * K]` into rows by heads, `[B, H, L, K]`, with anything at padding."""
        heads = tf.range(num_heads)[:, tf.newaxis]
        index = self.numbers[:, tf.newaxis] * num_heads + heads
        return tf.gather(tf.reshape(tokens, [-1, tokens.shape[-1] // num_heads]), index)

    def merge(self, heads: tf.Tensor) -> tf.Tensor:
        """Takes tokens `[T, H * K]` out of rows by heads, `[B, H, L, K]`."""
        num_heads, size = heads.shape[1], heads.shape[3]
        length = tf.shape(self.mask)[1]
        row, place = self.positions // length, self.positions % length
        head = row[:, tf.newaxis] * num_heads + tf.range(num_heads)
        index = head * length + place[:, tf.newaxis]
        return tf.reshape(tf.gather(tf.reshape(heads, [-1, size]), index), [-1, num_heads * size])


def is_supported(network: tf_keras.layers.Layer) -> bool:
    """Whether all that the network's blocks compute is known here."""
    blocks = _blocks(network)
    return type(network) in _NETWORKS and bool(blocks) and all(map(_is_known, blocks))


def _blocks(network: tf_keras.layers.Layer) -> list[tf_keras.layers.Layer]:
    blocks = tfnlp_layers.TransformerEncoderBlock
    return [module for module in network.submodules if isinstance(module, blocks)]


def _is_known(block: tf_keras.layers.Layer) -> bool:
    config = block.get_config()
    if type(block) is not tfnlp_layers.TransformerEncoderBlock or block._return_attention_scores:
        return False
    norms = (block._attention_layer_norm, block._output_layer_norm)
    return (
        set(config) - set(_REQUIRED) <= _FREE
        and all(config.get(name) == value for name, value in _REQUIRED.items())
        and type(block._attention_layer) is tf_keras.layers.MultiHeadAttention
        and all(type(norm) is tf_keras.layers.LayerNormalization for norm in norms)
        and block.compute_dtype == "float32"
    )


@contextlib.contextmanager
def applied(
    network: tf_keras.layers.Layer,
    shared_layers: layer_sharing.SharedLayers,
    *,
    num_layers: int,
    first_token_only: bool,
) -> Iterator[None]:
    """While open, the network can be called once, for inference, in a graph.

    What it returns has zeros at padding in `sequence_output` and `encoder_outputs`.

    Args:
      network: One that `is_supported`.
      shared_layers: Lets equal layers share their traces.
      num_layers: How often the network calls a block.
      first_token_only: Whether of the last layer the first token alone is needed;
        `sequence_output` is then `[B, 1, D]`.
    """
    calls = _Calls(shared_layers, num_layers, first_token_only)
    blocks = _blocks(network)
    before = [vars(block).get("call") for block in blocks]
    for block in blocks:
        # Past Keras, which would track the function as a part of the layer.
        object.__setattr__(block, "call", calls.caller(block))
    try:
        yield
    finally:
        for block, call in zip(blocks, before, strict=True):
            if call is None:
                object.__delattr__(block, "call")
            else:
                object.__setattr__(block, "call", call)


class _Calls:
    """The calls of a network's blocks, one after the other."""

    def __init__(
        self, shared_layers: layer_sharing.SharedLayers, num_layers: int, first_token_only: bool
    ) -> None:
        self._all_tokens = shared_layers.sharing(_all_tokens)
        self._first_tokens = shared_layers.sharing(_first_tokens)
        self._left = num_layers
        self._first_token_only = first_token_only
        self._rows: Rows | None = None
        self._tokens: tf.Tensor | None = None

    def caller(self, block: tf_keras.layers.Layer) -> Callable[..., tf.Tensor]:
        """Returns what to call in place of a block."""

        def call(inputs: list[tf.Tensor], output_range: int | None = None) -> tf.Tensor:
            if output_range is not None:
                raise ValueError(f"Blocks give all positions here, received: {output_range}")
            return self._call(block, *inputs)

        return call

    def _call(self, block: Any, padded: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        self._left -= 1
        if self._rows is None:
            self._rows = Rows.of(mask[:, 0])
            self._tokens = self._rows.tokens(padded)
        if self._left == 0 and self._first_token_only:
            return self._first_tokens(block, self._tokens, self._rows)[:, tf.newaxis]
        self._tokens = self._all_tokens(block, self._tokens, self._rows)
        return self._rows.padded(self._tokens)


def _all_tokens(block: Any, tokens: tf.Tensor, rows: Rows) -> tf.Tensor:
    """Runs a block on tokens `[T, D]` and returns as many."""
    normed = _normed_first(block, tokens)
    query, key, value = (_projected(block, name, normed) for name in ("query", "key", "value"))
    num_heads = block._num_heads
    heads = _attended(
        rows.split(query, num_heads), rows.split(key, num_heads), rows.split(value, num_heads), rows
    )
    return _after_attention(block, tokens, rows.merge(heads))


def _first_tokens(block: Any, tokens: tf.Tensor, rows: Rows) -> tf.Tensor:
    """Runs a block on tokens `[T, D]` and returns those that rows begin with, `[B, D]`."""
    num_heads, first = block._num_heads, rows.numbers[:, 0]
    normed = _normed_first(block, tokens)
    key, value = (_projected(block, name, normed) for name in ("key", "value"))
    query = _projected(block, "query", tf.gather(normed, first))
    size = query.shape[-1] // num_heads
    heads = _attended(
        tf.reshape(query, [-1, num_heads, 1, size]),
        rows.split(key, num_heads),
        rows.split(value, num_heads),
        rows,
    )
    attended = tf.reshape(heads, [-1, num_heads * size])
    return _after_attention(block, tf.gather(tokens, first), attended)


def _normed_first(block: Any, tokens: tf.Tensor) -> tf.Tensor:
    return _normed(block._attention_layer_norm, tokens) if block._norm_first else tokens


def _projected(block: Any, name: str, tokens: tf.Tensor) -> tf.Tensor:
    return _dense(getattr(block._attention_layer, f"_{name}_dense"), tokens)


def _attended(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, rows: Rows) -> tf.Tensor:
    """Attends from `[B, H, Q, K]` to `[B, H, L, K]`, padding excepted."""
    scores = tf.matmul(query * (1.0 / math.sqrt(query.shape[-1])), key, transpose_b=True)
    # Keras's own way to leave something out.
    excepted = (1.0 - rows.mask[:, tf.newaxis, tf.newaxis]) * -1e9
    return tf.matmul(tf.nn.softmax(scores + excepted), value)


def _after_attention(block: Any, tokens: tf.Tensor, attended: tf.Tensor) -> tf.Tensor:
    tokens += _dense(block._attention_layer._output_dense, attended)
    if not block._norm_first:
        tokens = _normed(block._attention_layer_norm, tokens)
        return _normed(block._output_layer_norm, tokens + _feed_forward(block, tokens))
    return tokens + _feed_forward(block, _normed(block._output_layer_norm, tokens))


def _feed_forward(block: Any, tokens: tf.Tensor) -> tf.Tensor:
    inner = block._intermediate_activation_layer(_dense(block._intermediate_dense, tokens))
    return _dense(block._output_dense, inner)


def _dense(layer: tf_keras.layers.EinsumDense, tokens: tf.Tensor) -> tf.Tensor:
    """Multiplies by a kernel, of whose axes one or two are summed over, and adds the bias."""
    kernel = tf.reshape(layer.kernel, [tokens.shape[-1], -1])
    return tf.nn.bias_add(tf.matmul(tokens, kernel), tf.reshape(layer.bias, [-1]))


def _normed(layer: tf_keras.layers.LayerNormalization, tokens: tf.Tensor) -> tf.Tensor:
    centered = tokens - tf.reduce_mean(tokens, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), axis=-1, keepdims=True)
    return centered * tf.math.rsqrt(variance + layer.epsilon) * layer.gamma + layer.beta
