"""A SavedModel that is loaded once for several exports has the values of the one that is meant."""

from __future__ import annotations

import gc
import os
import pathlib
import weakref
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter import (
    kept_models,
    loaded_models,
    preprocessing,
    reports,
    sharing,
    tokenizers,
    verification,
)
from tests import encoder_exports, testing, written_models

_NAME = "encoder"
_OTHER = encoder_exports.with_config(encoder_exports.BERT, num_layers=1)


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> encoder_exports.Made:
    files = testing.write_files(encoder_exports.BERT, tmp_path_factory.mktemp("bert"))
    return encoder_exports.make(files)


@pytest.fixture(name="right", scope="module")
def _right(made: encoder_exports.Made, tmp_path_factory: pytest.TempPathFactory) -> str:
    return made.write(tmp_path_factory.mktemp("right") / "encoder")


@pytest.fixture(name="others", scope="module")
def _others(right: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same graph with each value doubled."""
    path = str(tmp_path_factory.mktemp("others") / "encoder")
    _write_changed(right, path, {name: 2 * value for name, value in _stored(right).items()})
    return path


def _stored(path: str) -> dict[str, Any]:
    """Returns the floating-point values of a SavedModel's variables."""
    reader = tf.train.load_checkpoint(f"{path}/variables/variables")
    found = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    return {name: value for name, value in found.items() if np.asarray(value).dtype == np.float32}


def _write_changed(right: str, path: str, changed: dict[str, Any]) -> None:
    """Writes a SavedModel with other values, or with fewer, but with the same object graph."""
    for name in ("saved_model.pb", "assets/vocab.txt"):
        os.makedirs(os.path.dirname(f"{path}/{name}"), exist_ok=True)
        os.link(f"{right}/{name}", f"{path}/{name}")
    reader = tf.train.load_checkpoint(f"{right}/variables/variables")
    floats = _stored(right)
    names = [name for name in reader.get_variable_to_shape_map() if name not in floats]
    values = {**{name: reader.get_tensor(name) for name in names}, **changed}
    os.makedirs(f"{path}/variables")
    tf.raw_ops.SaveV2(
        prefix=f"{path}/variables/variables",
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(map(tf.constant, values.values())),
    )


def _variables(root: Any) -> list[np.ndarray]:
    return [variable.numpy() for variable in root.variables]


def _verified(path: str, made: encoder_exports.Made, level: str = "quick") -> set[str]:
    """Returns the names of the checks that failed."""
    source = verification.EncoderSource(made.encoder, made.restoration)
    report = verification.verify_encoder(path, source, level=level)
    return {check.name for check in report.of(reports.FAILED)}


def test_values_are_those_of_the_one_that_is_loaded(right: str, others: str) -> None:
    with sharing.results():
        first, seconds = kept_models.load(right, _NAME)
        for path in (others, right, others):
            root, said = kept_models.load(path, _NAME)
            assert root is first
            assert said == seconds > 0
            anew, _ = kept_models.load_anew(path)
            assert len(root.variables) == 39
            for mine, expected in zip(_variables(root), _variables(anew), strict=True):
                np.testing.assert_array_equal(mine, expected)
            inputs = loaded_models.Model("", path, loaded_models.MLM, anew).mlm_inputs
            got, wanted = root.mlm(inputs), anew.mlm(inputs)
            assert sorted(got) == sorted(wanted)
            np.testing.assert_array_equal(got["mlm_logits"], wanted["mlm_logits"])


def test_wrong_values_are_found(made: encoder_exports.Made, right: str, others: str) -> None:
    with sharing.results():
        assert _verified(right, made) == set()
        assert _verified(others, made) == {
            "variables in the source's order",
            *("outputs at length 16", "mlm outputs at length 16"),
        }
        assert _verified(right, made) == set()


def test_what_is_verified_in_full_is_loaded_anew(
    made: encoder_exports.Made, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    load = tf.saved_model.load

    def counted(path: str) -> Any:
        loaded.append(path)
        return load(path)

    monkeypatch.setattr(tf.saved_model, "load", counted)
    with sharing.results():
        for level, count in (("quick", 1), ("quick", 1), ("full", 2)):
            assert _verified(right, made, level) == set()
            assert loaded.count(right) == count


def test_values_that_are_missing(
    made: encoder_exports.Made, right: str, tmp_path: pathlib.Path
) -> None:
    values = _stored(right)
    values.pop(next(name for name in values if "variables/7/" in name))
    _write_changed(right, str(tmp_path / "encoder"), values)
    with sharing.results():
        assert _verified(right, made) == set()
        with pytest.raises(tf.errors.NotFoundError, match="Key variables/7/"):
            kept_models.load(str(tmp_path / "encoder"), _NAME)
        assert _verified(str(tmp_path / "encoder"), made) == {"loading"}
        assert _verified(right, made) == set()


def test_values_of_another_shape(
    made: encoder_exports.Made, right: str, tmp_path: pathlib.Path
) -> None:
    values = _stored(right)
    name = next(name for name in values if "variables/7/" in name)
    values[name] = np.concatenate([values[name], values[name]])
    _write_changed(right, str(tmp_path / "encoder"), values)
    with sharing.results():
        assert _verified(right, made) == set()
        assert _verified(str(tmp_path / "encoder"), made) == {"loading"}


def test_another_vocabulary_is_another_one(right: str, others: str, tmp_path: pathlib.Path) -> None:
    _write_changed(right, str(tmp_path / "encoder"), _stored(right))
    vocabulary = tmp_path / "encoder" / "assets" / "vocab.txt"
    lines = vocabulary.read_text(encoding="utf-8").splitlines()
    vocabulary.unlink()
    vocabulary.write_text("\n".join([*lines[:-1], "other"]), encoding="utf-8")
    with sharing.results():
        first, _ = kept_models.load(others, _NAME)
        second, _ = kept_models.load(str(tmp_path / "encoder"), _NAME)
    assert first is not second
    assert second.vocab_file.asset_path.numpy().decode() == str(vocabulary)


def test_another_graph_takes_its_place(right: str, tmp_path: pathlib.Path) -> None:
    other = encoder_exports.make(testing.write_files(_OTHER, tmp_path)).write(tmp_path / "other")
    with sharing.results():
        root, _ = kept_models.load(right, _NAME)
        first = weakref.ref(root)
        del root
        gc.collect()
        assert first() is not None
        assert len(kept_models.load(other, _NAME)[0].variables) == 23
        assert first() is None


def test_one_of_each_name_is_kept(right: str, others: str) -> None:
    with sharing.results():
        first, _ = kept_models.load(right, _NAME)
        second, _ = kept_models.load(right, "text embedding")
        assert first is not second
        for path in (others, right):
            assert kept_models.load(path, _NAME)[0] is first
            assert kept_models.load(path, "text embedding")[0] is second


def test_it_goes_when_its_memory_is_anothers(right: str) -> None:
    with sharing.results():
        root, _ = kept_models.load(right, _NAME)
        first = weakref.ref(root)
        del root
        kept_models.drop()
        assert first() is None
        kept_models.drop()


def test_tables_go_with_it(tmp_path: pathlib.Path) -> None:
    tokenizer = tokenizers.make(
        vocab_file=str(testing.TESTDATA / "bert_tiny" / "vocab.txt"), do_lower_case=True
    )
    root = preprocessing.Preprocessing(tokenizer, default_seq_length=8)
    written_models.write(root, str(tmp_path / "preprocessing"))
    with sharing.results():
        loaded, _ = kept_models.load(str(tmp_path / "preprocessing"), _NAME)
        handles = kept_models.tables(loaded)
        assert loaded(tf.constant(["the"]))["input_mask"].numpy().tolist() == [[1] * 3 + [0] * 5]
    assert len(handles) == 4
    for handle in handles:
        with pytest.raises(tf.errors.NotFoundError):
            tf.raw_ops.DestroyResourceOp(resource=handle, ignore_lookup_error=False)


def test_a_single_export_keeps_none(right: str) -> None:
    with sharing.results(several=False):
        models = [loaded_models.load(right, kept=True) for _ in range(2)]
    assert [model.kept for model in models] == [False, False]
    assert models[0].loaded is not models[1].loaded
