from __future__ import annotations

import os
import pathlib
import socket

import pytest

from exporter import ordinary_files


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_what_never_ends_or_never_begins(tmp_path: pathlib.Path, prefix: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    assert ordinary_files.why_not(f"{prefix}{tmp_path}/pipe") == "a named pipe"
    assert ordinary_files.why_not(f"{prefix}{tmp_path}/link") == "a named pipe"
    assert ordinary_files.why_not(f"{prefix}/dev/zero") == "a device"


def test_a_socket(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # A socket's path may have no more than a hundred bytes.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert ordinary_files.why_not("socket") == "a socket"


def test_a_size_over_the_limit(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 3_000_000_000)
    assert ordinary_files.why_not(str(path), 1 << 20) == "3,000.0 MB, more than 1.0"
    assert ordinary_files.why_not(str(path), 3_000_000_000) is None
    assert ordinary_files.why_not(str(path)) is None


@pytest.mark.parametrize("path", ["", "missing", ".", "a\0b", "x" * 5000, "gs://bucket/vocab.txt"])
def test_of_others_opening_tells(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ordinary_files.why_not(path, 10) is None
