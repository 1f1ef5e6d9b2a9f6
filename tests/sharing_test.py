"""What exports of one process share."""

from __future__ import annotations

import os
import pathlib
import weakref

from exporter import sharing


def _count(calls: list[int]) -> int:
    calls.append(1)
    return len(calls)


def test_nothing_is_kept_by_a_single_export() -> None:
    calls: list[int] = []
    assert [sharing.once("kind", "key", lambda: _count(calls)) for _ in range(3)] == [1, 2, 3]
    assert sharing.folder() is None


def test_results_are_kept_while_that_is_asked_for() -> None:
    calls: list[int] = []
    with sharing.results("folder"):
        assert [sharing.once("kind", "key", lambda: _count(calls)) for _ in range(3)] == [1] * 3
        assert sharing.once("kind", "other", lambda: _count(calls)) == 2
        assert sharing.once("other", "key", lambda: _count(calls)) == 3
        assert sharing.folder() == "folder"
        with sharing.results():
            assert sharing.once("kind", "key", lambda: _count(calls)) == 4
        assert sharing.once("kind", "key", lambda: _count(calls)) == 1
    assert sharing.once("kind", "key", lambda: _count(calls)) == 5


def test_as_few_as_asked_for_are_kept_and_the_last_ones() -> None:
    calls: list[int] = []
    with sharing.results():
        for key, expected in (("a", 1), ("b", 2), ("a", 1), ("c", 3), ("a", 1), ("b", 4)):
            assert sharing.once("kind", key, lambda: _count(calls), keep=2) == expected


class _Large:
    def __init__(self) -> None:
        self.cycle = self


def test_what_is_not_kept_is_gone_before_a_new_one_is_made() -> None:
    alive = []

    def make() -> _Large:
        assert [reference for reference in alive if reference() is not None] == []
        return _Large()

    with sharing.results():
        for key in range(3):
            made = sharing.once("large", key, make, keep=1)
            alive.append(weakref.ref(made))
            del made
    assert [reference() for reference in alive] == [None] * 3


def test_versions_of_files(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "file"
    assert sharing.version(str(file)) == (str(file),)
    file.write_text("a")
    first = sharing.version(str(file))
    assert sharing.version(f"{tmp_path}/./file") == first
    os.utime(file, ns=(1, 1))
    assert sharing.version(str(file)) != first
    remote = f"file://{file}"
    assert sharing.version(remote) == (remote, 1, 0)  # TensorFlow gives no parts of seconds.
    assert sharing.version("file:///no/such/file") == ("file:///no/such/file",)
