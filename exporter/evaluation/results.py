"""What an evaluation found: as JSON, as text, as a page of HTML, and for TensorBoard."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from exporter import records as kept
from exporter.evaluation import event_files, records, result_pages, result_tables, statistics

JSON, TEXT, PAGE = "results.json", "results.txt", "results.html"
EVENTS = "tensorboard"


def write(evaluation: records.Evaluation, folder: str) -> None:
    """Writes `results.json`, `results.txt`, `results.html` and `tensorboard/ARM/seed_N`.

    Args:
      evaluation: What was found.
      folder: Made where it does not exist; a path that `tf.io.gfile` can write. What an earlier
        evaluation wrote there is replaced.
    """
    kept.write(
        folder,
        {
            JSON: to_json(evaluation),
            TEXT: text(evaluation),
            PAGE: result_pages.page(evaluation),
        },
    )
    event_files.write(evaluation.runs, f"{folder.rstrip('/')}/{EVENTS}")


def to_json(evaluation: records.Evaluation) -> str:
    """Returns all that is known as JSON; what is no finite number is null."""
    compared = statistics.compare_all(evaluation)
    found = {
        **dataclasses.asdict(evaluation),
        "checked": bool(evaluation.checks),
        "checks": [check.as_dict() for check in evaluation.checks],
        "comparisons": [
            {**dataclasses.asdict(one), "outcome": one.outcome.value} for one in compared
        ],
    }
    return json.dumps(_plain(found), indent=2, allow_nan=False, default=str) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):  # Also NumPy's of 64 bits.
        return float(value) if math.isfinite(value) else None
    return value


def text(evaluation: records.Evaluation) -> str:
    """Returns verdicts, scores, speed, checks and settings as text that a person reads."""
    sections = [
        [
            result_tables.title(evaluation.export_path, evaluation.task),
            *result_tables.verdicts(evaluation),
        ],
        result_tables.aligned(result_tables.scores(evaluation)),
        result_tables.aligned(result_tables.speed(evaluation)),
        [line for check in evaluation.checks for line in check.text().split("\n")],
        result_tables.aligned(result_tables.settings(evaluation)),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"
