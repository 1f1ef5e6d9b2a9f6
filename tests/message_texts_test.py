"""Texts are found wherever they are in a graph; what is no text is told apart."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

from exporter import message_texts


def _constant(saved_model: saved_model_pb2.SavedModel) -> tensor_pb2.TensorProto:
    node = saved_model.meta_graphs.add().graph_def.node.add(name="scope/name", op="Const")
    return node.attr["value"].tensor


def test_names_attributes_constants_and_keys() -> None:
    saved_model = saved_model_pb2.SavedModel()
    _constant(saved_model).CopyFrom(tf.make_tensor_proto(["a text", "\u4f60"]))
    saved_model.meta_graphs[0].signature_def["serving"].inputs["x"].name = "x:0"
    texts, others = message_texts.find(saved_model)
    assert texts == {"scope/name", "Const", "value", "a text", "\u4f60", "serving", "x", "x:0"}
    assert others == set()


def test_numbers_are_no_texts() -> None:
    saved_model = saved_model_pb2.SavedModel()
    tensor = _constant(saved_model)
    tensor.CopyFrom(tf.make_tensor_proto([0x2F612F62] * 4))
    assert tensor.tensor_content
    assert message_texts.find(saved_model) == ({"scope/name", "Const", "value"}, set())


def test_vocabularies_and_bytes() -> None:
    saved_model = saved_model_pb2.SavedModel()
    pieces = [f"piece {i}" for i in range(300)]
    _constant(saved_model).CopyFrom(tf.make_tensor_proto(pieces))
    _constant(saved_model).CopyFrom(tf.make_tensor_proto(b"\x0a\x0f/a/model \xff"))
    texts, others = message_texts.find(saved_model)
    assert texts == {"scope/name", "Const", "value"}
    assert others == {*pieces, "\n\x0f/a/model \ufffd"}


def test_names_of_objects_in_a_constant() -> None:
    """Their lengths, one of which is that of a slash, are no part of them."""
    objects = trackable_object_graph_pb2.TrackableObjectGraph()
    name = "transformer/layer_0/self_attention/query/kernel"
    objects.nodes.add().attributes.add(name="VARIABLE_VALUE", full_name=name)
    assert len(name) == ord("/")
    saved_model = saved_model_pb2.SavedModel()
    _constant(saved_model).CopyFrom(tf.make_tensor_proto(objects.SerializeToString()))
    texts, others = message_texts.find(saved_model)
    assert {name, "VARIABLE_VALUE"} <= texts
    assert others == set()
