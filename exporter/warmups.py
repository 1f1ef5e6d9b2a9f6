"""Warm-up requests for TF Serving, which runs them before it answers the first real one.

TF Serving reads `assets.extra/tf_serving_warmup_requests`, a TFRecord file of `PredictionLog`
messages (tensorflow.org/tfx/serving/saved_model_warmup). Their definitions are not in TensorFlow;
the fields used here are described below by name and number.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from tensorflow.core.framework import tensor_pb2

FILE = "assets.extra/tf_serving_warmup_requests"
# As in tensorflow_serving/apis: prediction_log.proto, predict.proto, model.proto.
_PACKAGE = "exporter.warmups"
_MESSAGES = {
    "ModelSpec": (("signature_name", 3, "TYPE_STRING", ""),),
    "InputsEntry": (
        ("key", 1, "TYPE_STRING", ""),
        ("value", 2, "TYPE_MESSAGE", "tensorflow.TensorProto"),
    ),
    "PredictRequest": (
        ("model_spec", 1, "TYPE_MESSAGE", f"{_PACKAGE}.ModelSpec"),
        ("inputs", 2, "TYPE_MESSAGE", f"{_PACKAGE}.InputsEntry"),
    ),
    "PredictLog": (("request", 1, "TYPE_MESSAGE", f"{_PACKAGE}.PredictRequest"),),
    "PredictionLog": (
        ("classify_log", 2, "TYPE_BYTES", ""),
        ("regress_log", 3, "TYPE_BYTES", ""),
        ("multi_inference_log", 4, "TYPE_BYTES", ""),
        ("session_run_log", 5, "TYPE_BYTES", ""),
        ("predict_log", 6, "TYPE_MESSAGE", f"{_PACKAGE}.PredictLog"),
        ("predict_streamed_log", 7, "TYPE_BYTES", ""),
    ),
}
_DEFAULT_SIGNATURE = "serving_default"
_WORD = "word "


def write(path: str, *, batch_sizes: Sequence[int], seq_lengths: Sequence[int]) -> int:
    """Adds warm-up requests to a SavedModel, for each signature, batch size and length.

    Args:
      path: The SavedModel's folder.
      batch_sizes: How many rows or texts a request has.
      seq_lengths: How long the rows are, or about how many tokens the texts have.

    Returns:
      How many there are.
    """
    loaded = tf.saved_model.load(path)
    logs = [
        _prediction_log(name, inputs)
        for name, signature in sorted(loaded.signatures.items())
        for inputs in _requests(signature, batch_sizes, seq_lengths)
    ]
    tf.io.gfile.makedirs(f"{path}/{FILE.rpartition('/')[0]}")
    with tf.io.TFRecordWriter(f"{path}/{FILE}") as writer:
        for log in logs:
            writer.write(log)
    return len(logs)


def read(path: str) -> Iterator[tuple[str, dict[str, tf.Tensor]] | None]:
    """Reads the warm-up requests of a SavedModel, which has some.

    Args:
      path: The SavedModel's folder.

    Yields:
      A signature's name and its inputs; None for a request that is not one for predictions.

    Raises:
      tf.errors.DataLossError: The file holds no records, or damaged ones.
      ValueError: A record is no request, or has no tensor where it should have one.
    """
    for record in tf.data.TFRecordDataset(f"{path}/{FILE}"):
        log = _message("PredictionLog")()
        try:
            log.ParseFromString(record.numpy())
        except message.DecodeError as error:
            raise ValueError("a record is no request") from error
        if not log.ListFields():
            raise ValueError("a record is no request")
        if not log.HasField("predict_log"):
            yield None
            continue
        request = log.predict_log.request
        inputs = {}
        for entry in request.inputs:
            proto = tensor_pb2.TensorProto.FromString(entry.value.SerializeToString())
            inputs[entry.key] = tf.constant(tf.make_ndarray(proto))
        yield request.model_spec.signature_name or _DEFAULT_SIGNATURE, inputs


def _requests(
    signature: Any, batch_sizes: Sequence[int], seq_lengths: Sequence[int]
) -> Iterator[dict[str, tf.Tensor]]:
    specs = signature.structured_input_signature[1]
    for batch_size, length in itertools.product(batch_sizes, seq_lengths):
        yield {name: _tensor(name, spec, batch_size, length) for name, spec in specs.items()}


def _tensor(name: str, spec: tf.TensorSpec, batch_size: int, length: int) -> tf.Tensor:
    if spec.dtype == tf.string:
        return tf.fill([batch_size], _WORD * length)
    # One prediction a row for masked words; a row's mask is full, its ids and types are zero.
    shape = [batch_size, 1 if name == "masked_lm_positions" else length]
    return tf.fill(shape, tf.constant(int(name == "input_mask"), spec.dtype))


def _prediction_log(signature: str, inputs: Mapping[str, tf.Tensor]) -> bytes:
    log = _message("PredictionLog")()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, tensor in sorted(inputs.items()):
        entry = request.inputs.add(key=name)
        entry.value.ParseFromString(tf.make_tensor_proto(tensor).SerializeToString())
    return bytes(log.SerializeToString(deterministic=True))


@functools.cache
def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="exporter/warmups.proto", package=_PACKAGE, syntax="proto3"
    )
    file.dependency.append("tensorflow/core/framework/tensor.proto")
    field_proto = descriptor_pb2.FieldDescriptorProto
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, number, kind, type_name in fields:
            # On the wire, a map is a repeated message of keys and values.
            repeated = type_name.endswith(".InputsEntry")
            described.field.add(
                name=field,
                number=number,
                type=field_proto.Type.Value(kind),
                type_name=f".{type_name}" if type_name else None,
                label=field_proto.LABEL_REPEATED if repeated else field_proto.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return pool
