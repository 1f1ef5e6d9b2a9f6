"""Makes equal SavedModels equal byte by byte.

TensorFlow names functions and captured inputs by counters of the process, writes functions in the
order of a hash table, and gives each SavedModel a random identifier. Here functions are put into
the order in which they are reached, the counters' values are replaced by their ranks in that order,
and the identifier is taken from the content. Nothing of it is used to run the model. What this
process has set for threads and optimizations is left out, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2, node_def_pb2
from tensorflow.core.protobuf import (
    config_pb2,
    fingerprint_pb2,
    meta_graph_pb2,
    saved_model_pb2,
)

try:
    from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting
except ImportError:  # An inner module of TensorFlow.
    fingerprinting = None

_CONFIG = "config_proto"
GRAPH_FILE = "saved_model.pb"
_FINGERPRINT_FILE = "fingerprint.pb"
# Numbered within their function, not in the process.
_UNNAMED_INPUT = "unknown"
# Counters that may have the same value, by accident: what they count.
_OF_FUNCTIONS, _OF_VARIABLES, _OF_INPUTS = "functions", "variables", "inputs"
_Number = tuple[str, int]
_CAPTURED = (tf.resource.as_datatype_enum, tf.variant.as_datatype_enum)


def canonicalize(path: str) -> None:
    """Rewrites what differs between two processes that save the same.

    The fingerprint is removed: one of other files would be worse than none, which TensorFlow does
    not ask for.

    Args:
      path: The folder of a SavedModel; a path that `tf.io.gfile` can write.
    """
    saved_model = saved_model_pb2.SavedModel.FromString(read_file(f"{path}/{GRAPH_FILE}"))
    for meta_graph in saved_model.meta_graphs:
        _renumber(meta_graph)
        _forget_process(meta_graph)
    write_graph(path, saved_model)
    if tf.io.gfile.exists(f"{path}/{_FINGERPRINT_FILE}"):
        tf.io.gfile.remove(f"{path}/{_FINGERPRINT_FILE}")


def write_graph(path: str, saved_model: saved_model_pb2.SavedModel) -> None:
    """Writes a SavedModel's graph, equal ones as equal bytes.

    Args:
      path: The SavedModel's folder.
      saved_model: The graph.
    """
    write_file(f"{path}/{GRAPH_FILE}", saved_model.SerializeToString(deterministic=True))


def read_file(file: str) -> bytes:
    """Returns a file's bytes; a path that `tf.io.gfile` knows."""
    with tf.io.gfile.GFile(file, "rb") as stream:
        return stream.read()


def write_file(file: str, data: bytes) -> None:
    """Writes a file in a folder that exists."""
    with tf.io.gfile.GFile(file, "wb") as stream:
        stream.write(data)


def _renumber(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    library = meta_graph.graph_def.library
    functions = _ordered(meta_graph)
    ranks = {number: rank for rank, number in enumerate(dict.fromkeys(_numbers(functions)))}
    names = {f.signature.name: _ranked(f.signature.name, ranks, _OF_FUNCTIONS) for f in functions}
    for function in functions:
        function.signature.name = names[function.signature.name]
        _rename_inputs(function, ranks)
        _rename_calls(function.node_def, names)
    _rename_calls(meta_graph.graph_def.node, names)
    for gradient in library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    ordered = function_pb2.FunctionDefLibrary(function=functions)
    del library.function[:]
    library.function.extend(ordered.function)
    _rename_in_objects(meta_graph, names)


def _ordered(meta_graph: meta_graph_pb2.MetaGraphDef) -> list[function_pb2.FunctionDef]:
    """Lists the functions as the graph and the objects reach them, those that are called first.

    The order of their making would tell which of them the process had made for another SavedModel.
    """
    functions = {f.signature.name: f for f in meta_graph.graph_def.library.function}
    ordered: dict[str, function_pb2.FunctionDef] = {}
    visited: set[str] = set()

    def reach(name: str) -> None:
        if name in functions and name not in visited:
            visited.add(name)
            for called in _calls(functions[name].node_def):
                reach(called)
            ordered[name] = functions[name]

    for name in _calls(meta_graph.graph_def.node):
        reach(name)
    for node in meta_graph.object_graph_def.nodes:
        for name in node.function.concrete_functions:
            reach(name)
        reach(node.bare_concrete_function.concrete_function_name)
    for name in sorted(functions, key=lambda name: _split(name)[1]):
        reach(name)
    return list(ordered.values())


def _calls(nodes: Iterable[node_def_pb2.NodeDef]) -> Iterator[str]:
    """Yields what nodes may call, by name."""
    for node in nodes:
        yield node.op
        for _, value in sorted(node.attr.items()):
            yield from (called.name for called in (value.func, *value.list.func))


def _forget_process(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Clears what calls of functions say of threads and optimizations: those of this process."""
    graph = meta_graph.graph_def
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for attribute in (node.attr[_CONFIG] for node in nodes if _CONFIG in node.attr):
            config = config_pb2.ConfigProto.FromString(attribute.s)
            for field in ("intra_op_parallelism_threads", "inter_op_parallelism_threads"):
                config.ClearField(field)
            config.graph_options.ClearField("rewrite_options")
            if not config.graph_options.ListFields():
                config.ClearField("graph_options")
            attribute.s = config.SerializeToString(deterministic=True)


def _split(name: str) -> tuple[str, int]:
    """Splits a name from the counter's value at its end, or -1 where there is none."""
    match = re.fullmatch(r"(.*)_(\d+)", name)
    return (match[1], int(match[2])) if match else (name, -1)


def _numbers(functions: Iterable[function_pb2.FunctionDef]) -> Iterator[_Number]:
    """Yields the counters and their values, in an order that does not depend on these."""
    for function in functions:
        yield _OF_FUNCTIONS, _split(function.signature.name)[1]
        for name in _captured_inputs(function):
            yield _OF_VARIABLES, _split(name)[1]
        for value in _input_names(function):
            yield _OF_INPUTS, int(value.s)


def _input_names(function: function_pb2.FunctionDef) -> Iterator[attr_value_pb2.AttrValue]:
    """Yields the attributes that name captured inputs by nothing but the counter's value."""
    for _, attributes in sorted(function.arg_attr.items()):
        if "_user_specified_name" in attributes.attr:
            value = attributes.attr["_user_specified_name"]
            if value.s.isdigit():
                yield value


def _captured_inputs(function: function_pb2.FunctionDef) -> list[str]:
    return [
        arg.name
        for arg in function.signature.input_arg
        if arg.type in _CAPTURED and _split(arg.name)[0] != _UNNAMED_INPUT
    ]


def _ranked(name: str, ranks: dict[_Number, int], counter: str) -> str:
    stem, number = _split(name)
    return name if number < 0 else f"{stem}_{ranks[counter, number]}"


def _rename_inputs(function: function_pb2.FunctionDef, ranks: dict[_Number, int]) -> None:
    names = {name: _ranked(name, ranks, _OF_VARIABLES) for name in _captured_inputs(function)}
    for arg in function.signature.input_arg:
        arg.name = names.get(arg.name, arg.name)
    for value in _input_names(function):
        value.s = b"%d" % ranks[_OF_INPUTS, int(value.s)]
    for node in function.node_def:
        for i, name in enumerate(node.input):
            if name in names:
                node.input[i] = names[name]
    for output, name in function.ret.items():
        function.ret[output] = names.get(name, name)


def _rename_calls(nodes: Iterable[node_def_pb2.NodeDef], names: dict[str, str]) -> None:
    for node in nodes:
        node.op = names.get(node.op, node.op)
        for value in node.attr.values():
            kind = value.WhichOneof("value")
            if kind == "func":
                value.func.name = names.get(value.func.name, value.func.name)
            elif kind == "list":
                for called in value.list.func:
                    called.name = names.get(called.name, called.name)


def _rename_in_objects(meta_graph: meta_graph_pb2.MetaGraphDef, names: dict[str, str]) -> None:
    objects = meta_graph.object_graph_def
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind == "function":
            renamed = [names[name] for name in node.function.concrete_functions]
            node.function.concrete_functions[:] = renamed
        elif kind == "bare_concrete_function":
            bare = node.bare_concrete_function
            bare.concrete_function_name = names[bare.concrete_function_name]
    for name in list(objects.concrete_functions):
        function = objects.concrete_functions.pop(name)
        objects.concrete_functions[names[name]].CopyFrom(function)
    aliases = meta_graph.meta_info_def.function_aliases
    for name in list(aliases):
        aliases[names.get(name, name)] = aliases.pop(name)


def write_fingerprint(path: str) -> None:
    """Writes the fingerprint of the files as they are, with an identifier taken from it.

    Args:
      path: The folder of a complete SavedModel that `canonicalize` has rewritten.
    """
    fingerprint = fingerprint_of_files(path)
    if fingerprint is None:
        return
    fingerprint.ClearField("uuid")
    digest = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    # TensorFlow writes its random ones as decimal numbers of 128 bits, too.
    fingerprint.uuid = str(int.from_bytes(digest[:16], "big"))
    write_file(f"{path}/{_FINGERPRINT_FILE}", fingerprint.SerializeToString(deterministic=True))


def fingerprint_of_files(path: str) -> fingerprint_pb2.FingerprintDef | None:
    """Computes the fingerprint of a SavedModel's files as they are; None where TensorFlow cannot.

    Args:
      path: The SavedModel's folder.
    """
    if fingerprinting is None:
        return None
    return fingerprint_pb2.FingerprintDef.FromString(fingerprinting.CreateFingerprintDef(path))
