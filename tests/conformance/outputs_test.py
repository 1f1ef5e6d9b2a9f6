"""What an export returns is what its source returns."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from exporter import contract_clauses
from tests import testing
from tests.conformance import comparison, exports, goldens


def _sizes(case: testing.Case) -> list[tuple[int, int]]:
    """Batch sizes and lengths."""
    return [(1, 1), (3, 1), (7, 5), (3, case.max_length), (1, case.max_length - 1)]


@goldens.each(goldens.ALL)
def test_inference_equals_the_source(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    for batch, length in _sizes(case):
        inputs = comparison.inputs(case, batch, length)
        comparison.assert_same_outputs(export.source(inputs), export.loaded(inputs, training=False))


@goldens.each(goldens.ALL)
def test_inference_is_the_default(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    inputs = comparison.inputs(case, 3, 5)
    comparison.assert_same_outputs(
        export.loaded(inputs, training=False), export.loaded(inputs), limit=0
    )


@goldens.each(goldens.WITH_MLM)
def test_masked_lm_equals_the_source(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    for batch, length in _sizes(case):
        inputs = comparison.inputs(case, batch, length)
        inputs = comparison.with_positions(inputs, export.source(inputs)["sequence_output"])
        expected = export.source(inputs)
        comparison.assert_same_outputs(expected, export.loaded.mlm(inputs, training=False))
        comparison.assert_same_outputs(expected, export.loaded.mlm(inputs))


@goldens.each(goldens.EXACT)
def test_training_without_dropout_equals_the_source(
    case: testing.Case, export_golden: exports.ExportCase
) -> None:
    export = export_golden(case)
    inputs = comparison.inputs(case, 7, 5)
    expected = export.source(inputs, training=True)
    comparison.assert_same_outputs(expected, export.loaded(inputs, training=True))
    if case.has_masked_lm:
        inputs = comparison.with_positions(inputs, expected["sequence_output"])
        expected = export.source(inputs, training=True)
        comparison.assert_same_outputs(expected, export.loaded.mlm(inputs, training=True))


@goldens.each(goldens.ALL)
def test_outputs_are_those_of_the_interface(
    case: testing.Case, export_golden: exports.ExportCase
) -> None:
    export = export_golden(case)
    inputs = comparison.inputs(case, 3, 5)
    outputs = export.loaded(inputs)
    assert set(outputs) == {"pooled_output", "default", "sequence_output", "encoder_outputs"}
    assert isinstance(outputs["encoder_outputs"], list)
    assert all(value.dtype == tf.float32 for value in tf.nest.flatten(outputs))
    if case.has_masked_lm:
        inputs = comparison.with_positions(inputs, outputs["sequence_output"])
        assert set(export.loaded.mlm(inputs)) == {*outputs, "mlm_logits"}


@goldens.each(goldens.ALL)
def test_signatures_equal_the_calls(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    inputs = comparison.inputs(case, 3, 5)
    outputs = export.loaded(inputs)
    signatures = export.loaded.signatures
    assert set(signatures) == {"serving_default"} | ({"mlm"} if case.has_masked_lm else set())
    comparison.assert_same_outputs(
        comparison.flat(outputs), signatures["serving_default"](**inputs)
    )
    if case.has_masked_lm:
        inputs = comparison.with_positions(inputs, outputs["sequence_output"])
        outputs = export.loaded.mlm(inputs)
        comparison.assert_same_outputs(comparison.flat(outputs), signatures["mlm"](**inputs))


@goldens.each(goldens.ALL)
def test_the_contract_is_kept(case: testing.Case, export_golden: exports.ExportCase) -> None:
    """Verification raises no false alarm."""
    checks, _ = contract_clauses.check(case.name, str(export_golden(case).path), quick=False)
    assert [check.text() for check in checks if check.status in ("failed", "noted")] == []


@goldens.each(goldens.ALL)
def test_static_shapes(case: testing.Case, export_golden: exports.ExportCase) -> None:
    """Users build models on the outputs, whose widths must then be known."""
    export = export_golden(case)
    width = case.get("hidden_size")

    @tf.function
    def call(inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
        return export.loaded(inputs)

    specs = {name: tf.TensorSpec([None, None], tf.int32) for name in testing.INPUT_NAMES}
    outputs = call.get_concrete_function(specs).structured_outputs
    assert outputs["pooled_output"].shape.as_list() == [None, width]
    assert outputs["default"].shape.as_list() == [None, width]
    assert outputs["sequence_output"].shape.as_list() == [None, None, width]
    for output in outputs["encoder_outputs"]:
        assert output.shape.as_list() == [None, None, width]
