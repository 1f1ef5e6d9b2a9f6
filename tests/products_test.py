"""What several exports have is made once, in whatever process."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

from exporter import products, sharing


class _Maker:
    """Writes two files, and counts how often."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.count = folder, 0

    def write(self, path: pathlib.Path) -> Callable[[], list[int]]:
        def write() -> list[int]:
            self.count += 1
            (path / "assets").mkdir(parents=True)
            (path / "graph").write_text("graph")
            (path / "assets" / "vocab").write_text("words")
            return [self.count]

        return write

    def make(self, name: str, key: object = ("key", 1)) -> products.Product:
        path = self.folder / name
        return products.make("model", key, str(path), self.write(path))


@pytest.fixture(name="maker")
def _maker(tmp_path: pathlib.Path) -> _Maker:
    return _Maker(tmp_path)


def _inode(path: pathlib.Path) -> int:
    return path.stat().st_ino


def test_a_single_export_makes_everything(maker: _Maker) -> None:
    first, second = maker.make("first"), maker.make("second")
    assert (first.said, second.said) == ([1], [2])
    assert first.digests == second.digests
    assert first.digests["graph"]["size"] == 5
    assert _inode(maker.folder / "first/graph") != _inode(maker.folder / "second/graph")


def test_the_second_one_is_linked(maker: _Maker) -> None:
    with sharing.results(f"{maker.folder}/shared"):
        assert maker.make("first") == maker.make("second")
        assert maker.make("third", key="another").said == [2]
    assert maker.count == 2
    for file in ("graph", "assets/vocab"):
        inodes = {_inode(maker.folder / name / file) for name in ("first", "second", "third")}
        assert len(inodes) == 1


def test_another_process_links_it_too(maker: _Maker) -> None:
    for name in ("first", "second"):
        with sharing.results(f"{maker.folder}/shared"):  # Keeps nothing of the one before.
            assert maker.make(name).said == [1]
    assert _inode(maker.folder / "first/graph") == _inode(maker.folder / "second/graph")


def test_what_only_this_process_knows_stays_here(maker: _Maker) -> None:
    for name in ("first", "second"):
        with sharing.results(f"{maker.folder}/shared"):
            maker.make(name, key=object())
    assert maker.count == 2
    assert [name for name in os.listdir(maker.folder / "shared") if "model" in name] == []


@pytest.mark.parametrize(
    "damage", ["no files", "no folder", "a record cut off", "another record", "a damaged file"]
)
def test_what_is_gone_is_made_again(maker: _Maker, damage: str) -> None:
    shared = maker.folder / "shared"
    with sharing.results(str(shared)):
        maker.make("first")
    (record,) = shared.glob("model-*.json")
    if damage == "no files":
        for file in shared.iterdir():
            if file != record:
                file.unlink()
    elif damage == "no folder":
        shutil.rmtree(shared)
    elif damage == "another record":
        record.write_text(record.read_text().replace('"said": [1]', '"said": [3]'))
    elif damage == "a damaged file":
        (maker.folder / "first" / "assets" / "vocab").write_text("sword")
    else:
        record.write_text(record.read_text()[:20])
    with sharing.results(str(shared)):
        assert maker.make("second").said == [2]
        assert maker.make("third").said == [2]
    assert (maker.folder / "third" / "assets" / "vocab").read_text() == "words"


def test_one_file_of_a_folder(tmp_path: pathlib.Path) -> None:
    counts = []

    def write(path: pathlib.Path) -> None:
        counts.append(1)
        (path / "data").write_text("values")

    with sharing.results(f"{tmp_path}/shared"):
        for name in ("first", "second"):
            path = tmp_path / name
            path.mkdir()
            (path / "other").write_text(name)
            made = products.make("values", "key", str(path), lambda p=path: write(p), name="data")
            assert list(made.digests) == ["data"]
    assert len(counts) == 1
    assert _inode(tmp_path / "first/data") == _inode(tmp_path / "second/data")
    assert (tmp_path / "second/other").read_text() == "second"


def test_results_without_files(tmp_path: pathlib.Path) -> None:
    calls: list[int] = []

    def make() -> dict[str, int]:
        calls.append(1)
        return {"count": len(calls)}

    for _ in range(2):
        with sharing.results(f"{tmp_path}/shared"):
            os.makedirs(f"{tmp_path}/shared", exist_ok=True)
            assert [products.result("score", "key", make) for _ in range(2)] == [{"count": 1}] * 2
    assert [products.result("score", "key", make)["count"] for _ in range(2)] == [2, 3]
