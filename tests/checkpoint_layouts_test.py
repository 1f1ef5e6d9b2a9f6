"""How a checkpoint holds an encoder, in all layouts that there are, and what it may lack."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter import checkpoint_layouts, checkpoints, encoders, errors, poolers
from tests import encoder_exports, testing

_BERT = encoder_exports.BERT
_KINDS = {
    "items": "encoder=",
    "encoder": "encoder=",
    "model": "model=",
    "model=pretrainer": "model=pretrainer",
    "pretrainer": "pretrainer=",
}


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> testing.SourceFiles:
    return testing.write_files(_BERT, tmp_path_factory.mktemp("bert"))


def _encoder(case: testing.Case = _BERT, *, with_mlm: bool = True) -> encoders.Encoder:
    return encoders.build(encoder_exports.architecture(case), with_mlm=with_mlm)


class TestObjects:
    @pytest.mark.parametrize("layout", testing.LAYOUTS)
    def test_tensorflow_restores_them(self, tmp_path: pathlib.Path, layout: str) -> None:
        files = testing.write_files(dataclasses.replace(_BERT, layout=layout), tmp_path)
        for with_mlm in {False, files.case.has_masked_lm}:
            encoder = _encoder(with_mlm=with_mlm)
            checkpoint = checkpoints.read(files.prefix)
            kind, objects = checkpoint_layouts.objects(checkpoint, encoder, "setting")
            assert kind == _KINDS[layout]
            tf.train.Checkpoint(**objects).read(files.prefix).expect_partial()
            expected = files.source.variables(with_mlm=with_mlm)
            for ours, theirs in zip(encoder.variables, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.parametrize("layout", ["encoder", "model"])
    def test_no_head(self, tmp_path: pathlib.Path, layout: str) -> None:
        files = testing.write_files(dataclasses.replace(_BERT, layout=layout), tmp_path)
        with pytest.raises(errors.UserError) as raised:
            checkpoint_layouts.objects(checkpoints.read(files.prefix), _encoder(), "setting")
        assert raised.value.setting == "setting"
        assert str(raised.value) == (
            "To export the encoder with its masked-language-model head, the checkpoint must "
            "hold the head as masked_lm=, as BertPretrainerV2 writes it.\n"
            f"  received: {files.prefix} with {layout}\n"
            "  example:  --export_type=model exports the encoder alone"
        )

    def test_no_item_that_could_be_an_encoder(self, files: testing.SourceFiles) -> None:
        prefix = tf.train.Checkpoint(bert=files.source.network).write(files.prefix + "-other")
        with pytest.raises(errors.UserError) as raised:
            checkpoint_layouts.objects(checkpoints.read(prefix), _encoder(), "setting")
        assert raised.value.setting == "setting"
        assert str(raised.value) == (
            "The checkpoint must hold the encoder as encoder=, model= or pretrainer= of "
            "tf.train.Checkpoint(...).\n"
            f"  received: {prefix} with bert\n"
            "  example:  tf.train.Checkpoint(**BertPretrainerV2(...).checkpoint_items)"
        )


class TestPoolerKeys:
    def _keys(
        self, files: testing.SourceFiles, pooler: poolers.Pooler, encoder: encoders.Encoder
    ) -> tuple[set[Any], dict[Any, str]]:
        return checkpoint_layouts.pooler_keys(checkpoints.read(files.prefix), encoder, pooler)

    def test_of_the_encoder_itself(self, files: testing.SourceFiles) -> None:
        assert self._keys(files, poolers.restored_pooler(), _encoder()) == (set(), {})

    def test_made_anew(self, files: testing.SourceFiles) -> None:
        encoder = _encoder()
        variables = {variable.ref() for variable in encoder.network.pooler_layer.variables}
        assert self._keys(files, poolers.identity_pooler(), encoder) == (variables, {})

    def test_of_the_next_sentence_head(self, files: testing.SourceFiles) -> None:
        encoder = _encoder()
        layer = encoder.network.pooler_layer
        own, keys = self._keys(files, poolers.next_sentence_pooler(), encoder)
        assert own == {layer.kernel.ref(), layer.bias.ref()}
        assert keys == {
            variable.ref(): f"next_sentence..pooler_dense/{name}/.ATTRIBUTES/VARIABLE_VALUE"
            for name, variable in (("kernel", layer.kernel), ("bias", layer.bias))
        }

    def test_of_a_head_that_there_is_not(self, files: testing.SourceFiles) -> None:
        with pytest.raises(errors.UserError) as raised:
            self._keys(files, poolers.next_sentence_pooler("sop"), _encoder())
        assert str(raised.value) == (
            "To copy the pooler of a classification head, the checkpoint must hold the head as "
            "sop.pooler_dense.\n"
            f"  received: {files.prefix} with encoder, masked_lm, next_sentence.pooler_dense\n"
            "  example:  leave --copy_pooler_dense_to_encoder unset"
        )
        assert raised.value.setting == "export.pooler"

    @pytest.mark.parametrize("pooler", [poolers.identity_pooler, poolers.next_sentence_pooler])
    def test_of_an_encoder_that_has_none(self, files: testing.SourceFiles, pooler: Any) -> None:
        config = {"hidden_size": 8, "num_blocks": 1, "classifier_activation": False}
        encoder = _encoder(testing.Case("", "mobilebert", config))
        with pytest.raises(errors.UserError) as raised:
            self._keys(files, pooler(), encoder)
        assert str(raised.value) == (
            f"An encoder without a pooler cannot take {pooler.__name__}.\n"
            "  received: an encoder of type 'mobilebert'\n"
            "  example:  export.pooler = @restored_pooler"
        )
