"""What an encoder's SavedModel offers, as its loader sees it. What it computes: `conformance`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from exporter import encoder_modules, restorations
from tests import encoder_exports, testing
from tests.conformance import comparison

_BERT = encoder_exports.BERT
_OUTPUTS = {
    "default": [None, 8],
    "encoder_outputs_0": [None, None, 8],
    "encoder_outputs_1": [None, None, 8],
    "pooled_output": [None, 8],
    "sequence_output": [None, None, 8],
}


@dataclasses.dataclass(frozen=True, eq=False)
class _Export:
    """An export with the head, and what it was made from."""

    files: testing.SourceFiles
    made: encoder_exports.Made
    path: str
    loaded: Any


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> testing.SourceFiles:
    return testing.write_files(_BERT, tmp_path_factory.mktemp("bert"))


@pytest.fixture(name="export", scope="module")
def _export(files: testing.SourceFiles, tmp_path_factory: pytest.TempPathFactory) -> _Export:
    made = encoder_exports.make(files)
    path = made.write(tmp_path_factory.mktemp("export"))
    return _Export(files, made, path, tf.saved_model.load(path))


def _inputs(*, positions: bool = False) -> dict[str, tf.Tensor]:
    inputs = comparison.inputs(_BERT, 3, 7)
    return {**inputs, "masked_lm_positions": tf.constant([[0, 6]] * 3)} if positions else inputs


def _public(loaded: Any) -> set[str]:
    return {name for name in vars(loaded) if not name.startswith("_")} - {
        # What TensorFlow adds.
        *("graph_debug_info", "tensorflow_git_version", "tensorflow_version", "save_counter")
    }


class TestRoot:
    def test_attributes_are_those_of_the_interface(self, export: _Export) -> None:
        interface = {"variables", "trainable_variables", "regularization_losses"}
        assert _public(export.loaded) == {
            *interface,
            *("mlm", "vocab_file", "do_lower_case", "serve", "signatures"),
        }
        assert _public(export.loaded.mlm) == interface
        assert list(export.loaded.regularization_losses) == []
        assert list(export.loaded.mlm.regularization_losses) == []

    def test_no_object_of_keras_is_saved(self, export: _Export) -> None:
        with open(f"{export.path}/saved_model.pb", "rb") as file:
            saved_model = saved_model_pb2.SavedModel.FromString(file.read())
        nodes = saved_model.meta_graphs[0].object_graph_def.nodes
        identifiers = {node.user_object.identifier for node in nodes if node.user_object.identifier}
        assert identifiers == {"_generic_user_object", "signature_map", "trackable_list_wrapper"}

    def test_variables_are_those_of_the_network(self, export: _Export) -> None:
        network = export.made.encoder.network
        assert list(export.made.module.variables) == network.variables
        assert list(export.made.module.trainable_variables) == network.trainable_variables
        assert len(export.loaded.variables) == len(network.variables) == 39
        assert len(export.loaded.mlm.variables) == 44

    def test_calls_are_traced_with_and_without_training(self, export: _Export) -> None:
        for function in (export.loaded.__call__, export.loaded.mlm.__call__):
            calls = [traced.structured_input_signature for traced in function.concrete_functions]
            assert {positional[1] for positional, _ in calls} == {False, True}

    def test_training_is_off_unless_asked_for(self, export: _Export) -> None:
        inputs = _inputs()
        expected = export.loaded(inputs, training=False)["sequence_output"]
        np.testing.assert_array_equal(export.loaded(inputs)["sequence_output"], expected)

    def test_it_can_be_called_before_it_is_saved(self, files: testing.SourceFiles) -> None:
        made = encoder_exports.make(files)
        restorations.restore(made.restoration, made.encoder)
        inputs = _inputs(positions=True)
        comparison.assert_same_outputs(files.source(inputs), made.module.mlm.__call__(inputs))

    def test_without_a_head(self, files: testing.SourceFiles, tmp_path: pathlib.Path) -> None:
        made = encoder_exports.make(files, with_mlm=False)
        loaded = tf.saved_model.load(made.write(tmp_path / "export"))
        assert not hasattr(loaded, "mlm")
        assert list(loaded.signatures) == ["serving_default"]
        comparison.assert_same_outputs(files.source(_inputs()), loaded(_inputs()))


class TestSignatures:
    @pytest.mark.parametrize(
        ("name", "inputs", "outputs"),
        [
            ("serving_default", testing.INPUT_NAMES, _OUTPUTS),
            (
                "mlm",
                (*testing.INPUT_NAMES, "masked_lm_positions"),
                {**_OUTPUTS, "mlm_logits": [None, None, 40]},
            ),
        ],
    )
    def test_names_shapes_and_dtypes(
        self, export: _Export, name: str, inputs: tuple[str, ...], outputs: dict[str, list[Any]]
    ) -> None:
        signature = export.loaded.signatures[name]
        _, specs = signature.structured_input_signature
        assert specs == {name: tf.TensorSpec([None, None], tf.int32, name) for name in inputs}
        got = signature.structured_outputs
        assert {name: spec.shape.as_list() for name, spec in got.items()} == outputs
        assert {spec.dtype for spec in got.values()} == {tf.float32}

    def test_they_return_what_calls_return(self, export: _Export) -> None:
        inputs = _inputs(positions=True)
        expected = comparison.flat(export.loaded.mlm(inputs))
        got = export.loaded.signatures["mlm"](**inputs)
        assert set(got) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-6)


class TestVocabulary:
    def _load(self, files: testing.SourceFiles, tmp_path: pathlib.Path, **arguments: Any) -> Any:
        made = encoder_exports.make(files, with_mlm=False)
        module = encoder_modules.EncoderModule(made.encoder, **arguments)
        return tf.saved_model.load(
            dataclasses.replace(made, module=module).write(tmp_path / "export")
        )

    def test_wordpiece(self, export: _Export) -> None:
        asset = pathlib.Path(export.loaded.vocab_file.asset_path.numpy().decode())
        assert asset == pathlib.Path(export.path, "assets", "vocab.txt")
        assert asset.read_bytes() == export.files.vocabulary.read_bytes()
        assert export.loaded.do_lower_case.numpy() == np.True_

    def test_sentencepiece(self, files: testing.SourceFiles, tmp_path: pathlib.Path) -> None:
        model = testing.TESTDATA / "spm" / "spm.model"
        loaded = self._load(files, tmp_path, sp_model_file=str(model), do_lower_case=False)
        assert not hasattr(loaded, "vocab_file")
        asset = pathlib.Path(loaded.sp_model_file.asset_path.numpy().decode())
        assert asset.read_bytes() == model.read_bytes()
        assert loaded.do_lower_case.numpy() == np.False_
        assert not loaded.do_lower_case.trainable
        assert "do_lower_case:0" not in [variable.name for variable in loaded.variables]
