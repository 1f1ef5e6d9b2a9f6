"""Bundles that TensorFlow wrote are read and added to; TensorFlow reads the result."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from exporter import tensor_bundles

_SLICE_BYTES = 1 << 20
_DTYPES = (
    *(tf.bool, tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32, tf.uint32, tf.int64, tf.uint64),
    *(tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128),
)
_OWN = tf.constant([1.0, 2.0])


@pytest.fixture(name="target")
def _target(tmp_path: pathlib.Path) -> str:
    """A bundle to add to, of one tensor."""
    return _save(tmp_path / "target", {"own": _OWN})


@pytest.fixture(name="small")
def _small(tmp_path: pathlib.Path) -> str:
    """A bundle to damage."""
    return _save(tmp_path / "small", {"a/kernel": tf.ones([2, 3]), "a/step": tf.constant(3)})


@pytest.fixture(name="partitioned")
def _partitioned(tmp_path: pathlib.Path) -> str:
    """A `[4, 3]` tensor as a partitioned variable is saved, in slices of two rows."""
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "partitioned"),
        tensor_names=["table", "table"],
        shape_and_slices=["4 3 0,2:-", "4 3 2,2:-"],
        tensors=[tf.zeros([2, 3]), tf.ones([2, 3])],
    )
    return str(tmp_path / "partitioned")


@pytest.fixture(name="sharded")
def _sharded(tmp_path: pathlib.Path) -> str:
    """A bundle of two data files, as several hosts write one."""
    parts = [
        _save(tmp_path / "first", {"a": tf.constant([[0.0, 1.0]]), "b": tf.constant(3)}),
        _save(tmp_path / "second", {"c": tf.constant([1, 2], tf.int64)}),
    ]
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=str(tmp_path / "sharded")
    )
    return str(tmp_path / "sharded")


def _save(prefix: pathlib.Path, tensors: Mapping[str, tf.Tensor]) -> str:
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )
    return str(prefix)


def _assert_holds(prefix: str, expected: Mapping[str, tf.Tensor]) -> None:
    reader = tf.train.load_checkpoint(prefix)
    assert reader.get_variable_to_shape_map().keys() == expected.keys()
    for name, tensor in expected.items():
        got = reader.get_tensor(name)
        assert got.dtype == tensor.dtype.as_numpy_dtype, name
        assert got.shape == tuple(tensor.shape), name
        assert got.tobytes() == tensor.numpy().tobytes(), name


def _index(prefix: str) -> pathlib.Path:
    return pathlib.Path(f"{prefix}.index")


def _data(prefix: str) -> pathlib.Path:
    return pathlib.Path(tensor_bundles.data_file(prefix))


def _error(call: Callable[..., Any], *args: Any) -> str:
    with pytest.raises(tensor_bundles.BundleFormatError) as raised:
        call(*args)
    return str(raised.value)


class TestReadEntries:
    def test_lists_what_tensorflow_lists(self, tmp_path: pathlib.Path) -> None:
        tensors = {"b/kernel": tf.ones([2, 3]), "b/bias": _OWN, "a": tf.constant(7, tf.int64)}
        prefix = _save(tmp_path / "ckpt", tensors)
        entries = tensor_bundles.read_entries(prefix)
        listed = [(name, list(entry.shape)) for name, entry in entries.items()]
        assert listed == tf.train.list_variables(prefix)
        assert [entry.dtype for entry in entries.values()] == [tf.int64, tf.float32, tf.float32]

    @pytest.mark.parametrize("count", [200, 5000])
    def test_many_names_with_common_beginnings(self, tmp_path: pathlib.Path, count: int) -> None:
        names = [f"encoder/layer-{i}/kernel/.ATTRIBUTES/VARIABLE_VALUE" for i in range(count)]
        prefix = _save(tmp_path / "ckpt", {n: tf.constant(i) for i, n in enumerate(names)})
        entries = tensor_bundles.read_entries(prefix)
        assert list(entries) == sorted(names)
        data = _data(prefix).read_bytes()
        for i, name in enumerate(names):
            assert data[entries[name].offset :][:4] == np.int32(i).tobytes()

    def test_finds_the_data_file_of_each_tensor(self, sharded: str) -> None:
        entries = tensor_bundles.read_entries(sharded)
        assert {name: entry.data_file for name, entry in entries.items()} == {
            "a": f"{sharded}.data-00000-of-00002",
            "b": f"{sharded}.data-00000-of-00002",
            "c": f"{sharded}.data-00001-of-00002",
        }

    def test_strings_are_not_plain(self, tmp_path: pathlib.Path) -> None:
        prefix = _save(tmp_path / "ckpt", {"graph": tf.constant("text"), "step": tf.constant(1)})
        entries = tensor_bundles.read_entries(prefix)
        assert [entry.is_plain for entry in entries.values()] == [False, True]

    def test_partitioned_tensors_are_listed_once_and_are_not_plain(self, partitioned: str) -> None:
        entries = tensor_bundles.read_entries(partitioned)
        listed = [(name, list(entry.shape)) for name, entry in entries.items()]
        assert listed == tf.train.list_variables(partitioned) == [("table", [4, 3])]
        assert not entries["table"].is_plain


class TestDamage:
    def test_no_flipped_bit_of_the_index_changes_what_is_read(self, small: str) -> None:
        expected = tensor_bundles.read_entries(small)
        intact = _index(small).read_bytes()
        messages = set()
        for bit in range(8 * len(intact)):
            damaged = bytearray(intact)
            damaged[bit // 8] ^= 1 << bit % 8
            _index(small).write_bytes(damaged)
            try:
                assert tensor_bundles.read_entries(small) == expected
            except tensor_bundles.BundleFormatError as error:
                messages.add(str(error))
        assert messages == {
            "the index is damaged: its checksum differs",
            "the index is compressed",
            f"{small}.index is damaged",
            f"{small}.index is not the index of a checkpoint, or is cut off",
        }

    def test_a_flipped_bit_in_a_block_is_found_by_its_checksum(self, small: str) -> None:
        damaged = bytearray(_index(small).read_bytes())
        damaged[10] ^= 1
        _index(small).write_bytes(damaged)
        message = _error(tensor_bundles.read_entries, small)
        assert message == "the index is damaged: its checksum differs"

    def test_an_index_cut_off_anywhere(self, small: str) -> None:
        intact = _index(small).read_bytes()
        for length in range(len(intact)):
            _index(small).write_bytes(intact[:length])
            message = _error(tensor_bundles.read_entries, small)
            assert message == f"{small}.index is not the index of a checkpoint, or is cut off"

    def test_an_index_that_is_something_else(self, small: str) -> None:
        _index(small).write_text('model_checkpoint_path: "ckpt-200"\n' * 10)
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{small}.index is not the index of a checkpoint, or is cut off"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (b"\xff", "{prefix}.index is damaged"),
            (tensor_bundle_pb2.BundleEntryProto(dtype=99), "{prefix}.index is damaged"),
            (tensor_bundle_pb2.BundleEntryProto(size=-1), "{prefix}.index is damaged"),
            (tensor_bundle_pb2.BundleEntryProto(dtype=1, offset=-8), "{prefix}.index is damaged"),
        ],
    )
    def test_entries_that_make_no_sense(self, small: str, value: Any, message: str) -> None:
        header = tensor_bundle_pb2.BundleHeaderProto(num_shards=1).SerializeToString()
        entry = value if isinstance(value, bytes) else value.SerializeToString()
        _index(small).write_bytes(tensor_bundles._table({b"": header, b"a": entry}))
        assert _error(tensor_bundles.read_entries, small) == message.format(prefix=small)

    def test_what_never_ends_in_place_of_a_file(self, small: str) -> None:
        _data(small).unlink()
        os.mkfifo(_data(small))
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{_data(small)} is no ordinary file (a named pipe)"
        _index(small).unlink()
        _index(small).symlink_to("/dev/zero")
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{small}.index is no ordinary index (a device)"

    def test_a_folder_in_place_of_the_data(self, small: str) -> None:
        _data(small).unlink()
        _data(small).mkdir()
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{_data(small)} is no ordinary file (a folder)"

    def test_an_index_of_three_gigabytes(self, small: str) -> None:
        os.truncate(_index(small), 3_000_000_000)
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{small}.index is no ordinary index (3,000.0 MB, more than 67.1)"

    def test_a_table_without_a_header(self, small: str) -> None:
        _index(small).write_bytes(tensor_bundles._table({b"key": b"value"}))
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{small}.index has no header"

    def test_the_other_byte_order(self, small: str) -> None:
        header = tensor_bundle_pb2.BundleHeaderProto(
            num_shards=1, endianness=tensor_bundle_pb2.BundleHeaderProto.BIG
        )
        _index(small).write_bytes(tensor_bundles._table({b"": header.SerializeToString()}))
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{small}.index was written on a big-endian machine"

    def test_a_missing_data_file(self, small: str) -> None:
        _data(small).unlink()
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{small}.data-00000-of-00001 is missing"

    def test_one_missing_data_file_of_several(self, sharded: str) -> None:
        pathlib.Path(f"{sharded}.data-00001-of-00002").unlink()
        message = _error(tensor_bundles.read_entries, sharded)
        assert message == f"{sharded}.data-00001-of-00002 is missing"

    def test_a_data_file_that_is_too_short(self, small: str) -> None:
        _data(small).write_bytes(_data(small).read_bytes()[:-1])
        message = _error(tensor_bundles.read_entries, small)
        assert message == f"{_data(small)} has 27 bytes of at least 28: cut off?"

    def test_a_data_file_that_is_too_short_for_a_slice(self, partitioned: str) -> None:
        _data(partitioned).write_bytes(_data(partitioned).read_bytes()[:-1])
        message = _error(tensor_bundles.read_entries, partitioned)
        assert message == f"{_data(partitioned)} has 47 bytes of at least 48: cut off?"

    def test_a_data_file_that_shrinks_meanwhile(self, small: str) -> None:
        entry = tensor_bundles.read_entries(small)["a/kernel"]
        _data(small).write_bytes(b"\0" * 8)
        message = _error(lambda: list(tensor_bundles.read_slices(entry)))
        assert message == f"{_data(small)} has become shorter while it was read"

    def test_damaged_values_stay_recognizable(self, small: str, target: str) -> None:
        damaged = bytearray(_data(small).read_bytes())
        damaged[0] ^= 1
        _data(small).write_bytes(damaged)
        tensor_bundles.append(target, {"copy": tensor_bundles.read_entries(small)["a/kernel"]})
        with pytest.raises(tf.errors.OpError, match="Checksum does not match: stored"):
            tf.train.load_checkpoint(target).get_tensor("copy")


class TestAppend:
    @pytest.mark.parametrize("dtype", _DTYPES, ids=lambda dtype: dtype.name)
    @pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3, 4)], ids=str)
    def test_every_dtype_and_shape(
        self, tmp_path: pathlib.Path, target: str, dtype: tf.DType, shape: tuple[int, ...]
    ) -> None:
        tensor = tf.cast(tf.reshape(tf.range(np.prod(shape, dtype=int)) % 7, shape), dtype)
        source = _save(tmp_path / "source", {"before": tf.constant(1), "x": tensor})
        tensor_bundles.append(target, {"x": tensor_bundles.read_entries(source)["x"]})
        _assert_holds(target, {"own": _OWN, "x": tensor})

    @pytest.mark.parametrize("size", [_SLICE_BYTES - 1, _SLICE_BYTES, 2 * _SLICE_BYTES + 1])
    def test_tensors_of_several_slices(
        self, tmp_path: pathlib.Path, target: str, size: int
    ) -> None:
        tensor = tf.cast(tf.range(size) % 251, tf.uint8)
        entries = tensor_bundles.read_entries(_save(tmp_path / "source", {"x": tensor}))
        slices = [len(piece) for piece in tensor_bundles.read_slices(entries["x"])]
        assert max(slices) <= _SLICE_BYTES
        assert sum(slices) == size
        tensor_bundles.append(target, entries)
        _assert_holds(target, {"own": _OWN, "x": tensor})

    def test_many_names_with_common_beginnings(self, tmp_path: pathlib.Path, target: str) -> None:
        tensors = {f"layer_with_weights-{i}/kernel": tf.constant([i, -i]) for i in range(5000)}
        source = _save(tmp_path / "source", tensors)
        tensor_bundles.append(target, tensor_bundles.read_entries(source))
        _assert_holds(target, {"own": _OWN, **tensors})

    def test_names_in_any_order_and_alphabet(self, tmp_path: pathlib.Path, target: str) -> None:
        five = tf.constant(5)
        entries = tensor_bundles.read_entries(_save(tmp_path / "source", {"x": five}))
        names = ["own2", "a", "ow", "größe/ß", "𝛽"]
        tensor_bundles.append(target, dict.fromkeys(names, entries["x"]))
        _assert_holds(target, {"own": _OWN, **dict.fromkeys(names, five)})

    def test_sources_of_several_data_files(self, target: str, sharded: str) -> None:
        tensor_bundles.append(target, tensor_bundles.read_entries(sharded))
        copied = {"a": tf.constant([[0.0, 1.0]]), "b": tf.constant(3)}
        _assert_holds(target, {"own": _OWN, **copied, "c": tf.constant([1, 2], tf.int64)})

    def test_repeatedly(self, tmp_path: pathlib.Path, target: str) -> None:
        tensors = {"x": tf.constant(5), "y": tf.constant([6, 7])}
        entries = tensor_bundles.read_entries(_save(tmp_path / "source", tensors))
        tensor_bundles.append(target, {"x": entries["x"]})
        tensor_bundles.append(target, {"y": entries["y"]})
        tensor_bundles.append(target, {})
        _assert_holds(target, {"own": _OWN, **tensors})

    def test_a_tensor_under_two_names_is_stored_once(
        self, tmp_path: pathlib.Path, target: str
    ) -> None:
        tensor = tf.range(1000)
        entries = tensor_bundles.read_entries(_save(tmp_path / "source", {"x": tensor}))
        before = _data(target).stat().st_size
        tensor_bundles.append(target, {"x": entries["x"], "also_x": entries["x"]})
        assert _data(target).stat().st_size == before + 4000
        _assert_holds(target, {"own": _OWN, "x": tensor, "also_x": tensor})

    def test_leaves_the_source_as_it_was(self, small: str, target: str) -> None:
        before = [file.read_bytes() for file in (_index(small), _data(small))]
        tensor_bundles.append(target, tensor_bundles.read_entries(small))
        assert [file.read_bytes() for file in (_index(small), _data(small))] == before

    def test_refuses_a_name_that_is_there_already(
        self, tmp_path: pathlib.Path, target: str
    ) -> None:
        entries = tensor_bundles.read_entries(_save(tmp_path / "source", {"own": _OWN}))
        message = _error(tensor_bundles.append, target, entries)
        assert message == f"{target} has a tensor 'own' already"

    def test_refuses_strings(self, tmp_path: pathlib.Path, target: str) -> None:
        entries = tensor_bundles.read_entries(_save(tmp_path / "source", {"x": tf.constant("a")}))
        with pytest.raises(ValueError, match=r"^x is not stored in one piece$"):
            tensor_bundles.append(target, entries)

    def test_refuses_partitioned_tensors(self, partitioned: str, target: str) -> None:
        entries = tensor_bundles.read_entries(partitioned)
        with pytest.raises(ValueError, match=r"^table is not stored in one piece$"):
            tensor_bundles.append(target, entries)


class TestPrepend:
    def test_a_data_file_before_the_one_that_there_is(self, small: str, target: str) -> None:
        entries = tensor_bundles.read_entries(small)
        source = tf.train.load_checkpoint(small)
        tensors = dict(reversed(entries.items()))
        tensor_bundles.prepend(
            target, tensors, lambda file: tensor_bundles.write_data(file, tensors)
        )
        _assert_holds(
            target, {"own": _OWN, **{n: tf.constant(source.get_tensor(n)) for n in tensors}}
        )
        first = pathlib.Path(f"{target}.data-00000-of-00002").read_bytes()
        assert first == b"".join(source.get_tensor(name).tobytes() for name in tensors)
        assert sorted(path.name for path in pathlib.Path(target).parent.glob("target*")) == [
            f"target.{name}" for name in ("data-00000-of-00002", "data-00001-of-00002", "index")
        ]

    def test_it_is_the_same_whatever_it_belongs_to(
        self, tmp_path: pathlib.Path, small: str, target: str
    ) -> None:
        other = _save(tmp_path / "other", {"more": tf.range(5), "zzz": _OWN})
        entries = tensor_bundles.read_entries(small).values()
        contents = []
        for prefix, names in ((target, "abc"), (other, "zyx")):
            tensors = dict(zip(names, entries, strict=False))
            tensor_bundles.prepend(
                prefix, tensors, lambda file, t=tensors: tensor_bundles.write_data(file, t)
            )
            contents.append(pathlib.Path(f"{prefix}.data-00000-of-00002").read_bytes())
        assert contents[0] == contents[1] != b""

    def test_refuses_a_name_that_is_there_already(
        self, tmp_path: pathlib.Path, target: str
    ) -> None:
        entries = tensor_bundles.read_entries(_save(tmp_path / "source", {"own": _OWN}))
        with pytest.raises(tensor_bundles.BundleFormatError, match="has a tensor 'own' already"):
            tensor_bundles.prepend(target, entries, lambda _: None)
        _assert_holds(target, {"own": _OWN})
