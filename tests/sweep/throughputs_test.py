"""A sweep measures how many texts a second its exports take, where that is asked for."""

from __future__ import annotations

import pathlib

import pytest

from exporter.sweep import throughputs
from tests.sweep import launcher_cases

_RUN = launcher_cases.TESTDATA / "bert_tiny"
_SWEEP = f"""
tokenizer.vocab_file = '{_RUN}/vocab.txt'
tokenizer.do_lower_case = True
checkpoint.model_checkpoint_path = '{_RUN}'
encoder.encoder_config_file = '{_RUN}/params.yaml'
export.export_type = %TYPE
export.verify = 'off'
sweep.points = @axis()
axis.name = 'TYPE'
axis.values = ['all', 'preprocessing']
sweep.evaluate = @throughput()
throughput.batch_size = 7
throughput.seconds = 0.01
"""


def test_columns_of_the_results(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sweep.gin").write_text(_SWEEP)
    assert launcher_cases.run_sweep(tmp_path) == 0
    records = launcher_cases.records(tmp_path)
    measured = {
        name: [key for key, value in record.items() if "per_second" in key and value is not None]
        for name, record in records.items()
    }
    parts = ("encoder", "preprocessing", "text_embedding")
    assert measured == {
        "all": [f"{part}.texts_per_second" for part in parts],
        "preprocessing": ["preprocessing.texts_per_second"],
    }
    everything = records["all"]
    assert all(everything[name] > 1 for name in measured["all"])
    page = (tmp_path / "out" / "results.html").read_text(encoding="utf-8")
    assert "text_embedding.texts_per_second" in page


_MISTAKES = {
    "throughput.batch_size = 0": (
        "error: throughput.batch_size must be a whole number from 1.\n"
        "  received: 0\n"
        "  where:    {file}:15\n"
        "  example:  throughput.batch_size = 32\n"
    ),
    "throughput.seconds = -1": (
        "error: throughput.seconds must be a number above 0.\n"
        "  received: -1\n"
        "  where:    {file}:15\n"
        "  example:  throughput.seconds = 1.0\n"
    ),
    "sweep.evaluate = [@throughput(), 'scores']": (
        "error: sweep.evaluate must be an object, or a list of objects, which gin makes of names "
        "with parentheses.\n"
        "  received: 'scores'\n"
        "  where:    {file}:15\n"
        "  example:  sweep.evaluate = [@scores(), @throughput()]\n"
    ),
    "axis.values = ['model']": (
        "error: sweep.evaluate = @throughput() needs exports of the type preprocessing or "
        "text_embedding or all.\n"
        "  received: 'model' in model\n"
        "  where:    {file}:11\n"
        "  example:  export.export_type = 'all'\n"
    ),
}


@pytest.mark.parametrize("more", _MISTAKES)
def test_mistakes_are_told_before_anything_starts(
    more: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.gin").write_text(f"{_SWEEP}\n{more}")
    assert launcher_cases.run_sweep(tmp_path) == 2
    log = capsys.readouterr().err
    assert log[log.index("error: ") :] == _MISTAKES[more].format(file=tmp_path / "sweep.gin")
    assert not (tmp_path / "out").exists()


def test_texts_of_a_batch_by_the_median_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first call is not measured; those of 1, 2 and 3 seconds are, until 4 seconds are over.
    times = iter([0.0, *(0.0, 1.0), 1.0, *(1.0, 3.0), 3.0, *(3.0, 6.0), 6.0])
    monkeypatch.setattr(throughputs.time, "perf_counter", lambda: next(times))
    calls: list[str] = []
    measure = throughputs.Throughput(seconds=4.0)
    assert measure._median_seconds(calls.append, "batch") == 2.0
    assert calls == ["batch"] * 4
