"""Texts that are replaced whole, by several at a time, or not at all."""

from __future__ import annotations

import errno
import os
import pathlib
import threading
from typing import Any

import pytest
import tensorflow as tf

from exporter import errors
from exporter.sweep import kept_texts


def test_several_replace_one_text(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "folder" / "text"
    failed: list[Exception] = []

    def replace(text: str) -> None:
        try:
            for _ in range(100):
                kept_texts.replace(str(path), text)
                assert path.read_text() in texts
        except Exception as error:  # noqa: BLE001 (told below, not in the thread)
            failed.append(error)

    texts = [letter * 20_000 for letter in "ab"]
    threads = [threading.Thread(target=replace, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert os.listdir(path.parent) == ["text"]


def test_what_killed_processes_left_is_removed(tmp_path: pathlib.Path) -> None:
    for name, time in (
        ("text.1.new", 1),
        ("text.new", 1),
        ("other.1.new", 1),
        ("text.2.new", None),
    ):
        (tmp_path / name).touch()
        if time is not None:
            os.utime(tmp_path / name, (time, time))
    kept_texts.replace(f"{tmp_path}/text", "words")
    assert sorted(os.listdir(tmp_path)) == ["other.1.new", "text", "text.2.new"]


def test_no_room(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text").write_text("old")

    def refuse(*arguments: Any, **more: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "x.new; No space left on device")

    monkeypatch.setattr(tf.io.gfile, "rename", refuse)
    with pytest.raises(errors.UserError) as raised:
        kept_texts.replace(f"{tmp_path}/text", "new")
    assert str(raised.value) == (
        "There must be room and permission to write a sweep's exports and what is known of them. "
        "What is complete stays; when there is room, the same command makes the rest.\n"
        f"  received: {tmp_path}/text (No space left on device)"
    )
    assert os.listdir(tmp_path) == ["text"]
    assert (tmp_path / "text").read_text() == "old"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (tf.errors.ResourceExhaustedError(None, None, "a; No space left on device"), True),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"), False),
        (errors.UserError("A rule.", received="/a (Disk quota exceeded)"), True),
        (errors.UserError("A rule."), False),
        (ValueError("No space left on device"), False),
    ],
)
def test_what_says_that_there_is_no_room(error: Exception, expected: bool) -> None:
    assert kept_texts.is_no_room(error) == expected
