"""Equal layers become one function, and the network is afterwards what it was before."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import gin
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf import saved_model_pb2

from exporter import encoders, layer_sharing
from tests import encoder_exports, testing
from tests.conformance import comparison

_BERT = encoder_exports.with_config(encoder_exports.BERT, num_layers=3)
_SCAFFOLD = """
build_encoder.encoder_cls = @EncoderScaffold
EncoderScaffold.hidden_cls = @TransformerScaffold
"""


def _network(encoder_type: str = "bert", **changes: Any) -> tf_keras.layers.Layer:
    case = dataclasses.replace(_BERT, type=encoder_type)
    architecture = encoder_exports.architecture(encoder_exports.with_config(case, **changes))
    return encoders.build(architecture, with_mlm=False).network


def _group_sizes(network: tf_keras.layers.Layer) -> list[int]:
    return [len(group) for group in layer_sharing.SharedLayers(network).groups]


def _function_names(path: str) -> list[str]:
    with open(f"{path}/saved_model.pb", "rb") as file:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read())
    functions = saved_model.meta_graphs[0].graph_def.library.function
    return [function.signature.name for function in functions]


def _inputs() -> dict[str, tf.Tensor]:
    return comparison.inputs(_BERT, 3, 7)


def test_this_tensorflow_is_supported() -> None:
    """If this fails, exports are still right, but slower and larger: adapt the module."""
    assert layer_sharing.is_supported()


class TestGroups:
    @pytest.mark.parametrize(
        ("encoder_type", "changes", "sizes"),
        [
            ("bert", {}, [3]),
            ("bert_v2", {"norm_first": True}, [3]),
            ("query_bert", {"embedding_size": 5}, [3]),
            # One layer, called three times.
            ("albert", {"embedding_width": 6}, [1]),
            ("reuse", {"max_reuse_layer_idx": 2}, []),
            ("kernel", {}, []),
        ],
    )
    def test_types(self, encoder_type: str, changes: dict[str, Any], sizes: list[int]) -> None:
        assert _group_sizes(_network(encoder_type, **changes)) == sizes

    def test_layers_of_other_classes_are_left_alone(self) -> None:
        gin.parse_config(_SCAFFOLD)
        assert _group_sizes(_network()) == []

    def test_a_layer_with_another_configuration_is_another_kind(self) -> None:
        network = _network()
        network.transformer_layers[2]._norm_first = True
        assert _group_sizes(network) == [2, 1]

    def test_a_layer_that_is_not_trained_is_another_kind(self) -> None:
        network = _network()
        network.transformer_layers[1].trainable = False
        assert _group_sizes(network) == [2, 1]

    def test_without_support_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(layer_sharing, "is_supported", lambda: False)
        assert _group_sizes(_network()) == []


class TestShared:
    def test_layers_have_their_own_calls_again(self) -> None:
        network = _network()
        layers = network.transformer_layers
        before = [layer.call for layer in layers]
        shared_layers = layer_sharing.SharedLayers(network)
        with shared_layers.shared():
            assert all("call" in vars(layer) for layer in layers)
        assert not any("call" in vars(layer) for layer in layers)
        assert [layer.call for layer in layers] == before

    def test_layers_have_their_own_calls_after_an_exception(self) -> None:
        network = _network()
        shared_layers = layer_sharing.SharedLayers(network)

        def fail() -> None:
            with shared_layers.shared():
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert not any("call" in vars(layer) for layer in network.transformer_layers)

    def test_variables_have_their_own_handles_after_a_failed_trace(self) -> None:
        network = _network()
        layer = network.transformer_layers[0]
        handles = [variable.handle for variable in layer.variables]

        @tf.function(autograph=False)
        def trace() -> tf.Tensor:
            return layer(tf.zeros([1, 2, 3]))  # Three is not its hidden size.

        with layer_sharing.SharedLayers(network).shared(), pytest.raises(ValueError, match="3"):
            trace.get_concrete_function()
        for variable, handle in zip(layer.variables, handles, strict=True):
            assert variable.handle is handle

    def test_keras_does_not_track_what_is_put_on_the_layers(self) -> None:
        network = _network()
        before = [id(module) for module in network.submodules]
        with layer_sharing.SharedLayers(network).shared():
            assert [id(module) for module in network.submodules] == before


class TestExport:
    @pytest.fixture(name="files", scope="module")
    @staticmethod
    def _files(tmp_path_factory: pytest.TempPathFactory) -> testing.SourceFiles:
        return testing.write_files(_BERT, tmp_path_factory.mktemp("bert"))

    @pytest.mark.parametrize("supported", [True, False])
    def test_layers_are_traced_once_each_way_where_that_is_supported(
        self,
        tmp_path: pathlib.Path,
        files: testing.SourceFiles,
        monkeypatch: pytest.MonkeyPatch,
        supported: bool,
    ) -> None:
        monkeypatch.setattr(layer_sharing, "is_supported", lambda: supported)
        path = encoder_exports.make(files).write(tmp_path / "export")
        names = _function_names(path)
        assert sum("layer_function" in name for name in names) == (2 if supported else 0)
        inputs = _inputs()
        loaded = tf.saved_model.load(path)
        expected = files.source(inputs)
        comparison.assert_same_outputs(expected, loaded(inputs))
        positions = comparison.with_positions(inputs, expected["sequence_output"])
        comparison.assert_same_outputs(files.source(positions), loaded.mlm(positions))
        varying = [loaded(inputs, training=True)["sequence_output"] for _ in range(2)]
        assert np.any(varying[0] != varying[1])

    @pytest.mark.parametrize(
        ("encoder_type", "changes", "num_functions"),
        [
            # One layer, called again and again.
            ("albert", {"embedding_width": 6}, 2),
            # The last layer is called otherwise: for the first token alone.
            ("bert", {"output_range": 1}, 4),
        ],
    )
    def test_unlike_calls(
        self,
        tmp_path: pathlib.Path,
        encoder_type: str,
        changes: dict[str, Any],
        num_functions: int,
    ) -> None:
        case = dataclasses.replace(_BERT, type=encoder_type)
        files = testing.write_files(
            encoder_exports.with_config(case, **changes), tmp_path / "source"
        )
        path = encoder_exports.make(files, with_mlm=False).write(tmp_path / "export")
        names = _function_names(path)
        assert sum("layer_function" in name for name in names) == num_functions
        inputs = _inputs()
        comparison.assert_same_outputs(files.source(inputs), tf.saved_model.load(path)(inputs))
