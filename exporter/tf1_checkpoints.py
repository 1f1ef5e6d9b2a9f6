"""Original BERT and ALBERT checkpoints of TF1: values by name, without a graph of objects.

The names and what they are called in TF2 are those of TF-NLP's own converters
(`official/nlp/tools/tf1_bert_checkpoint_converter_lib.py`, ALBERT's beside it). The values are
taken as they are: where TF2 splits a dimension into heads, the bytes stay the same.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from exporter import checkpoints, encoders, errors

_SPLIT_INTO_HEADS = re.compile(r".*/self_attention/(query|key|value|attention_output)/\w+")

# What TF1's names are in an encoder of TF2 that has a list of layers.
_TF2_PATHS = (
    (r"bert/embeddings/word_embeddings", "_embedding_layer/embeddings"),
    (r"bert/embeddings/position_embeddings", "_position_embedding_layer/embeddings"),
    (r"bert/embeddings/token_type_embeddings", "_type_embedding_layer/embeddings"),
    (r"bert/embeddings/LayerNorm/", "_embedding_norm_layer/"),
    (r"bert/encoder/embedding_hidden_mapping_in/", "embedding projection/"),
    (r"bert/pooler/dense/", "_pooler_layer/"),
    (r"bert/encoder/layer_(\d+)/", r"_transformer_layers/\1/"),
    (r"bert/encoder/transformer/group_(\d+)/inner_group_(\d+)/", r"_transformer_layers/\1/"),
    (r"/attention(_1)?/self/(query|key|value)/", r"/_attention_layer/_\2_dense/"),
    (r"/attention(_1)?/output/dense/", "/_attention_layer/_output_dense/"),
    (r"/attention/output/LayerNorm/", "/_attention_layer_norm/"),
    (r"(_transformer_layers/\d+)/LayerNorm/", r"\1/_attention_layer_norm/"),
    (r"/(ffn_1/)?intermediate/dense/", "/_intermediate_dense/"),
    (r"/(ffn_1/intermediate/)?output/dense/", "/_output_dense/"),
    (r"/(output/LayerNorm|LayerNorm_1)/", "/_output_layer_norm/"),
    (r"cls/predictions/transform/dense/", "masked_lm/dense/"),
    (r"cls/predictions/transform/LayerNorm/", "masked_lm/layer_norm/"),
    (r"cls/predictions/output_bias", "masked_lm/output_bias/bias"),
)
_OPTIMIZER = re.compile(r".*/(adam|lamb)_[mv]|.*/AdamWeightDecayOptimizer(_\d+)?")


def match(
    checkpoint: checkpoints.Checkpoint,
    encoder: encoders.Encoder,
    *,
    setting: str = checkpoints.SETTING,
) -> dict[Any, str]:
    """Finds the variables' names in a TF1 checkpoint.

    Args:
      checkpoint: The checkpoint.
      encoder: The encoder, with the head if that is to be exported.
      setting: The gin name that the checkpoint's path was bound to, for errors.

    Returns:
      The names of the stored values, by the variables' references.

    Raises:
      UserError: The encoder is neither a BERT nor an ALBERT.
    """
    replacements = _replacements(checkpoint, encoder.architecture.type, setting)
    names = {}
    for name in checkpoint.entries:
        keras_name = name
        for old, new in replacements:
            keras_name = keras_name.replace(old, new)
        names[keras_name.removeprefix("bert/")] = name
    scope = f"{encoder.network.name}/"  # Of networks that are no functional models.
    variables = {
        variable.name.removesuffix(":0").removeprefix(scope): variable
        for variable in encoder.variables
    }
    return {variables[name].ref(): names[name] for name in variables if name in names}


def with_heads(checkpoint: checkpoints.Checkpoint, keys: dict[Any, str]) -> checkpoints.Checkpoint:
    """Returns the checkpoint with the shapes that TF2 gives to the values of attention layers.

    Args:
      checkpoint: The checkpoint.
      keys: The names of the stored values, by the variables' references.
    """
    entries = dict(checkpoint.entries)
    for reference, key in keys.items():
        variable = reference.deref()
        shape = tuple(variable.shape)
        if _SPLIT_INTO_HEADS.match(variable.name) and _merged(shape, entries[key].shape):
            entries[key] = dataclasses.replace(entries[key], shape=shape)
    return dataclasses.replace(checkpoint, entries=entries)


def paths(checkpoint: checkpoints.Checkpoint) -> dict[str, str]:
    """Returns the names of the encoder's and the head's values by their paths in TF2.

    Args:
      checkpoint: The checkpoint.
    """
    found = {}
    for name in checkpoint.entries:
        path = name
        for old, new in _TF2_PATHS:
            path = re.sub(old, new, path)
        if path != name and not _OPTIMIZER.fullmatch(name):
            found[path] = name
    return found


def _merged(split: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether the shapes differ only by two neighbouring dimensions that are one in `whole`."""
    return any(
        (*split[:i], split[i] * split[i + 1], *split[i + 2 :]) == tuple(whole)
        for i in range(len(split) - 1)
    )


def _replacements(
    checkpoint: checkpoints.Checkpoint, encoder_type: str, setting: str
) -> Sequence[tuple[str, str]]:
    if encoder_type in ("bert", "bert_v2"):
        from official.nlp.tools import tf1_bert_checkpoint_converter_lib

        return tf1_bert_checkpoint_converter_lib.BERT_V2_NAME_REPLACEMENTS
    if encoder_type == "albert":
        from official.nlp.tools import tf2_albert_encoder_checkpoint_converter

        return tf2_albert_encoder_checkpoint_converter.ALBERT_NAME_REPLACEMENTS
    raise errors.UserError(
        "A TF1 checkpoint is that of a BERT or an ALBERT.",
        example="type: bert",
        received=f"{checkpoint.prefix} (TF1) for an encoder of type {encoder_type!r}",
        setting=setting,
    )


def restore(prefix: str, keys: Mapping[Any, str]) -> None:
    """Gives the variables their values in memory.

    Args:
      prefix: The checkpoint's path without ".index".
      keys: The names of the stored values, by the variables' references.
    """
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    for reference, key in keys.items():
        variable = reference.deref()
        variable.assign(reader.get_tensor(key).reshape(variable.shape))
