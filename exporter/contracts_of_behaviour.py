"""What an encoder makes of its inputs: dropout, the mask, types, the order of tokens, batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import contracts, encoder_calls, loaded_models
from exporter.contracts_of_calls import LIMIT, largest, largest_of, told

_WORD_IDS, _MASK, _TYPE_IDS = encoder_calls.INPUT_NAMES
# What has no effect at all changes no bit where shapes are equal. An effect may be small, as in
# encoders whose poolers are saturated.
_EFFECT = 1e-6
# In another order, sums are rounded otherwise.
_ROUNDING = 1e-5
# Parts of the names of variables, by which layers are told.
_ATTENTION = "/query/"
# By which padding shows whatever the mask says, in TF-NLP's code as well.
_PADDING_SHOWS = {
    "/linear_transform/": "it has layers that mix all positions, padded or not",
    "/kernel_attention/": "KernelAttention gives padding a weight",
}
_ROUTER = "/router/"  # Sends tokens to experts, for which those of a batch compete.
_XLNET = "content_attention_bias"  # Which pools the last position.


def inference_repeats(model: loaded_models.Model) -> str:
    """Two calls for inference give the same: dropout is off."""
    difference = largest_of(model.outputs, model.loaded(model.batch, training=False))
    contracts.require(difference <= LIMIT, f"they differ by {difference:.1e}")
    return told(difference)


def training_drops(model: loaded_models.Model) -> str:
    """Two calls for training differ, if there is dropout."""
    function = training_trace(model)
    if not has_random_ops(function):
        raise contracts.NotChecked("there are no random ops in the trace for training")
    first, second = (model.loaded(model.batch, training=True) for _ in range(2))
    difference = largest_of(first, second)
    contracts.require(difference > _EFFECT, "two calls are equal")
    return "two calls differ"


def training_trace(model: loaded_models.Model) -> Any:
    """Returns the trace of the call for training.

    Raises:
      Broken: There is none.
    """
    specs = {name: tf.TensorSpec([None, None], tf.int32) for name in encoder_calls.INPUT_NAMES}
    call = tf.function(lambda inputs: model.loaded(inputs, training=True))
    return call.get_concrete_function(specs)


def has_random_ops(function: Any) -> bool:
    """Whether a trace, or a function that it calls, draws random numbers."""
    graph = function.graph.as_graph_def()
    names = {node.op for node in graph.node}
    names |= {node.op for inner in graph.library.function for node in inner.node_def}
    return any(name.startswith(("RandomUniform", "StatelessRandomUniform")) for name in names)


def mask_matters(model: loaded_models.Model) -> str:
    """With an input_mask of ones, tokens before padding have other outputs."""
    _require_attention(model)
    without = model.loaded({**model.batch, _MASK: tf.ones_like(model.batch[_MASK])})
    effect = largest(model.outputs["sequence_output"], without["sequence_output"])
    contracts.require(effect > _EFFECT, "an input_mask of ones gives the same")
    return f"an effect of {effect:.1e}"


def tokens_ignore_padding(model: loaded_models.Model) -> str:
    """Other tokens where the mask is 0 change nothing where it is 1."""
    padded, got = _with_other_padding(model)
    expected, found = (x["sequence_output"].numpy()[~padded] for x in (model.outputs, got))
    difference = largest(expected, found)
    contracts.require(difference <= LIMIT, f"unpadded tokens changed by {difference:.1e}")
    return f"largest change {difference:.1e} (limit {LIMIT:.0e})"


def pooled_ignores_padding(model: loaded_models.Model) -> str:
    """Other tokens where the mask is 0 do not change `pooled_output`."""
    if _has(model, _XLNET):
        raise contracts.NotChecked("XLNet pools the last position and wants padding before text")
    _, got = _with_other_padding(model)
    difference = largest(model.outputs["pooled_output"], got["pooled_output"])
    contracts.require(difference <= LIMIT, f"it changed by {difference:.1e}")
    return f"largest change {difference:.1e} (limit {LIMIT:.0e})"


def _with_other_padding(model: loaded_models.Model) -> tuple[np.ndarray, loaded_models.Outputs]:
    """Returns where the batch is padded, bool `[B, L]`, and the outputs for other tokens there."""
    _require_attention(model)
    for part, why in _PADDING_SHOWS.items():
        if _has(model, part):
            raise contracts.NotChecked(why)
    if _has_layers_without_attention(model):
        raise contracts.NotChecked("layers without attention mix padding in")
    if _embeds_neighbours(model):
        raise contracts.NotChecked("MobileBERT embeds each token with its neighbours")
    ids, mask = (np.asarray(model.batch[name]) for name in (_WORD_IDS, _MASK))
    if model.outputs["sequence_output"].shape[1] != mask.shape[1]:
        raise contracts.NotChecked("sequences are shortened: tokens share positions with padding")
    other = np.where(mask == 0, (ids + 1) % model.num_words, ids)
    return mask == 0, model.loaded({**model.batch, _WORD_IDS: tf.constant(other, tf.int32)})


def _require_attention(model: loaded_models.Model) -> None:
    if not _has(model, _ATTENTION):
        raise contracts.NotChecked("no layer attends: such encoders have no use for a mask")


def _has_layers_without_attention(model: loaded_models.Model) -> bool:
    """Whether it is an FNet or the like, with attention in some layers."""
    layers: dict[str, bool] = {}
    for variable in model.loaded.variables:
        if layer := re.search(r"layer_\d+", variable.name):
            attends = _ATTENTION in variable.name
            layers[layer[0]] = layers.get(layer[0], False) or attends
    return not all(layers.values())


def _embeds_neighbours(model: loaded_models.Model) -> bool:
    projections = (v for v in model.loaded.variables if "embedding_projection/kernel" in v.name)
    width = model.embeddings.get("word", (0, 0))[1]
    return any(kernel.shape[0] == 3 * width for kernel in projections)


def types_matter(model: loaded_models.Model) -> str:
    """Other `input_type_ids` give other outputs."""
    tables = [v for v in model.loaded.variables if "type_embedding" in v.name and v.shape.rank == 2]
    if not tables:
        raise contracts.NotChecked("no embeddings of types are known by their name")
    if tables[0].shape[0] == 1 or largest(tables[0][0], tables[0][1]) <= LIMIT:
        raise contracts.NotChecked("the first two types have the same embedding")
    types = np.asarray(model.batch[_TYPE_IDS])
    changed = {**model.batch, _TYPE_IDS: tf.constant(1 - types.clip(0, 1), tf.int32)}
    effect = largest_of(model.outputs, model.loaded(changed))
    contracts.require(effect > _EFFECT, "types 0 and 1 give the same")
    return f"an effect of {effect:.1e}"


def order_matters(model: loaded_models.Model) -> str:
    """The same tokens in another order give other outputs, not only in another order."""
    row = {name: value[:1] for name, value in model.batch.items()}
    length = row[_WORD_IDS].shape[1]
    if length < 3 or "position" not in model.embeddings:
        raise contracts.NotChecked("no embeddings of positions are known by their name")
    ones = {_MASK: tf.ones_like(row[_MASK]), _TYPE_IDS: tf.zeros_like(row[_TYPE_IDS])}
    # The first stays: it is what is pooled.
    order = [0, *range(length - 1, 0, -1)]
    ids = row[_WORD_IDS].numpy()
    outputs, others = (
        model.loaded({**row, **ones, _WORD_IDS: tf.constant(value)})
        for value in (ids, ids[:, order])
    )
    compared = {"pooled_output": (outputs["pooled_output"], others["pooled_output"])}
    tokens, turned = (np.asarray(found["sequence_output"]) for found in (outputs, others))
    if tokens.shape[1] == length:
        compared["sequence_output"] = tokens[:, order], turned
    effects = {
        name: largest(one, other) / max(float(np.max(np.abs(one))), _ROUNDING)
        for name, (one, other) in compared.items()
    }
    effect = max(effects.values())
    contracts.require(effect > _ROUNDING, f"{' and '.join(effects)} are those of any order")
    return f"an effect of {effect:.1e}"


def words_matter(model: loaded_models.Model) -> str:
    """Another first token changes all outputs of its row, and no other row."""
    ids = model.batch[_WORD_IDS].numpy()
    ids[0, 0] = (ids[0, 0] + 1) % model.num_words
    others = model.loaded({**model.batch, _WORD_IDS: tf.constant(ids)})
    for name in ("pooled_output", "sequence_output"):
        effect = largest(model.outputs[name][0], others[name][0])
        contracts.require(effect > _EFFECT, f"{name} is the same for another word")
    return "it does"


def rows_are_independent(model: loaded_models.Model) -> str:
    """A row alone gives what it gives in a batch."""
    if _has(model, _ROUTER):
        raise contracts.NotChecked("tokens of a batch compete for experts")
    worst = 0.0
    for i in range(model.batch[_WORD_IDS].shape[0]):
        alone = model.loaded({name: value[i : i + 1] for name, value in model.batch.items()})
        row = {name: _row(value, i) for name, value in model.outputs.items()}
        worst = max(worst, largest_of(row, alone))
    contracts.require(worst <= LIMIT, f"rows alone differ by {worst:.1e}")
    return told(worst)


def padding_only(model: loaded_models.Model) -> str:
    """A row of nothing but padding gives finite numbers."""
    nothing = {name: tf.zeros_like(value) for name, value in model.batch.items()}
    for name, value in _finite(model.loaded(nothing)):
        contracts.require(value, f"{name} has NaN or infinite values")
    return "finite"


def _finite(outputs: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for name, values in outputs.items():
        flat = tf.nest.flatten(values)
        yield name, all(bool(np.all(np.isfinite(value))) for value in flat)


def _row(value: Any, i: int) -> Any:
    if isinstance(value, list | tuple):
        return [part[i : i + 1] for part in value]
    return value[i : i + 1]


def _has(model: loaded_models.Model, part: str) -> bool:
    return any(part in variable.name for variable in model.loaded.variables)
