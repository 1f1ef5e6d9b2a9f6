"""An export has its source's variables, in the source's order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests import testing
from tests.conformance import exports, goldens


def _assert_same(expected: Sequence[tf.Variable], got: Sequence[Any]) -> None:
    assert [_name(variable) for variable in got] == [_name(variable) for variable in expected]
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.dtype == theirs.dtype, theirs.name
        assert ours.trainable == theirs.trainable, theirs.name
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.name)


def _name(variable: tf.Variable) -> str:
    """The name without the number that Keras adds to the second layer of a name in a process."""
    return re.sub(r"^([a-z_0-9]*?)(_\d+)?/", r"\1/", variable.name)


def _references(variables: Sequence[tf.Variable]) -> list[Any]:
    return [variable.ref() for variable in variables]


@goldens.each(goldens.ALL)
def test_variables(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    source, loaded = export.source, export.loaded
    _assert_same(source.variables(with_mlm=False), loaded.variables)
    _assert_same(source.trainable_variables(with_mlm=False), loaded.trainable_variables)
    assert set(_references(loaded.trainable_variables)) <= set(_references(loaded.variables))


@goldens.each(goldens.WITH_MLM)
def test_variables_of_masked_lm(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    source, loaded = export.source, export.loaded
    _assert_same(source.variables(with_mlm=True), loaded.mlm.variables)
    _assert_same(source.trainable_variables(with_mlm=True), loaded.mlm.trainable_variables)
    # One encoder for both calls, and the head's variables for one of them alone.
    own = _references(loaded.variables)
    assert _references(loaded.mlm.variables)[: len(own)] == own
    assert len(loaded.mlm.variables) > len(own)


@goldens.each(goldens.ALL)
def test_lower_casing_is_told(case: testing.Case, export_golden: exports.ExportCase) -> None:
    do_lower_case = export_golden(case).loaded.do_lower_case
    assert do_lower_case.dtype == tf.bool
    assert do_lower_case.shape == []
    assert not do_lower_case.trainable
    assert bool(do_lower_case) == case.sentencepiece
