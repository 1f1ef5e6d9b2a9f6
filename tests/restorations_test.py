"""Where each value comes from, against what TensorFlow itself restores and reads."""

from __future__ import annotations

import dataclasses
import gc
import os
import pathlib
import resource
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.modeling import optimization
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import checkpoints, encoders, errors, poolers, restorations
from tests import encoder_exports, testing

_BERT = encoder_exports.BERT
_MISFIT = "The checkpoint must be that of the configured encoder, value by value"


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> testing.SourceFiles:
    return testing.write_files(_BERT, tmp_path_factory.mktemp("bert"))


def _assert_restores(
    restoration: restorations.Restoration, encoder: encoders.Encoder, expected: list[tf.Variable]
) -> None:
    restorations.restore(restoration, encoder)
    reader = tf.train.load_checkpoint(restoration.checkpoint.prefix)
    for ours, theirs in zip(encoder.variables, expected, strict=True):
        key = restoration.keys[ours.ref()]
        np.testing.assert_array_equal(ours, theirs, err_msg=key)
        np.testing.assert_array_equal(reader.get_tensor(key), theirs, err_msg=key)
        assert restoration.entry(ours) == restoration.checkpoint.entries[key]


def _error(prefix: str, *args: Any, **kwargs: Any) -> errors.UserError:
    with pytest.raises(errors.UserError) as raised:
        encoder_exports.restoration(prefix, *args, **kwargs)
    return raised.value


@pytest.mark.parametrize("layout", testing.LAYOUTS)
def test_every_layout(tmp_path: pathlib.Path, layout: str) -> None:
    files = testing.write_files(dataclasses.replace(_BERT, layout=layout), tmp_path)
    for with_mlm in {False, files.case.has_masked_lm}:
        encoder, found = encoder_exports.restoration(files.prefix, with_mlm=with_mlm)
        _assert_restores(found, encoder, files.source.variables(with_mlm=with_mlm))


class TestBundledRun:
    @pytest.mark.parametrize(
        ("with_mlm", "restored", "head"),
        [(True, 44, ""), (False, 39, ", 5 masked-language-model head, not exported")],
    )
    def test_every_value_is_accounted_for(self, with_mlm: bool, restored: int, head: str) -> None:
        prefix, architecture = encoder_exports.bundled_run()
        encoder = encoders.build(architecture, with_mlm=with_mlm)
        checkpoint = checkpoints.read(prefix)
        found = restorations.restoration(checkpoint, encoder, poolers.restored_pooler())
        counted, _, ignored = found.summary().partition("; ignored: ")
        assert counted == f"{restored} values restored (encoder=)"
        assert f", {ignored}".replace(head, "") == (
            ", 1 graph of the checkpoint's objects, 92 optimizer slot, 2 step counter, "
            "4 classification head, not exported, 4 optimizer state"
        )
        assert restored + sum(int(s) for s in ignored.split() if s.isdigit()) == 147
        assert len(checkpoint.entries) == 147

    def test_restored_as_tensorflow_restores_it(self) -> None:
        prefix, architecture = encoder_exports.bundled_run()
        plain = tfnlp_encoders.build_encoder(architecture.config)
        tf.train.Checkpoint(encoder=plain).read(prefix).expect_partial()
        encoder = encoders.build(architecture, with_mlm=False)
        found = restorations.restoration(
            checkpoints.read(prefix), encoder, poolers.restored_pooler()
        )
        _assert_restores(found, encoder, plain.variables)


class TestPoolers:
    def test_of_the_next_sentence_head(self, files: testing.SourceFiles) -> None:
        encoder, found = encoder_exports.restoration(
            files.prefix, pooler=poolers.next_sentence_pooler()
        )
        restorations.restore(found, encoder)
        assert encoder.pooler_layer is not None
        for ours, theirs in zip(
            encoder.pooler_layer.variables, files.source.next_sentence.dense.variables, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        assert "2 encoder's own pooler, replaced" in found.summary()

    def test_made_anew(self, files: testing.SourceFiles) -> None:
        encoder, found = encoder_exports.restoration(files.prefix, pooler=poolers.identity_pooler())
        assert encoder.pooler_layer is not None
        for variable in encoder.pooler_layer.variables:
            assert found.entry(variable) is None
        restorations.restore(found, encoder)
        np.testing.assert_array_equal(encoder.pooler_layer.kernel, np.eye(8))
        assert "2 encoder's own pooler, replaced" in found.summary()


class TestMisfits:
    @pytest.mark.parametrize(
        "changes",
        [
            {"num_layers": 1},
            {"num_layers": 3},
            {"hidden_size": 12},
            {"vocab_size": 41},
            {"num_attention_heads": 4},
            {"embedding_size": 5},
            {"type": "albert"},
        ],
        ids=str,
    )
    def test_another_configuration(
        self, files: testing.SourceFiles, changes: dict[str, Any]
    ) -> None:
        changes = dict(changes)
        case = dataclasses.replace(_BERT, type=changes.pop("type", "bert"))
        error = _error(files.prefix, encoder_exports.with_config(case, **changes), with_mlm=False)
        assert error.rule.startswith(_MISFIT)
        assert (error.received or "").startswith(f"{files.prefix}: ")
        assert error.setting == "checkpoint.model_checkpoint_path"

    @pytest.mark.parametrize("where", ["", "encoder", "masked_lm"])
    def test_a_value_without_a_place(self, tmp_path: pathlib.Path, where: str) -> None:
        source = testing.build(_BERT)
        items = source.items("items")
        if where:
            items[where].extra = tf.Variable([1.0, 2.0])
        else:
            items["extra"] = tf.Variable([1.0, 2.0])
        error = _error(tf.train.Checkpoint(**items).write(f"{tmp_path}/ckpt"))
        assert error.rule.startswith(_MISFIT)
        assert "extra" in (error.received or "")

    def test_values_of_another_dtype(self, tmp_path: pathlib.Path) -> None:
        source = testing.build(_BERT)
        pooler = source.network.pooler_layer
        pooler.bias = tf.Variable(tf.cast(pooler.bias, tf.float16))
        error = _error(tf.train.Checkpoint(**source.items("items")).write(f"{tmp_path}/ckpt"))
        assert error.rule.startswith(_MISFIT)
        assert "(8,) float16" in (error.received or "")

    def test_values_in_slices(self, files: testing.SourceFiles) -> None:
        """As partitioned variables are saved."""
        reader = tf.train.load_checkpoint(files.prefix)
        values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
        (table,) = (name for name in values if name.startswith("masked_lm/embedding_table"))
        whole = values.pop(table)
        prefix = f"{files.prefix}-sliced"
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=[*values, table, table],
            shape_and_slices=[*[""] * len(values), "40 8 0,15:-", "40 8 15,25:-"],
            tensors=[*map(tf.constant, values.values()), whole[:15], whole[15:]],
        )
        assert str(_error(prefix)) == (
            "Values must be stored in one piece, not in slices as partitioned variables are.\n"
            f"  received: {prefix}: masked_lm/embedding_table\n"
            "  example:  restore it and save it again without a partitioner"
        )


def test_a_checkpoint_that_cannot_be_opened_any_more(files: testing.SourceFiles) -> None:
    encoder, found = encoder_exports.restoration(files.prefix)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)  # The lowest that is free, which the next file would get.
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor, limits[1]))
    try:
        with pytest.raises(errors.UserError) as raised:
            restorations.restore(found, encoder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert raised.value.rule == "The checkpoint must be readable."
    received = raised.value.received
    assert received is not None
    assert received.startswith(f"{files.prefix} (")
    assert "Too many open files" in received


def test_a_damaged_value(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    files = testing.write_files(_BERT, tmp_path)
    encoder, found = encoder_exports.restoration(files.prefix)
    entry = found.entry(encoder.network.variables[1])
    assert entry is not None
    data = bytearray(pathlib.Path(entry.data_file).read_bytes())
    data[entry.offset] ^= 1
    pathlib.Path(entry.data_file).write_bytes(data)
    with pytest.raises(errors.UserError) as raised:
        restorations.restore(found, encoder)
    assert str(raised.value) == (
        "The checkpoint must be undamaged: the bytes of some values are not those that were "
        "written.\n"
        f"  received: {files.prefix}: {encoder.network.variables[1].name.removesuffix(':0')}\n"
        "  example:  a fresh copy of the checkpoint"
    )
    del raised  # With what was read.
    gc.collect()
    assert caplog.messages == []  # TensorFlow would list all values that were not restored.


class _Trained(NamedTuple):
    """A run with exponential moving averages, after a step."""

    values: dict[str, list[np.ndarray]]  # By the names of --weights.
    latest: str
    best: str  # The trainer saves it while raw values and averages have changed places.


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> _Trained:
    source = testing.build(_BERT)
    testing.fill(source.pretrainer.variables)
    optimizer = optimization.ExponentialMovingAverage(tf_keras.optimizers.legacy.SGD(0.1))
    optimizer.shadow_copy(source.pretrainer)
    variables = source.pretrainer.trainable_variables
    optimizer.apply_gradients([(tf.ones_like(variable), variable) for variable in variables])
    exported = source.variables(with_mlm=True)
    values = {
        "raw": [variable.numpy() for variable in exported],
        "ema": [optimizer.get_slot(variable, "average").numpy() for variable in exported],
    }
    folder = tmp_path_factory.mktemp("ema")
    checkpoint = tf.train.Checkpoint(optimizer=optimizer, **source.items("items"))
    latest = checkpoint.write(f"{folder}/ckpt-1")
    optimizer._swap_weights()
    return _Trained(values, latest, checkpoint.write(f"{folder}/best_ckpt-1"))


class TestAverages:
    @pytest.mark.parametrize("weights", ["raw", "ema"])
    @pytest.mark.parametrize("name", ["latest", "best"])
    def test_weights(self, trained: _Trained, weights: str, name: str) -> None:
        prefix = getattr(trained, name)
        encoder, found = encoder_exports.restoration(prefix, weights=weights)
        counted, _, ignored = found.summary().partition("; ignored: ")
        assert counted == (
            f"44 values restored (encoder=); weights: {weights} (it has raw ones and averages)"
        )
        chose_slots = (weights == "ema") == (name == "latest")
        assert ("in place of which others were chosen by --weights" in ignored) == chose_slots
        restorations.restore(found, encoder)
        reader = tf.train.load_checkpoint(prefix)
        for variable, value in zip(encoder.variables, trained.values[weights], strict=True):
            np.testing.assert_allclose(variable, value, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(variable, reader.get_tensor(found.keys[variable.ref()]))

    def test_the_averages_of_another_pooler(self, trained: _Trained) -> None:
        pooler = poolers.next_sentence_pooler()
        keys = {}
        for weights in ("raw", "ema"):
            encoder, found = encoder_exports.restoration(
                trained.latest, pooler=pooler, weights=weights
            )
            assert encoder.pooler_layer is not None
            keys[weights] = found.keys[encoder.pooler_layer.kernel.ref()]
        own = "next_sentence..pooler_dense/kernel"
        assert keys["raw"] == f"{own}/.ATTRIBUTES/VARIABLE_VALUE"
        assert keys["ema"].startswith(f"{own}/.OPTIMIZER_SLOT/")

    def test_a_run_without_averages(self, files: testing.SourceFiles) -> None:
        error = _error(files.prefix, weights="ema")
        assert str(error) == (
            "--weights=ema needs a checkpoint of a run with exponential moving averages.\n"
            f"  received: {files.prefix} without averages\n"
            "  example:  --weights=raw"
        )
        assert error.setting == "checkpoint.weights"
