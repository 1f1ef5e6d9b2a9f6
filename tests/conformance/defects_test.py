"""The comparisons of this folder do see what they are there to see.

Each plants a defect in an export and expects it to be told from its source.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import testing
from tests.conformance import comparison, exports, goldens

_CASES = tuple(
    goldens.named(name)
    for name in ("bert", "bert_norm_first", "albert", "funnel", "kernel", "mobilebert", "reuse")
)


def _is_unseen(variable: tf.Variable) -> bool:
    """Whether no output depends on a variable: what is added to all keys changes no attention."""
    return variable.name.endswith("key/bias:0")


@pytest.fixture(name="inputs_of")
def _inputs_of() -> Any:
    def make(export: exports.Export) -> dict[str, tf.Tensor]:
        inputs = comparison.inputs(export.case, 7, export.case.max_length)
        return comparison.with_positions(inputs, export.source(inputs)["sequence_output"], 16)

    return make


def _defects(variable: tf.Variable) -> Iterator[tuple[str, np.ndarray]]:
    """Yields wrong values for a variable."""
    value = variable.numpy()
    yield "shifted by one", np.roll(value, 1, axis=0)
    if value.ndim == 2 and value.shape[0] == value.shape[1]:
        yield "transposed", value.T
    if value.ndim == 3:
        # What a kernel of attention becomes if heads and their size are taken for each other.
        swapped = value.reshape(value.shape[0], value.shape[2], value.shape[1]).swapaxes(1, 2)
        yield "of swapped heads", swapped


@goldens.each(_CASES)
def test_wrong_values_show(
    case: testing.Case, export_golden: exports.ExportCase, inputs_of: Any
) -> None:
    export = export_golden(case)
    inputs = inputs_of(export)
    expected = export.source(inputs)
    loaded = tf.saved_model.load(str(export.path)).mlm
    comparison.assert_same_outputs(expected, loaded(inputs))
    for variable in loaded.variables:
        right = variable.numpy()
        if _is_unseen(variable):
            continue
        for name, wrong in _defects(variable):
            variable.assign(wrong)
            assert _differs(expected, loaded(inputs)), f"{variable.name} {name}"
        variable.assign(right)


@goldens.each(_CASES)
def test_swapped_variables_show(
    case: testing.Case, export_golden: exports.ExportCase, inputs_of: Any
) -> None:
    """Of each variable, the next of the same shape is what a wrong order would make of it."""
    export = export_golden(case)
    inputs = inputs_of(export)
    expected = export.source(inputs)
    loaded = tf.saved_model.load(str(export.path)).mlm
    variables = [variable for variable in loaded.variables if not _is_unseen(variable)]
    pairs = [
        (first, next((v for v in variables[i + 1 :] if v.shape == first.shape), None))
        for i, first in enumerate(variables)
    ]
    swapped = 0
    for first, second in pairs:
        if second is not None:
            _swap(first, second)
            assert _differs(expected, loaded(inputs)), f"{first.name} and {second.name}"
            _swap(first, second)
            swapped += 1
    assert swapped > 5


def _swap(first: tf.Variable, second: tf.Variable) -> None:
    value = first.numpy()
    first.assign(second)
    second.assign(value)


def _differs(expected: Any, got: Any) -> bool:
    try:
        comparison.assert_same_outputs(expected, got, limit=1e-3)
    except AssertionError:
        return True
    return False


def test_swapped_values_in_the_files_show(
    export_golden: exports.ExportCase, tmp_path: pathlib.Path, inputs_of: Any
) -> None:
    export = export_golden(goldens.named("bert"))
    inputs = inputs_of(export)
    path = exports.copied(export.path, tmp_path / "export")
    prefix = str(path / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    equal = [name for name, value in sorted(values.items()) if np.shape(value) == (8, 8)]
    first, second = equal[:2]
    values[first], values[second] = values[second], values[first]
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.convert_to_tensor(value) for value in values.values()],
    )
    loaded = tf.saved_model.load(str(path))
    assert _differs(export.source(inputs), loaded.mlm(inputs))
