"""Random numbers that are the same in a source and in its export.

In training, dropout drops other units in each call, so that no two calls can be compared. Here what
is drawn depends on its distribution and shape alone: where a source and an export draw alike, all
that they make of it is comparable, in each call. Rates show, and where there is dropout.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.python.ops import (
    gen_random_ops,
    gen_stateless_random_ops,
    gen_stateless_random_ops_v2,
)

from exporter import edited_copies, loaded_models

_SEED = (20201012, 29)
_SEED_NODE = "repeated_draws_seed"


@dataclasses.dataclass(frozen=True)
class _Op:
    """An op that draws numbers.

    Attributes:
      name: Its name.
      module: What has its function in Python.
      stateless: The op that draws the same by a seed.
      seeds: How many inputs it has for seeds, between the shape and the others.
      dtype: The attribute for what is drawn.
      shape_dtype: The attribute for the shape.
    """

    name: str
    module: Any
    stateless: str
    seeds: int = 0
    dtype: str = "dtype"
    shape_dtype: str = "T"


def _ops() -> Iterator[_Op]:
    for name, stateless in (
        ("RandomUniform", "StatelessRandomUniform"),
        ("RandomStandardNormal", "StatelessRandomNormal"),
        ("TruncatedNormal", "StatelessTruncatedNormal"),
        ("RandomUniformInt", "StatelessRandomUniformInt"),
    ):
        dtype = "Tout" if name == "RandomUniformInt" else "dtype"
        yield _Op(name, gen_random_ops, stateless, dtype=dtype)
        yield _Op(stateless, gen_stateless_random_ops, stateless, 1)
        v2 = f"{stateless}V2"
        yield _Op(v2, gen_stateless_random_ops_v2, stateless, 3, shape_dtype="Tshape")


_OPS = {op.name: op for op in _ops()}


@contextlib.contextmanager
def in_python() -> Iterator[None]:
    """While open, what Python code draws is repeated."""
    drawing = {op.name: getattr(op.module, _function(op.name)) for op in _OPS.values()}
    try:
        for op in _OPS.values():
            own, stateless = drawing[op.name], drawing[op.stateless]
            setattr(op.module, _function(op.name), _repeated(own, stateless))
        yield
    finally:
        for op in _OPS.values():
            setattr(op.module, _function(op.name), drawing[op.name])


def _function(op: str) -> str:
    """The name of an op's function in Python."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in op)
    return words.lstrip("_")


def _repeated(own: Callable[..., Any], stateless: Callable[..., Any]) -> Callable[..., Any]:
    names = set(inspect.signature(stateless).parameters) - {"seed", "name"}

    @functools.wraps(own)
    def draw(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(own).bind(*args, **kwargs)
        given = {name: value for name, value in bound.arguments.items() if name in names}
        return stateless(seed=tf.constant(_SEED, tf.int64), **given)

    return draw


def of(model: loaded_models.Model) -> loaded_models.Model:
    """Returns a SavedModel that repeats what it draws: itself, if it draws nothing.

    Its variables are others, with the same values.
    """
    graphs = edited_copies.read(model.path).meta_graphs
    if not any(node.op in _OPS for graph in graphs for nodes in _bodies(graph) for node in nodes):
        return model
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "copy")
        edited_copies.write(model.path, copy, _repeat)
        return dataclasses.replace(model, loaded=tf.saved_model.load(copy))


def _bodies(graph: Any) -> Iterator[Any]:
    """Yields the nodes of a graph and those of each of its functions."""
    yield graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield function.node_def


def _repeat(graph: Any) -> None:
    bodies = list(_bodies(graph))
    for nodes in bodies:
        # Inputs are named by node and output, in functions with the output's name between.
        seed = _SEED_NODE if nodes is bodies[0] else f"{_SEED_NODE}:output:0"
        drawing = [node for node in nodes if node.op in _OPS]
        for node in drawing:
            _repeat_node(node, seed)
        if drawing:
            nodes.add().CopyFrom(_seed_node())


def _repeat_node(node: Any, seed: str) -> None:
    op = _OPS[node.op]
    shape, *inputs = node.input
    kept = inputs[op.seeds :]  # Control inputs come last.
    attributes = {name: value for name, value in node.attr.items() if name.startswith("_")}
    # SavedModels leave out what is an attribute's default.
    dtype = node.attr[op.dtype].type or tf.float32.as_datatype_enum
    shape_dtype = node.attr[op.shape_dtype].type or tf.int32.as_datatype_enum
    repeated = node_def_pb2.NodeDef(
        name=node.name, op=op.stateless, device=node.device, input=[shape, seed, *kept]
    )
    for name, value in attributes.items():
        repeated.attr[name].CopyFrom(value)
    repeated.attr["dtype"].type = dtype
    repeated.attr["T"].type = shape_dtype
    repeated.attr["Tseed"].type = tf.int64.as_datatype_enum
    node.CopyFrom(repeated)


def _seed_node() -> node_def_pb2.NodeDef:
    node = node_def_pb2.NodeDef(name=_SEED_NODE, op="Const")
    node.attr["dtype"].type = tf.int64.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(_SEED, tf.int64))
    return node
