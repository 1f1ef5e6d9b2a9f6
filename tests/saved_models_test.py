"""SavedModels are written traced once, each value once, from memory or from the checkpoint."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter import errors, poolers, saved_models
from tests import encoder_exports, testing, written_models

_VARIABLES = "variables/variables"
_SPEC = tf.TensorSpec([None], tf.float32, name="x")


class _Scaling(saved_models.Exportable):
    """Multiplies by a factor, or by more in training; counts how often it is traced."""

    def __init__(self, asset: pathlib.Path) -> None:
        super().__init__()
        self.factor = tf.Variable(3.0)
        self.file = tf.saved_model.Asset(str(asset))
        self.__call__ = tf.function(self._call)
        self._traces = [0]

    @property
    def num_traces(self) -> int:
        return self._traces[0]

    def _call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        self._traces[0] += 1
        tf.debugging.assert_positive(x)
        return x * self.factor * (2.0 if training else 1.0)

    def trace(self) -> None:
        for training in (False, True):
            self.__call__.get_concrete_function(_SPEC, training=training)

    def signatures(self) -> dict[str, Callable[..., Any]]:
        @tf.function(input_signature=[_SPEC])
        def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": self.__call__(x)}

        return {"serving_default": serve}


@pytest.fixture(name="scaling")
def _scaling(tmp_path: pathlib.Path) -> _Scaling:
    (tmp_path / "notes.txt").write_text("an asset")
    return _Scaling(tmp_path / "notes.txt")


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> testing.SourceFiles:
    return testing.write_files(encoder_exports.BERT, tmp_path_factory.mktemp("bert"))


def _contents(path: str) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(f"{path}/{_VARIABLES}")
    names = [n for n in reader.get_variable_to_shape_map() if n.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names}


class TestFromMemory:
    def test_what_is_written_can_be_used(self, tmp_path: pathlib.Path, scaling: _Scaling) -> None:
        written_models.write(scaling, f"{tmp_path}/export")
        (tmp_path / "notes.txt").unlink()
        loaded = tf.saved_model.load(f"{tmp_path}/export")
        assert loaded([1.0, 2.0]).numpy().tolist() == [3.0, 6.0]
        assert loaded([1.0], training=True).numpy().tolist() == [6.0]
        assert loaded.signatures["serving_default"](x=tf.constant([2.0]))["y"].numpy() == [6.0]
        asset = pathlib.Path(loaded.file.asset_path.numpy().decode())
        assert asset.read_text() == "an asset"

    def test_files_are_those_that_tf_hub_allows(
        self, tmp_path: pathlib.Path, scaling: _Scaling
    ) -> None:
        written_models.write(scaling, f"{tmp_path}/export")
        files = (path for path in (tmp_path / "export").rglob("*") if path.is_file())
        assert {str(path.relative_to(tmp_path / "export")) for path in files} == {
            *("saved_model.pb", "fingerprint.pb", "assets/notes.txt"),
            *(f"{_VARIABLES}.index", f"{_VARIABLES}.data-00000-of-00001"),
        }

    def test_nothing_is_traced_before_or_twice(
        self, tmp_path: pathlib.Path, scaling: _Scaling
    ) -> None:
        """Once for each value of `training`, and once for the signature, which is saved first."""
        assert scaling.num_traces == 0
        written_models.write(scaling, f"{tmp_path}/export")
        assert scaling.num_traces == 3

    def test_it_can_be_written_again(self, tmp_path: pathlib.Path, scaling: _Scaling) -> None:
        for name in ("first", "second"):
            written_models.write(scaling, f"{tmp_path}/{name}")
            assert tf.saved_model.load(f"{tmp_path}/{name}")([1.0]).numpy() == [3.0]


class TestFromCheckpoint:
    def test_values_are_those_of_the_checkpoint(
        self, tmp_path: pathlib.Path, files: testing.SourceFiles
    ) -> None:
        made = encoder_exports.make(files)
        path = made.write(tmp_path / "export")
        loaded = tf.saved_model.load(path)
        expected = files.source.variables(with_mlm=True)
        for ours, theirs in zip(loaded.mlm.variables, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=theirs.name)
        assert not any(variable.is_initialized() for variable in made.encoder.variables)

    def test_each_value_is_written_once(
        self, tmp_path: pathlib.Path, files: testing.SourceFiles
    ) -> None:
        """Though variables are in several lists."""
        path = encoder_exports.make(files).write(tmp_path / "export")
        contents = _contents(path)
        weights = {name for name in contents if "variables/" in name}
        assert len(weights) == len(encoder_exports.make(files).encoder.variables) == 44
        others = {
            name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE") for name in contents.keys() - weights
        }
        assert others == {"do_lower_case", "save_counter", "mlm/save_counter"}
        index = tf.train.load_checkpoint(f"{path}/{_VARIABLES}")
        graph = index.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
        files = sorted(pathlib.Path(path, "variables").glob("variables.data-*"))
        assert [file.name for file in files] == [
            *("variables.data-00000-of-00002", "variables.data-00001-of-00002")
        ]
        values = sum(value.nbytes for value in contents.values())
        assert values < sum(file.stat().st_size for file in files) < values + len(graph) + 100

    def test_values_in_memory_come_first(
        self, tmp_path: pathlib.Path, files: testing.SourceFiles
    ) -> None:
        made = encoder_exports.make(files, poolers.identity_pooler())
        loaded = tf.saved_model.load(made.write(tmp_path / "export"))
        layer = made.encoder.pooler_layer
        assert layer is not None
        position = [variable.ref() for variable in made.module.variables].index(layer.kernel.ref())
        np.testing.assert_array_equal(loaded.variables[position], np.eye(8))

    def test_a_value_that_is_nowhere(
        self, tmp_path: pathlib.Path, files: testing.SourceFiles
    ) -> None:
        made = encoder_exports.make(files)
        nothing = dataclasses.replace(made.restoration, keys={})
        with pytest.raises(ValueError, match="has a value neither in memory nor in the checkpoint"):
            dataclasses.replace(made, restoration=nothing).write(tmp_path / "export")

    @pytest.mark.parametrize("value", [np.nan, -np.inf])
    def test_values_that_are_no_numbers(
        self, tmp_path: pathlib.Path, files: testing.SourceFiles, value: float
    ) -> None:
        bias = files.source.network.pooler_layer.bias
        bias.assign([0.0, value] * 4)
        checkpoint = tf.train.Checkpoint(**files.source.items("items"))
        prefix = checkpoint.write(f"{tmp_path}/diverged")
        files.restore()
        made = encoder_exports.make(dataclasses.replace(files, prefix=prefix))
        with pytest.raises(errors.UserError) as raised:
            made.write(tmp_path / "export")
        assert str(raised.value) == (
            "All weights must be finite; these are NaN or infinite, because training diverged or "
            "the file is damaged.\n"
            f"  received: {prefix}: pooler_transform/bias (4 of 8)\n"
            "  example:  a checkpoint of an earlier step"
        )


class TestOps:
    def test_of_functions_and_their_functions(
        self, tmp_path: pathlib.Path, scaling: _Scaling
    ) -> None:
        written_models.write(scaling, f"{tmp_path}/export")
        ops = saved_models.ops(f"{tmp_path}/export")
        assert ops["Assert"] == scaling.num_traces
        assert ops["Mul"] >= 3
        assert ops["StringSplitV2"] == 0

    def test_no_saved_model(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(tf.errors.NotFoundError):
            saved_models.ops(str(tmp_path))
