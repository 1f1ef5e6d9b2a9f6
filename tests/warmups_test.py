"""Warm-up requests are what TF Serving reads, and what the signatures take."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import empty_pb2, unknown_fields
from tensorflow.core.framework import tensor_pb2

from exporter import warmups


class _Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="sentences")])
    def embed(self, sentences: tf.Tensor) -> tf.Tensor:
        return tf.strings.length(sentences)


@pytest.fixture(name="path")
def _path(tmp_path: pathlib.Path) -> str:
    model, path = _Model(), str(tmp_path / "model")

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, name="input_word_ids"),
            tf.TensorSpec([None, None], tf.int32, name="input_mask"),
            tf.TensorSpec([None, None], tf.int32, name="masked_lm_positions"),
        ]
    )
    def mlm(
        input_word_ids: tf.Tensor, input_mask: tf.Tensor, masked_lm_positions: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {"sums": input_word_ids + input_mask, "positions": masked_lm_positions}

    tf.saved_model.save(model, path, signatures={"embed": model.embed, "mlm": mlm})
    return path


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Reads a message by the numbers of its fields, knowing nothing of their names."""
    for field in unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(message)):
        yield field.field_number, field.data


def _requests(path: str) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Reads the file by field numbers: PredictionLog.predict_log is 6, and so on."""
    found = []
    for record in tf.data.TFRecordDataset(f"{path}/{warmups.FILE}"):
        ((number, predict_log),) = _fields(record.numpy())
        assert number == 6  # PredictionLog.predict_log
        ((number, request),) = _fields(predict_log)
        assert number == 1  # PredictLog.request
        inputs, signature = {}, ""
        for number, value in _fields(request):
            if number == 1:  # PredictRequest.model_spec
                ((name_number, name),) = _fields(value)
                assert name_number == 3  # ModelSpec.signature_name
                signature = name.decode()
            else:
                assert number == 2  # PredictRequest.inputs
                entry = dict(_fields(value))
                tensor = tensor_pb2.TensorProto.FromString(entry[2])
                inputs[entry[1].decode()] = tf.make_ndarray(tensor)
        found.append((signature, inputs))
    return found


def test_requests(path: str) -> None:
    assert warmups.write(path, batch_sizes=[1, 2], seq_lengths=[3]) == 4
    requests = _requests(path)
    assert [signature for signature, _ in requests] == ["embed", "embed", "mlm", "mlm"]
    assert requests[1][1]["sentences"].tolist() == [b"word word word "] * 2
    assert {name: value.tolist() for name, value in requests[3][1].items()} == {
        "input_word_ids": [[0, 0, 0]] * 2,
        "input_mask": [[1, 1, 1]] * 2,
        "masked_lm_positions": [[0]] * 2,
    }


def test_signatures_take_them(path: str) -> None:
    warmups.write(path, batch_sizes=[1, 4], seq_lengths=[2, 5])
    loaded = tf.saved_model.load(path)
    for signature, inputs in _requests(path):
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        loaded.signatures[signature](**tensors)


def test_equal_bytes(path: str) -> None:
    contents = set()
    for _ in range(2):
        warmups.write(path, batch_sizes=[1], seq_lengths=[4])
        contents.add(pathlib.Path(path, warmups.FILE).read_bytes())
    assert len(contents) == 1
