"""A right export passes each check, and for each defect that is planted in one, a check fails."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter import errors, reports, verification
from tests import encoder_exports, testing

_BERT = encoder_exports.with_config(encoder_exports.BERT, max_position_embeddings=32)
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> testing.SourceFiles:
    return testing.write_files(_BERT, tmp_path_factory.mktemp("bert"))


@pytest.fixture(name="made", scope="module")
def _made(files: testing.SourceFiles) -> encoder_exports.Made:
    return encoder_exports.make(files)


@pytest.fixture(name="right", scope="module")
def _right(made: encoder_exports.Made, tmp_path_factory: pytest.TempPathFactory) -> str:
    return made.write(tmp_path_factory.mktemp("right"))


def _verify(path: str, made: encoder_exports.Made, level: str = "quick") -> reports.Report:
    source = verification.EncoderSource(made.encoder, made.restoration)
    return verification.verify_encoder(path, source, level=level)


def _failed(report: reports.Report) -> set[str]:
    """Returns the names of the failed checks, without lengths."""
    return {re.sub(r" (at length|of) .+", "", check.name) for check in report.of(reports.FAILED)}


def _parity(report: reports.Report) -> list[str]:
    """Returns the names of the comparisons with the source, which come last."""
    names = [check.name for check in report.checks]
    return names[names.index("variables in the source's order") :]


class _Change:
    """Writes a SavedModel with other values, all checksums right."""

    def __init__(self, made: encoder_exports.Made, right: str, folder: pathlib.Path) -> None:
        self._variables = made.encoder.variables
        self._right = right
        self._path = folder / "changed"

    def key(self, name: str) -> str:
        """Returns the key of the one variable with this in its name."""
        names = [variable.name for variable in self._variables]
        (position,) = (i for i, full in enumerate(names) if name in full)
        prefix = f"{self._right}/variables/variables"
        (key,) = (
            key
            for key, _ in tf.train.list_variables(prefix)
            if re.search(rf"(^|/)variables/{position}{re.escape(_VALUE)}", key)
        )
        return key

    def __call__(self, change: Callable[[dict[str, Any]], None]) -> str:
        shutil.copytree(self._right, self._path)
        prefix = f"{self._path}/variables/variables"
        reader = tf.train.load_checkpoint(prefix)
        values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
        change(values)
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=list(map(tf.constant, values.values())),
        )
        return str(self._path)


@pytest.fixture(name="change")
def _change(made: encoder_exports.Made, right: str, tmp_path: pathlib.Path) -> _Change:
    return _Change(made, right, tmp_path)


class TestRightExports:
    def test_quick(self, made: encoder_exports.Made, right: str) -> None:
        report = _verify(right, made)
        assert report.passed
        assert report.subject == "encoder"
        assert _parity(report) == [
            "variables in the source's order",
            *("outputs at length 16", "mlm outputs at length 16"),
        ]
        assert "outputs: names" in [check.name for check in report.checks]

    def test_full(self, made: encoder_exports.Made, right: str) -> None:
        report = _verify(right, made, "full")
        assert report.passed
        batches = [
            *(f"at length {n}" for n in (32, 16, 1)),
            *("of padding alone", "of full rows", "of one type", "of one row"),
            *("like sentences", "like pairs of sentences", "at lengths 7, 24"),
        ]
        outputs = ("pooled_output", "sequence_output", "encoder_outputs")
        assert _parity(report) == [
            "variables in the source's order",
            *(f"{kind}outputs {batch}" for batch in batches for kind in ("", "mlm ")),
            *(f"gradients of {name}" for name in outputs),
            "dropout in training",
            *(
                f"{kind}outputs in training at length {n}"
                for n in (16, 32)
                for kind in ("", "mlm ")
            ),
            *(f"gradients of {name} in training" for name in (*outputs, "mlm_logits")),
            *("regularization losses", "mlm regularization losses"),
        ]

    def test_without_a_head(self, files: testing.SourceFiles, tmp_path: pathlib.Path) -> None:
        made = encoder_exports.make(files, with_mlm=False)
        report = _verify(made.write(tmp_path / "export"), made)
        assert report.passed
        assert _parity(report) == [*("variables in the source's order", "outputs at length 16")]

    def test_the_source_has_its_values_afterwards(
        self, made: encoder_exports.Made, right: str, files: testing.SourceFiles
    ) -> None:
        _verify(right, made)
        expected = files.source.variables(with_mlm=True)
        for ours, theirs in zip(made.encoder.variables, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


class TestWrongValues:
    @pytest.mark.parametrize(
        "name",
        [
            "word_embeddings/",
            "embeddings/layer_norm/gamma",
            "transformer/layer_0/self_attention/value/kernel",
            "transformer/layer_1/output/bias",
            "pooler_transform/kernel",
            "output_bias/bias",
        ],
    )
    def test_one_value_of_a_tensor(
        self, made: encoder_exports.Made, change: _Change, name: str
    ) -> None:
        key = change.key(name)

        def add_to_the_first(values: dict[str, Any]) -> None:
            values[key].flat[0] += 0.5

        assert not _verify(change(add_to_the_first), made).passed

    def test_one_that_no_quick_output_depends_on(
        self, made: encoder_exports.Made, change: _Change
    ) -> None:
        """The last position's embedding; and what is added to all keys changes no attention."""
        last = change.key("position_embedding/")
        bias = change.key("transformer/layer_0/self_attention/key/bias")

        def add(values: dict[str, Any]) -> None:
            values[last][31, 0] += 0.5
            values[bias].flat[0] += 0.5

        assert not _verify(change(add), made).passed

    def test_layers_in_another_order(self, made: encoder_exports.Made, change: _Change) -> None:
        keys = [
            change.key(f"transformer/layer_{i}/self_attention/attention_output/kernel")
            for i in range(2)
        ]

        def swap(values: dict[str, Any]) -> None:
            values[keys[0]], values[keys[1]] = values[keys[1]], values[keys[0]]

        assert {"outputs", "mlm outputs"} <= _failed(_verify(change(swap), made))

    def test_the_head_alone(self, made: encoder_exports.Made, change: _Change) -> None:
        key = change.key("predictions/transform/dense/kernel")

        def transpose(values: dict[str, Any]) -> None:
            values[key] = values[key].T.copy()

        failed = _failed(_verify(change(transpose), made))
        assert "mlm outputs" in failed
        assert "outputs" not in failed

    def test_a_damaged_file(
        self, made: encoder_exports.Made, right: str, tmp_path: pathlib.Path
    ) -> None:
        path = shutil.copytree(right, tmp_path / "damaged")
        file = path / "variables" / "variables.data-00000-of-00002"
        damaged = bytearray(file.read_bytes())
        damaged[-1] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(errors.VerificationError, match="Checksum does not match"):
            _verify(str(path), made).require()


class TestAnotherEncoder:
    """Verified is an export of another encoder, written from the same checkpoint or a like one."""

    def _write_other(self, files: testing.SourceFiles, folder: pathlib.Path, **changes: Any) -> str:
        other = dataclasses.replace(files, case=encoder_exports.with_config(_BERT, **changes))
        return encoder_exports.make(other).write(folder / "other")

    @pytest.mark.parametrize("changes", [{"hidden_activation": "relu"}, {"norm_first": True}])
    def test_computed_otherwise(
        self,
        made: encoder_exports.Made,
        files: testing.SourceFiles,
        tmp_path: pathlib.Path,
        changes: dict[str, Any],
    ) -> None:
        report = _verify(self._write_other(files, tmp_path, **changes), made)
        assert _failed(report) == {"outputs", "mlm outputs"}

    def test_without_dropout(
        self, made: encoder_exports.Made, files: testing.SourceFiles, tmp_path: pathlib.Path
    ) -> None:
        rates = {"dropout_rate": 0.0, "attention_dropout_rate": 0.0}
        path = self._write_other(files, tmp_path, **rates)
        assert _verify(path, made).passed
        report = _verify(path, made, "full")
        failed = {check.name for check in report.of(reports.FAILED)}
        assert all("in training" in name for name in failed)
        assert {"dropout in training", "mlm outputs in training at length 32"} < failed
        assert "\n  FAILED  dropout in training: inactive" in report.text()
        with pytest.raises(errors.VerificationError) as raised:
            report.require()
        assert str(raised.value) == report.text()

    def test_with_a_layer_less(self, made: encoder_exports.Made, tmp_path: pathlib.Path) -> None:
        case = encoder_exports.with_config(_BERT, num_layers=1)
        files = testing.write_files(case, tmp_path / "source")
        path = encoder_exports.make(files).write(tmp_path / "export")
        assert "variables in the source's order" in _failed(_verify(path, made))

    def test_without_its_head(
        self, made: encoder_exports.Made, files: testing.SourceFiles, tmp_path: pathlib.Path
    ) -> None:
        path = encoder_exports.make(files, with_mlm=False).write(tmp_path / "export")
        assert "mlm outputs" in _failed(_verify(path, made))
