"""The records of a sweep's points."""

from __future__ import annotations

import csv
import pathlib

from exporter.sweep import jobs, results, states


def test_an_axis_of_checkpoints_may_be_the_column_of_their_steps(tmp_path: pathlib.Path) -> None:
    planned = [
        jobs.Job(name, f"{tmp_path}/{name}", {"step": step}, (), "digest", "group", "graphs", 0)
        for name, step in {"a": 300, "b": "best", "c": 400}.items()
    ]
    known = {
        "b": states.State("b", states.SUCCEEDED, "digest", {"step": "best"}, step=200),
        "c": states.State("c", states.FAILED, "digest", {"step": 400}),
    }
    records = results.write(str(tmp_path), planned, known)
    assert [record["step"] for record in records] == [300, 200, 400]
    with (tmp_path / results.CSV).open(newline="") as file:
        header = next(csv.reader(file))
    assert header.count("step") == 1
    assert set(header) == set(results.COLUMNS)
