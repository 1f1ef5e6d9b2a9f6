from __future__ import annotations

import pathlib

import tensorflow as tf

from exporter import serving_ops


def test_ops_of_both_libraries_are_known() -> None:
    known = serving_ops.known()
    assert {"AddV2", "PartitionedCall", "RaggedGather", "StaticRegexReplace"} <= known
    assert {"FastBertNormalize", "SentencepieceOp", "TFText>RoundRobinTrim"} <= known


def test_what_is_used_is_listed() -> None:
    found = f"2, all in TensorFlow Serving {tf.__version__}"
    result = serving_ops.compare({"FastBertNormalize": 3, "AddV2": 1})
    assert (result.name, result.passed, result.found) == ("ops", True, found)
    assert result.listed == ("AddV2", "FastBertNormalize")


def test_others_are_not_served() -> None:
    result = serving_ops.compare({"AddV2", "MyOwnOp", "EagerPyFunc"})
    assert (result.passed, result.found) == (
        False,
        "not in TensorFlow Serving: EagerPyFunc, MyOwnOp",
    )


def test_a_saved_model_with_python_in_it(tmp_path: pathlib.Path) -> None:
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def call(x: tf.Tensor) -> tf.Tensor:
        return tf.numpy_function(lambda value: value, [x], tf.float32)

    module.call = call
    tf.saved_model.save(module, str(tmp_path))
    assert serving_ops.check(str(tmp_path)).found == "not in TensorFlow Serving: PyFunc"
