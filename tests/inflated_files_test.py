from __future__ import annotations

import gc
import pathlib
import shutil
import tempfile

import pytest
import tensorflow as tf

from exporter import inflated_files

_CONTENT = bytes(range(256)) * 40 + b"abc"


class _Module(tf.Module):
    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._file = inflated_files.InflatedFile("table.zlib", content)

    @tf.function(autograph=False, input_signature=[])
    def read(self) -> tf.Tensor:
        return self._file.read()


@pytest.mark.parametrize("content", [_CONTENT, b"", b"abcd", b"\0" * 9], ids=len)
def test_read_pads_with_zeros(content: bytes) -> None:
    file = inflated_files.InflatedFile("table.zlib", content)
    read = file.read()
    assert read.dtype == tf.uint8
    assert read.shape == [file.size]
    assert bytes(read.numpy()) == content + b"\0" * (file.size - len(content))
    assert file.size - len(content) < 4


def test_saved_and_saved_again(tmp_path: pathlib.Path) -> None:
    tf.saved_model.save(_Module(_CONTENT), str(tmp_path / "first"))
    tf.saved_model.save(tf.saved_model.load(str(tmp_path / "first")), str(tmp_path / "second"))
    shutil.rmtree(tmp_path / "first")

    loaded = tf.saved_model.load(str(tmp_path / "second"))

    assert bytes(loaded.read().numpy()) == _CONTENT + b"\0"
    assert (tmp_path / "second" / "assets" / "table.zlib").stat().st_size < len(_CONTENT) / 20
    assert str(tmp_path).encode() not in (tmp_path / "second" / "saved_model.pb").read_bytes()
    variables = tf.train.list_variables(str(tmp_path / "second" / "variables" / "variables"))
    assert [name for name, _ in variables] == ["_CHECKPOINTABLE_OBJECT_GRAPH"]


def test_nothing_is_written_until_it_is_saved(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = inflated_files.InflatedFile("table.zlib", _CONTENT)
    path = file._path.numpy()
    assert list(tmp_path.iterdir()) == []
    assert tf.io.gfile.exists(path)
    del file
    gc.collect()
    assert not tf.io.gfile.exists(path)
