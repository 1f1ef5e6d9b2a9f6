"""Checkpoints that TensorFlow wrote, whole and damaged, and paths that are nearly those of one."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import pytest
import tensorflow as tf

from exporter import checkpoints, errors
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
_NO_PREFIX = (
    "The checkpoint is named by the prefix of its files, without .index or .data-…; "
    "PREFIX.index must exist.\n"
)


class _Layer(tf.Module):
    """A layer as Keras has it: variables and layers by name."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def _save(prefix: pathlib.Path, **items: Any) -> str:
    return tf.train.Checkpoint(**items).write(str(prefix))


def _dense(value: float = 1.0) -> _Layer:
    return _Layer(kernel=tf.Variable([[value, 2.0]]), bias=tf.Variable([value]))


def _newest(run: pathlib.Path = _RUN) -> str:
    prefix = tf.train.latest_checkpoint(str(run))
    assert prefix is not None
    return prefix


def _error(path: pathlib.Path | str) -> str:
    """Returns what a user is told who names this checkpoint, with its folder as FOLDER."""
    with pytest.raises(errors.UserError) as raised:
        checkpoints.read(checkpoints.find(str(path)))
    assert raised.value.setting == "checkpoint.model_checkpoint_path"
    return str(raised.value).replace(str(pathlib.Path(path).parent), "FOLDER")


class TestRead:
    def test_the_bundled_run(self) -> None:
        prefix = _newest()
        checkpoint = checkpoints.read(prefix)
        assert checkpoint.prefix == prefix
        listed = {name: entry.shape for name, entry in checkpoint.entries.items()}
        assert listed == {name: tuple(shape) for name, shape in tf.train.list_variables(prefix)}
        assert set(checkpoint.items) == {
            *("encoder", "masked_lm", "next_sentence.pooler_dense"),
            *("model", "optimizer", "global_step", "save_counter"),
        }
        assert checkpoint.has_masked_lm
        assert checkpoint.averages == {}
        assert not checkpoint.is_swapped
        assert not checkpoint.is_tf1

    def test_children_and_keys(self, tmp_path: pathlib.Path) -> None:
        checkpoint = checkpoints.read(_save(tmp_path / "ckpt", encoder=_Layer(dense=_dense())))
        (dense,) = checkpoint.children(checkpoint.items["encoder"]).values()
        children = checkpoint.children(dense)
        assert set(children) == {"kernel", "bias"}
        assert checkpoint.key(children["kernel"]) == (
            "encoder/dense/kernel/.ATTRIBUTES/VARIABLE_VALUE"
        )
        assert checkpoint.key(dense) is None

    @pytest.mark.parametrize(
        ("items", "expected"),
        [
            ({"encoder": _dense()}, False),
            ({"encoder": _dense(), "masked_lm": _dense()}, True),
            ({"model": _Layer(encoder_network=_dense())}, False),
            ({"model": _Layer(encoder_network=_dense(), masked_lm=_dense())}, True),
            ({"pretrainer": _Layer(encoder_network=_dense(), masked_lm=_dense())}, True),
        ],
    )
    def test_whether_there_is_a_head(
        self, tmp_path: pathlib.Path, items: Mapping[str, Any], expected: bool
    ) -> None:
        assert checkpoints.read(_save(tmp_path / "ckpt", **items)).has_masked_lm == expected

    def test_names_without_objects(self, tmp_path: pathlib.Path) -> None:
        tf.raw_ops.SaveV2(
            prefix=f"{tmp_path}/model.ckpt",
            tensor_names=["gpt/wte", "gpt/b", "gpt/a", "step"],
            shape_and_slices=[""] * 4,
            tensors=[tf.zeros([2, 3]), *([tf.constant(0)] * 3)],
        )
        assert _error(tmp_path / "model.ckpt") == (
            "A checkpoint must be object-based (TF2), or an original BERT's or ALBERT's (TF1), "
            "whose names start with bert/.\n"
            "  received: FOLDER/model.ckpt with gpt/a, gpt/b, gpt/wte, ..."
        )

    @pytest.mark.parametrize(
        ("name", "size", "reason"),
        [
            (".index", 100, "FOLDER/ckpt.index is not the index of a checkpoint, or is cut off"),
            (".index", 0, "FOLDER/ckpt.index is not the index of a checkpoint, or is cut off"),
            (".data-00000-of-00001", 1, "FOLDER/ckpt.data-00000-of-00001 has 1 bytes of at least"),
            (".data-00000-of-00001", None, "FOLDER/ckpt.data-00000-of-00001 is missing."),
        ],
    )
    def test_incomplete_files(
        self, tmp_path: pathlib.Path, name: str, size: int | None, reason: str
    ) -> None:
        file = pathlib.Path(_save(tmp_path / "ckpt", encoder=_dense()) + name)
        if size is None:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:size])
        message = _error(tmp_path / "ckpt")
        assert message.startswith(f"The checkpoint must be complete and undamaged: {reason}")
        assert message.endswith(
            "\n  received: FOLDER/ckpt\n  example:  a fresh copy of the checkpoint"
        )

    def test_a_damaged_index(self, tmp_path: pathlib.Path) -> None:
        index = pathlib.Path(_save(tmp_path / "ckpt", encoder=_dense()) + ".index")
        damaged = bytearray(index.read_bytes())
        damaged[20] ^= 4
        index.write_bytes(damaged)
        assert _error(tmp_path / "ckpt") == (
            "The checkpoint must be complete and undamaged: the index is damaged: its checksum "
            "differs.\n"
            "  received: FOLDER/ckpt\n"
            "  example:  a fresh copy of the checkpoint"
        )

    def test_a_damaged_graph_of_objects(self, tmp_path: pathlib.Path) -> None:
        prefix = _save(tmp_path / "ckpt", encoder=_dense())
        entry = checkpoints.read(prefix).entries["_CHECKPOINTABLE_OBJECT_GRAPH"]
        data = pathlib.Path(entry.data_file)
        damaged = bytearray(data.read_bytes())
        damaged[entry.offset + entry.size - 1] ^= 1
        data.write_bytes(damaged)
        message = _error(tmp_path / "ckpt")
        assert message.startswith("The checkpoint must be complete and undamaged: ")
        assert message.endswith(
            "\n  received: FOLDER/ckpt\n  example:  a fresh copy of the checkpoint"
        )


class TestPrefix:
    @pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
    def test_a_file_in_place_of_the_prefix(self, suffix: str) -> None:
        name = pathlib.Path(_newest()).name
        assert _error(_RUN / (name + suffix)) == (
            f"{_NO_PREFIX}"
            f"  received: FOLDER/{name}{suffix}\n"
            f"  example:  --model_checkpoint_path=FOLDER/{name}"
        )

    def test_a_misspelt_name(self) -> None:
        name = pathlib.Path(_newest()).name
        assert _error(_RUN / "bert_model.ckpt") == (
            f"{_NO_PREFIX}"
            "  received: FOLDER/bert_model.ckpt\n"
            f"  example:  --model_checkpoint_path=FOLDER/{name}"
        )

    def test_a_folder_that_there_is_not(self, tmp_path: pathlib.Path) -> None:
        assert _error(tmp_path / "run" / "ckpt-1") == f"{_NO_PREFIX}  received: FOLDER/ckpt-1"

    def test_no_name(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(errors.UserError) as raised:
            checkpoints.read(checkpoints.find(""))
        assert str(raised.value) == f"{_NO_PREFIX}  received: "

    def test_a_name_alone_is_looked_for_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(_RUN)
        name = pathlib.Path(_newest()).name
        assert checkpoints.read(checkpoints.find(name)).has_masked_lm

    def test_an_unknown_file_system(self) -> None:
        with pytest.raises(errors.UserError) as raised:
            checkpoints.read(checkpoints.find("nowhere://bucket/ckpt-1"))
        assert "File system scheme 'nowhere' not implemented" in str(raised.value)


class TestFind:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_the_newest_by_the_file_that_names_it(self, tmp_path: pathlib.Path, slash: str) -> None:
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(encoder=_dense()), str(tmp_path), max_to_keep=None
        )
        for step in (9, 10, 8):
            manager.save(step)
        assert checkpoints.find(f"{tmp_path}{slash}") == f"{tmp_path}/ckpt-8"

    def test_the_bundled_run(self) -> None:
        assert checkpoints.find(str(_RUN)) == _newest()

    def test_a_prefix_is_itself(self) -> None:
        assert checkpoints.find(_newest()) == _newest()

    def test_the_only_one(self, tmp_path: pathlib.Path) -> None:
        prefix = _save(tmp_path / "bert_model.ckpt", encoder=_dense())
        assert checkpoints.find(str(tmp_path)) == prefix

    def test_the_only_one_where_another_is_named(self, tmp_path: pathlib.Path) -> None:
        """As after a copy without the newest one, or from a machine with other paths."""
        prefix = _save(tmp_path / "ckpt-1", encoder=_dense())
        for other in ("ckpt-2", "/models/run/ckpt-1"):
            (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{other}"\n')
            assert checkpoints.find(str(tmp_path)) == prefix

    def test_a_moved_folder(self, tmp_path: pathlib.Path) -> None:
        shutil.copytree(_RUN, tmp_path / "moved")
        assert (
            checkpoints.find(f"{tmp_path}/moved")
            == f"{tmp_path}/moved/" + _newest()[len(f"{_RUN}/") :]
        )

    def test_a_folder_and_a_checkpoint_of_one_name(self, tmp_path: pathlib.Path) -> None:
        prefix = _save(tmp_path / "bert", encoder=_dense())
        (tmp_path / "bert").mkdir()
        assert checkpoints.find(prefix) == prefix

    def test_several(self, tmp_path: pathlib.Path) -> None:
        run = tmp_path / "run"
        for name in ("ckpt-9", "ckpt-10"):
            _save(run / name, encoder=_dense())
        assert checkpoints.find(str(run)) == f"{run}/ckpt-10"

    def test_several_of_different_names(self, tmp_path: pathlib.Path) -> None:
        run = tmp_path / "run"
        for name in ("first", "second"):
            _save(run / name, encoder=_dense())
        assert _error(run) == (
            "A directory given as the checkpoint must hold one, or a file `checkpoint` that names "
            "the newest.\n"
            "  received: FOLDER/run with FOLDER/run/first, FOLDER/run/second\n"
            "  example:  --model_checkpoint_path=FOLDER/run/second"
        )

    def test_none(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "run").mkdir()
        assert _error(tmp_path / "run") == (
            "A directory given as the checkpoint must hold one, or a file `checkpoint` that names "
            "the newest.\n"
            "  received: FOLDER/run with no checkpoint\n"
            "  example:  --model_checkpoint_path=FOLDER/run/bert_model.ckpt"
        )


def test_a_directory_of_the_same_name(tmp_path: pathlib.Path) -> None:
    prefix = _save(tmp_path / "ckpt", root=_Layer(ours=_dense(1.0)))
    pathlib.Path(prefix).mkdir()
    _save(pathlib.Path(prefix) / "ckpt", root=_Layer(theirs=_dense(2.0)))
    checkpoint = checkpoints.read(prefix)
    assert "ours" in {name for node in range(3) for name in checkpoint.children(node)}


class TestMatch:
    """The keys are those of the values that `tf.train.Checkpoint.restore` gives."""

    def _assert_as_restored(self, prefix: str, root: Any) -> dict[Any, str]:
        keys = checkpoints.match(checkpoints.read(prefix), root)
        tf.train.Checkpoint(root=root).read(prefix).expect_partial()
        reader = tf.train.load_checkpoint(prefix)
        for reference, key in keys.items():
            assert reference.deref().numpy().tolist() == reader.get_tensor(key).tolist()
        return keys

    def test_layers_by_name_and_in_lists(self, tmp_path: pathlib.Path) -> None:
        def layers(value: float) -> _Layer:
            return _Layer(first=_dense(value), rest=[_dense(value + 1), _dense(value + 2)])

        root = layers(0.0)
        keys = self._assert_as_restored(_save(tmp_path / "ckpt", root=layers(5.0)), root)
        assert len(keys) == 6
        assert root.rest[1].bias.numpy() == [7.0]

    def test_what_is_shared_is_found_once(self, tmp_path: pathlib.Path) -> None:
        shared, ours = _dense(5.0), _dense(0.0)
        prefix = _save(tmp_path / "ckpt", root=_Layer(a=shared, b=shared))
        assert len(self._assert_as_restored(prefix, _Layer(a=ours, b=ours))) == 2

    def test_a_layer_too_many_and_one_too_few(self, tmp_path: pathlib.Path) -> None:
        prefix = _save(tmp_path / "ckpt", root=_Layer(a=_dense(5.0), b=_dense(6.0)))
        root = _Layer(b=_dense(0.0), c=_dense(0.0))
        keys = self._assert_as_restored(prefix, root)
        assert set(keys) == {root.b.kernel.ref(), root.b.bias.ref()}

    def test_objects_that_hold_each_other(self, tmp_path: pathlib.Path) -> None:
        def circle(value: float) -> _Layer:
            layer = _Layer(inner=_dense(value))
            layer.inner.outer = layer
            return layer

        prefix = _save(tmp_path / "ckpt", root=circle(5.0))
        assert len(self._assert_as_restored(prefix, circle(0.0))) == 2
