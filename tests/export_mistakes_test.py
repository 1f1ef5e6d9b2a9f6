"""Makes each of the mistakes in `export_mistakes.py` through the launcher."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import gin
import pytest

import launch
from exporter import errors
from tests.export_mistakes import EXPORT_MISTAKES
from tests.launch_mistakes import Mistake, Place


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path)
    made.target.mkdir(parents=True)
    (made.target / "saved_model.pb").write_bytes(b"An earlier export.")
    monkeypatch.chdir(tmp_path)
    yield made
    gin.clear_config()


def _files(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("mistake", EXPORT_MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake_is_told_and_nothing_written(
    mistake: Mistake, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    overwrite = [] if mistake.name == "an export that is there" else ["--overwrite"]
    arguments = [f"--export_path={place.target}", *overwrite, *mistake.arguments(place)]
    before = _files(place.folder)
    status = launch.run(["launch.py", *arguments])
    captured = capsys.readouterr()
    told = captured.err[captured.err.index("error: ") :]
    assert told == mistake.told.replace("{folder}", str(place.folder))
    assert captured.out == ""
    assert status == errors.EXIT_USER_ERROR
    assert _files(place.folder) == before


def test_names_are_distinct() -> None:
    names = [mistake.name for mistake in EXPORT_MISTAKES]
    assert len(names) == len(set(names))
