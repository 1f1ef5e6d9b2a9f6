from __future__ import annotations

import os
import pathlib
import tempfile

import pytest
import tensorflow as tf

from exporter import folders


def _folder(path: pathlib.Path, text: str) -> str:
    path.mkdir()
    (path / "file").write_text(text)
    return str(path)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_rename_takes_the_place_of_another(tmp_path: pathlib.Path, scheme: str) -> None:
    new = _folder(tmp_path / "new", "new")
    folders.rename(f"{scheme}{new}", f"{scheme}{tmp_path}/name")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    newer = _folder(tmp_path / "newer", "newer")
    folders.rename(f"{scheme}{newer}", f"{scheme}{tmp_path}/name")
    assert (tmp_path / "name" / "file").read_text() == "newer"
    # In one step, the old one gets the other name; in two it is removed.
    assert (tmp_path / "newer").exists() == (not scheme)


@pytest.mark.parametrize("fails", ["the first", "the second"])
def test_what_a_rename_in_two_steps_has_moved_away_is_put_back(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    old, new = _folder(tmp_path / "old", "old"), _folder(tmp_path / "new", "new")
    rename, calls = tf.io.gfile.rename, []

    def interrupted(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) == ("the first", "the second").index(fails) + 1:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(tf.io.gfile, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folders.rename(f"file://{new}", f"file://{old}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]
    assert (tmp_path / "old" / "file").read_text() == "old"


def test_removing_follows_no_links(tmp_path: pathlib.Path) -> None:
    """TensorFlow's own `rmtree` would empty the folder that the link leads to."""
    _folder(tmp_path / "precious", "precious")
    _folder(tmp_path / "export", "export")
    (tmp_path / "export" / "assets").symlink_to("../precious")
    folders.remove(str(tmp_path / "export"))
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
    assert (tmp_path / "precious" / "file").read_text() == "precious"


def test_folders_to_be_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to("nothing")
    assert folders.missing(f"{tmp_path}/a/b") == [f"{tmp_path}/a/b", f"{tmp_path}/a"]
    assert folders.missing(str(tmp_path)) == []
    assert folders.missing(f"{tmp_path}/link/a") == [f"{tmp_path}/link/a"]
    assert folders.missing("gs://bucket/a") == []


def test_empty_folders_are_removed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    folders.remove_empty([f"{tmp_path}/a/b/c", f"{tmp_path}/a/b", f"{tmp_path}/a"])
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_temporary_files_within_a_folder(tmp_path: pathlib.Path) -> None:
    before = tempfile.gettempdir()
    with folders.temporary_in(str(tmp_path / "export")):
        descriptor, file = tempfile.mkstemp()
        os.close(descriptor)
        assert pathlib.Path(file).parents[1] == tmp_path / "export"
    assert tempfile.gettempdir() == before
    assert list(tmp_path.rglob("*")) == [tmp_path / "export"]
    with folders.temporary_in("gs://bucket/export"):
        assert tempfile.gettempdir() == before
