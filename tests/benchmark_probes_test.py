"""What is measured of exports: that it can be, and what it is called."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

import launch
from benchmarks import commands, figures, probes, sizes, sources, text_probes, texts
from benchmarks.workspace import Job, Workspace
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
_WEIGHTS = {"model": "encoder", "model_with_mlm": "encoder"}


class _Exports(Workspace):
    """One contender's exports in the place of both, used in this process."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.size = dataclasses.replace(sizes.SIZES["tiny"], lengths=(16,))
        self.source = sources.Source(_RUN)
        self.sentence_model = None
        self._exports = folder

    def path(self, job: Job) -> pathlib.Path:
        return self._exports / _WEIGHTS.get(job.export_type, job.export_type)

    def probe(self, kind: str, *arguments: object) -> list[float]:
        return probes.PROBES[kind](*map(str, arguments))


@pytest.fixture(scope="module", name="exports")
def _exports(tmp_path_factory: pytest.TempPathFactory) -> _Exports:
    folder = tmp_path_factory.mktemp("benchmark") / "exports"
    flags = [f"--pretraining_dir={_RUN}", "--export_type=all", f"--export_path={folder}"]
    flags += [f"--vocab_file={_RUN / 'vocab.txt'}", "--do_lower_case"]
    flags += ["--gin_params=text_embedding.vector = 'mean'", "--verify=off"]
    assert launch.run(["launch.py", *flags]) == 0
    return _Exports(folder)


def _found(exports: _Exports, group: str) -> dict[str, dict[str, float]]:
    return {figure.name: values for figure, values in figures.measure(exports, [group])}


@pytest.fixture(autouse=True)
def _few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, batches = texts.lines()[:40], texts.batches()[:2]
    monkeypatch.setattr(texts, "lines", lambda: lines)
    monkeypatch.setattr(texts, "batches", lambda: batches)
    monkeypatch.setattr(text_probes, "BATCH_SIZES", dict.fromkeys(text_probes.BATCH_SIZES, 40))
    monkeypatch.setattr(text_probes, "MANY_BATCHES", 220)


@pytest.mark.parametrize(
    ("group", "names"),
    [
        (figures.LOAD, [f"`{kind}`: load" for kind in commands.EXPORT_TYPES]),
        (figures.FORWARD, ["`model`: forward pass, 4 sequences of length 16"]),
        (
            figures.THROUGHPUT,
            [
                *(
                    f"`preprocessing`: batches of 256 {what}, {way}{note}"
                    for what in ("lines", "pairs of lines")
                    for note in ("", ", by processor time")
                    for way in ("one batch at a time", "as many at a time as cores")
                ),
                *(
                    f"`preprocessing`: a line, in batches of {size}"
                    for size in ("1", "32", "256", "4,096")
                ),
                "`preprocessing`: memory after 2,000 batches, of that after 200",
            ],
        ),
        (
            figures.EMBEDDING,
            [
                "`text_embedding`: batches of 32 sentences, against preprocessing and encoder "
                f"{what}{note}"
                for what in ("at 128", "padded to the longest")
                for note in ("", ", by processor time")
            ],
        ),
    ],
)
def test_figures(exports: _Exports, group: str, names: list[str]) -> None:
    found = _found(exports, group)
    assert list(found) == names
    for values in found.values():
        assert list(values) == list(commands.CONTENDERS)
        assert min(values.values()) > 0


def test_what_differs_is_not_measured(exports: _Exports, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "other"
    flags = [f"--vocab_file={_RUN / 'vocab.txt'}", "--export_type=preprocessing"]
    flags += [f"--export_path={other}", "--nodo_lower_case", "--verify=off"]
    flags += ["--gin_params=checks.allow_unlikely_casing = True"]
    assert launch.run(["launch.py", *flags]) == 0
    ours = exports.path(Job(commands.EXPORTER, "preprocessing"))
    with pytest.raises(ValueError, match="Both must give the same input_"):
        exports.probe("throughput", ours, other)
