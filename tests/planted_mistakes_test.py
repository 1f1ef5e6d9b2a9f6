import pathlib
import re

import pytest

import launch
from exporter import errors
from tests import (
    planted_arguments,
    planted_files,
    planted_sizes,
    planted_sources,
    planted_types,
    planted_vocabularies,
    testing,
)
from tests.planted_warnings import DOUBTS, Doubt

MISTAKES = [
    *planted_sizes.MISTAKES,
    *planted_types.MISTAKES,
    *planted_files.MISTAKES,
    *planted_vocabularies.MISTAKES,
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> planted_sources.Sources:
    return planted_sources.Sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture
def place(tmp_path: pathlib.Path, sources: planted_sources.Sources) -> planted_sources.Place:
    return planted_sources.Place(tmp_path, sources)


def _export(place: planted_sources.Place, arguments: list[str]) -> int:
    return launch.run(["launch.py", f"--export_path={place.folder / 'exports' / 'it'}", *arguments])


def _report(place: planted_sources.Place) -> str:
    return (place.folder / "exports" / "it.record" / "report.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake_is_refused_and_nothing_written(
    mistake: planted_arguments.Mistake,
    place: planted_sources.Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = list(mistake.arguments(place))
    status = _export(place, arguments)
    told = capsys.readouterr().err
    for name, folder in (
        ("{folder}", place.folder),
        ("{sources}", place.sources.folder),
        ("{testdata}", testing.TESTDATA),
    ):
        told = told.replace(str(folder), name)
    assert told[told.index("error: ") :] == mistake.told
    assert status == errors.EXIT_USER_ERROR
    assert not list(place.folder.glob("exports/*"))
    assert not list(place.folder.glob("exports/.*"))


@pytest.mark.parametrize("doubt", DOUBTS, ids=lambda doubt: doubt.name)
def test_doubt_is_warned_of(
    doubt: Doubt, place: planted_sources.Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(place, list(doubt.arguments(place))) == 0
    report, told = _report(place), capsys.readouterr().err
    warnings = re.findall(r"^warning: (.*)$", report, re.MULTILINE)
    assert len(warnings) == len(doubt.warnings), report
    for warning, expected in zip(warnings, doubt.warnings, strict=True):
        assert re.fullmatch(expected, warning), warning
        assert f"warning: {warning}\n" in told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            planted_arguments.vocabulary(lambda pieces: pieces[:-3]),
            "checks.allow_padded_vocabulary = True",
        ),
        (
            planted_arguments.changed(planted_arguments.with_own_head),
            "checks.ignored_values = ['my_head/.*']",
        ),
        (planted_arguments.run(), "checks.allow_unlikely_casing = True"),
    ],
    ids=["padded vocabulary", "ignored values", "unlikely casing"],
)
def test_exceptions_are_allowed_by_name(
    arguments: planted_arguments.Arguments, expected: str, place: planted_sources.Place
) -> None:
    assert _export(place, [*arguments(place), f"--gin_params={expected}"]) == 0


def test_vocabulary_of_no_english_is_not_scored(place: planted_sources.Place) -> None:
    assert _export(place, list(planted_arguments.flags("bert")(place))) == 0
    assert "masked words: not scored: the vocabulary is not made for English\n" in _report(place)


def test_there_are_enough_mistakes_and_each_has_a_name() -> None:
    names = [row.name for row in (*MISTAKES, *DOUBTS)]
    assert len(names) == len(set(names)) >= 60
