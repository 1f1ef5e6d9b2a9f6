"""How a TF2 checkpoint holds an encoder: which of its named objects are encoder and pooler."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from exporter import checkpoints, encoders, errors, poolers


def objects(
    checkpoint: checkpoints.Checkpoint, encoder: encoders.Encoder, setting: str
) -> tuple[str, dict[str, Any]]:
    """Returns how the checkpoint holds the encoder, and the objects by their names there.

    The objects are what `tf.train.Checkpoint(**objects)` would restore. A pretrainer stands there
    as the objects that are its parts.

    Args:
      checkpoint: The checkpoint, of TF2.
      encoder: The encoder, with the head if that is to be exported.
      setting: The gin name that the checkpoint's path was bound to, for errors.

    Raises:
      UserError: It holds no encoder by a known name, or not the head.
    """
    items = checkpoint.items
    head = {} if encoder.masked_lm is None else {"masked_lm": encoder.masked_lm}
    pretrainer = tf.train.Checkpoint(encoder_network=encoder.network, **head)
    if "encoder" in items:
        kind, names, objects = "encoder=", items, {"encoder": encoder.network, **head}
    elif "pretrainer" in items:
        kind, names = "pretrainer=", checkpoint.children(items["pretrainer"])
        objects = {"pretrainer": pretrainer}
    elif "model" in items and "encoder_network" in checkpoint.children(items["model"]):
        kind, names = "model=pretrainer", checkpoint.children(items["model"])
        objects = {"model": pretrainer}
    elif "model" in items:
        kind, names, objects = "model=", items, {"model": encoder.network, **head}
    else:
        raise errors.UserError(
            "The checkpoint must hold the encoder as encoder=, model= or pretrainer= of "
            "tf.train.Checkpoint(...).",
            example="tf.train.Checkpoint(**BertPretrainerV2(...).checkpoint_items)",
            received=f"{checkpoint.prefix} with {', '.join(sorted(items)) or 'no named objects'}",
            setting=setting,
        )
    if head and "masked_lm" not in names:
        raise errors.UserError(
            "To export the encoder with its masked-language-model head, the checkpoint must hold "
            "the head as masked_lm=, as BertPretrainerV2 writes it.",
            example="--export_type=model exports the encoder alone",
            received=f"{checkpoint.prefix} with {', '.join(sorted(names))}",
            setting=setting,
        )
    return kind, objects


def pooler_keys(
    checkpoint: checkpoints.Checkpoint, encoder: encoders.Encoder, pooler: poolers.Pooler
) -> tuple[set[Any], dict[Any, str]]:
    """Returns the pooler's variables that the encoder's item does not fill, and others' keys.

    Args:
      checkpoint: The checkpoint.
      encoder: The encoder.
      pooler: Where the pooler's values come from.

    Returns:
      References of the variables, and the keys of the stored values of another item by reference.

    Raises:
      UserError: The encoder has no pooler, or the checkpoint not the item that it is copied from.
    """
    if pooler.checkpoint_item is None and pooler.make_values is None:
        return set(), {}
    layer = encoder.pooler_layer
    if layer is None:
        raise errors.UserError(
            f"An encoder without a pooler cannot take {pooler.name}.",
            example="export.pooler = @restored_pooler",
            received=f"an encoder of type {encoder.architecture.type!r}",
            setting="export.pooler",
        )
    reinitialized = {variable.ref() for variable in layer.variables}
    if pooler.checkpoint_item is None:
        return reinitialized, {}
    if checkpoint.is_tf1:
        raise errors.UserError(
            "The pooler is part of a TF1 checkpoint's encoder; there is no other to copy.",
            example="leave --copy_pooler_dense_to_encoder unset",
            received=f"{checkpoint.prefix} (TF1)",
            setting="export.pooler",
        )
    node_id = checkpoint.items.get(pooler.checkpoint_item)
    if node_id is None:
        raise errors.UserError(
            f"To copy the pooler of a classification head, the checkpoint must hold the head as "
            f"{pooler.checkpoint_item}.",
            example="leave --copy_pooler_dense_to_encoder unset",
            received=f"{checkpoint.prefix} with {', '.join(sorted(checkpoint.items))}",
            setting="export.pooler",
        )
    return reinitialized, checkpoints.match(checkpoint, layer, node_id)
