"""All entries of a folder are listed, also where links make rings."""

from __future__ import annotations

import os
import pathlib

import tensorflow as tf

from exporter import folder_entries


def test_entries(tmp_path: pathlib.Path) -> None:
    (tmp_path / "assets" / ".hidden").mkdir(parents=True)
    (tmp_path / "assets" / "vocab.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    os.symlink("vocab.txt", tmp_path / "assets" / "link")
    os.symlink("nothing", tmp_path / "nowhere")
    assert folder_entries.read(str(tmp_path)) == folder_entries.Entries(
        files=("assets/link", "assets/vocab.txt", "nowhere"),
        folders=("assets", "assets/.hidden", "empty"),
        links=("assets/link", "nowhere"),
    )


def test_rings_of_links(tmp_path: pathlib.Path) -> None:
    """Each would double the ways: without an end, in practice."""
    for i in range(50):
        os.symlink(".", tmp_path / f"ring{i:02d}")
    entries = folder_entries.read(str(tmp_path))
    assert len(entries.folders) == len(entries.links) == 50
    assert entries.files == ()


def test_a_linked_folder_is_looked_into(tmp_path: pathlib.Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_text("x")
    (tmp_path / "export").mkdir()
    os.symlink(elsewhere, tmp_path / "export" / "assets")
    entries = folder_entries.read(str(tmp_path / "export"))
    assert (entries.files, entries.links) == (("assets/x",), ("assets",))


def test_other_file_systems() -> None:
    tf.io.gfile.makedirs("ram://entries/a")
    with tf.io.gfile.GFile("ram://entries/a/b", "w") as file:
        file.write("x")
    assert folder_entries.read("ram://entries") == folder_entries.Entries(("a/b",), ("a",), ())
