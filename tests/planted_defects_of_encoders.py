"""Encoders broken on purpose: other values, other graphs, other calls, other attributes."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests import encoder_exports, testing
from tests.planted_defects import ENCODER, Defect, Plant, Right, encoder, graph, nodes, values

_VARIABLES = "variables in the source's order"
_OUTPUTS = "outputs at length 16"
_MLM_OUTPUTS = "mlm outputs at length 16"
_LAYER = "transformer/layer_{}/self_attention/"
_IDS, _MASK, _TYPES = testing.INPUT_NAMES

Values = Mapping[str, np.ndarray]


def _swapped(*names: str) -> Plant:
    def swap(stored: Values) -> None:
        one, other = (stored[name] for name in names)
        one[...], other[...] = other.copy(), one.copy()

    return values(swap)


def _set(name: str, change: Callable[[np.ndarray], Any]) -> Plant:
    def assign(stored: Values) -> None:
        stored[name][...] = change(stored[name].copy())

    return values(assign)


def _rounded(stored: Values) -> None:
    for value in stored.values():
        value[...] = value.astype(np.float16)


def _add_to_first(value: np.ndarray) -> np.ndarray:
    value.flat[0] += 0.5
    return value


_VALUES = (
    (
        "weights of two layers swapped",
        _swapped(f"{_LAYER.format(0)}query/kernel", f"{_LAYER.format(1)}query/kernel"),
        _OUTPUTS,
    ),
    (
        "gamma and beta of a norm swapped",
        _swapped("layer_0/output_layer_norm/gamma", "layer_0/output_layer_norm/beta"),
        _OUTPUTS,
    ),
    (
        "query and key swapped",
        _swapped(f"{_LAYER.format(0)}query/kernel", f"{_LAYER.format(0)}key/kernel"),
        _OUTPUTS,
    ),
    (
        "pooler of another checkpoint",
        _set("pooler_transform/kernel", np.flip),
        _OUTPUTS,
    ),
    ("pooler transposed", _set("pooler_transform/kernel", lambda v: v.T), _OUTPUTS),
    ("pooler the identity", _set("pooler_transform/kernel", lambda v: np.eye(len(v))), _OUTPUTS),
    ("one word embedding off", _set("word_embeddings/", _add_to_first), _VARIABLES),
    (
        "positions off by one",
        _set("position_embedding/", lambda v: np.roll(v, 1, axis=0)),
        _OUTPUTS,
    ),
    (
        "last position untrained",
        _set("position_embedding/", lambda v: np.where(np.arange(len(v))[:, None] < 31, v, 0)),
        _VARIABLES,
    ),
    ("types in another order", _set("type_embeddings/", lambda v: v[::-1]), _OUTPUTS),
    (
        "a bias that changes no output",
        _set(f"{_LAYER.format(0)}key/bias", lambda v: v + 1),
        _VARIABLES,
    ),
    ("weights rounded to float16", values(_rounded), _VARIABLES),
    ("head's bias untrained", _set("output_bias/bias", lambda v: v * 0), _MLM_OUTPUTS),
    (
        "head's kernel transposed",
        _set("predictions/transform/dense/kernel", lambda v: v.T),
        _MLM_OUTPUTS,
    ),
)


def _other(**config: Any) -> Plant:
    """Returns what writes another encoder with the values of the same checkpoint."""

    def plant(right: Right, path: pathlib.Path) -> None:
        case = encoder_exports.with_config(right.files.case, **config)
        encoder_exports.make(dataclasses.replace(right.files, case=case)).write(path)

    return plant


def _constants(old: float, new: float) -> Plant:
    """Returns what changes each scalar constant of this value in the graph."""

    def change(saved_model: Any) -> None:
        count = 0
        for node in nodes(saved_model):
            if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum:
                value = tf.make_ndarray(node.attr["value"].tensor)
                if value.shape == () and np.isclose(value, old, rtol=1e-3, atol=0):
                    proto = tf.make_tensor_proto(np.float32(new))
                    node.attr["value"].tensor.CopyFrom(proto)
                    count += 1
        assert count

    return graph(change)


_COMPUTED_OTHERWISE = (
    ("another activation", _other(hidden_activation="relu"), _OUTPUTS),
    ("norms before the layers", _other(norm_first=True), _OUTPUTS),
    ("no dropout", _other(dropout_rate=0.0, attention_dropout_rate=0.0), "dropout in training"),
    ("wrong epsilon", _constants(1e-12, 1e-2), _OUTPUTS),
    ("attention scaled otherwise", _constants(0.5, 1.0), _OUTPUTS),
)


def _without_trace(part: str, training: bool) -> Plant:
    """Returns what drops the traces of a call for one value of `training`."""

    def change(saved_model: Any) -> None:
        object_graph = saved_model.meta_graphs[0].object_graph_def
        node = object_graph.nodes[0]
        for name in [*([part] if part else []), "__call__"]:
            (child,) = (c.node_id for c in node.children if c.local_name == name)
            node = object_graph.nodes[child]
        kept = [
            name
            for name in node.function.concrete_functions
            if _training_of(object_graph.concrete_functions[name]) != training
        ]
        assert 0 < len(kept) < len(node.function.concrete_functions)
        del node.function.concrete_functions[:]
        node.function.concrete_functions.extend(kept)

    return graph(change)


def _training_of(function: Any) -> bool:
    (args, _) = function.canonicalized_input_signature.tuple_value.values
    return args.tuple_value.values[1].bool_value


def _training_turned_around(saved_model: Any) -> None:
    functions = saved_model.meta_graphs[0].object_graph_def.concrete_functions
    for function in functions.values():
        (args, *_) = function.canonicalized_input_signature.tuple_value.values
        if len(args.tuple_value.values) == 2:
            value = args.tuple_value.values[1]
            value.bool_value = not value.bool_value


def _without_signature(saved_model: Any) -> None:
    del saved_model.meta_graphs[0].signature_def["serving_default"]


_TRACES = (
    (
        "trace for training missing",
        _without_trace("", True),
        "call: all that is permitted is traced",
    ),
    (
        "trace for inference missing",
        _without_trace("", False),
        "call: takes a dict of three inputs",
    ),
    (
        "trace of .mlm for training missing",
        _without_trace("mlm", True),
        "mlm: all that is permitted is traced",
    ),
    ("training turned around", graph(_training_turned_around), "inference: repeats"),
    ("no signature for serving", graph(_without_signature), "signatures: one for serving"),
)


def _inputs(**change: Callable[[tf.Tensor], tf.Tensor]) -> Plant:
    """Returns what writes an encoder that changes its inputs."""

    def call(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
        changes = {name: function(inputs[name]) for name, function in change.items()}
        return right({**inputs, **changes}, training)

    return encoder(call)


def _outputs(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Plant:
    """Returns what writes an encoder that changes some of its outputs."""

    def call(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
        outputs = right(inputs, training)
        return {**outputs, **change(outputs)}

    return encoder(call)


def _of_outputs(names: Sequence[str]) -> Plant:
    def call(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
        outputs = right(inputs, training)
        return {name: outputs[name] for name in names}

    return encoder(call)


def _pooled(change: Callable[[tf.Tensor], tf.Tensor]) -> Plant:
    """Changes `pooled_output` and `default` alike."""
    return _outputs(
        lambda o: dict.fromkeys(("pooled_output", "default"), change(o["pooled_output"]))
    )


def _all(change: Callable[[tf.Tensor], tf.Tensor]) -> Plant:
    return _outputs(lambda outputs: tf.nest.map_structure(change, outputs))


def _dropout_without_effect(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
    outputs = right(inputs, False)
    if training:
        outputs["pooled_output"] += 0.0 * tf.random.uniform([1])
    return outputs


def _divided(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> dict[str, Any]:
    outputs = right(inputs, training)
    count = tf.cast(tf.reduce_sum(inputs[_MASK], axis=1)[:, tf.newaxis, tf.newaxis], tf.float32)
    return {**outputs, "sequence_output": outputs["sequence_output"] * count / count}


_pooled_of_all = _outputs(
    lambda outputs: dict.fromkeys(
        ("pooled_output", "default"), tf.reduce_mean(outputs["sequence_output"], axis=1)
    )
)


def _fixed(batch: int | None, length: int | None) -> Plant:
    """Fixes sizes of the inputs."""
    return _inputs(**{_IDS: lambda ids: tf.ensure_shape(ids, [batch, length])})


_CALLS = (
    (
        "dropout always on",
        encoder(lambda right, inputs, _: right(inputs, True)),
        "inference: repeats",
    ),
    (
        "dropout without effect",
        encoder(_dropout_without_effect),
        "training: dropout differs in each call",
    ),
    ("mask ignored", _inputs(**{_MASK: tf.ones_like}), "mask: has an effect"),
    ("mask turned around", _inputs(**{_MASK: lambda m: 1 - m}), "mask: padding changes no token"),
    ("mask ignored in pooling", _pooled_of_all, "mask: padding does not change pooled_output"),
    ("types ignored", _inputs(**{_TYPES: tf.zeros_like}), "types: have an effect"),
    ("words ignored", _inputs(**{_IDS: tf.ones_like}), "words: have an effect"),
    (
        "positions without effect",
        _set("position_embedding/", lambda v: np.broadcast_to(v[:1], v.shape)),
        "positions: have an effect",
    ),
    (
        "tokens of a batch mixed",
        _pooled(lambda p: p - tf.reduce_mean(p, axis=0)),
        "batch: rows are independent",
    ),
    (
        "rows of a batch turned around",
        _pooled(lambda p: tf.reverse(p, [0])),
        "words: have an effect",
    ),
    (
        "default is the first token",
        _outputs(lambda o: {"default": o["sequence_output"][:, 0]}),
        "outputs: default is pooled_output",
    ),
    (
        "no encoder_outputs",
        _of_outputs(("pooled_output", "default", "sequence_output")),
        "outputs: names",
    ),
    (
        "no default",
        _of_outputs(("pooled_output", "sequence_output", "encoder_outputs")),
        "outputs: names",
    ),
    (
        "outputs in half precision",
        _outputs(lambda o: {"sequence_output": tf.cast(o["sequence_output"], tf.float16)}),
        "outputs: float32",
    ),
    ("a batch size of 3 alone", _fixed(3, None), "outputs: shapes"),
    ("a length of 16 alone", _fixed(None, 16), "outputs: shapes"),
    (
        "widths forgotten",
        _all(lambda v: tf.reshape(v, tf.identity(tf.shape(v)))),
        "outputs: widths are static",
    ),
    (
        "divided by the number of tokens",
        encoder(_divided),
        "mask: nothing but padding gives finite numbers",
    ),
    ("gradients stopped", _all(tf.stop_gradient), "variables: gradients reach the trainable ones"),
)


_SOURCE_ONLY = (*_VALUES, *_COMPUTED_OTHERWISE)
DEFECTS = (
    *(Defect(*row[:1], ENCODER, *row[1:], with_source=True) for row in _SOURCE_ONLY),
    *(Defect(*row[:1], ENCODER, *row[1:]) for row in (*_TRACES, *_CALLS)),
)
