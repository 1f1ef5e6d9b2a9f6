"""A sweep's results: one typed record a point, as JSON lines, as CSV and on a page of HTML.

    pandas.read_json("results.jsonl", lines=True, dtype=False)

In CSV all is text, of which readers guess the types: a name of digits becomes a number.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from exporter import folder_locks, folders
from exporter.sweep import jobs, kept_texts, scores, states, sweep_pages

JSON_LINES, CSV, PAGE = "results.jsonl", "results.csv", "results.html"
COLUMNS = jobs.COLUMNS
_MISSING = "missing"
_LOG = "log.txt"


def write(
    folder: str, planned: Sequence[jobs.Job], known: Mapping[str, states.State]
) -> list[dict[str, Any]]:
    """Writes the results of all points, over earlier ones.

    Args:
      folder: The sweep's folder.
      planned: All points' jobs.
      known: What is known of each by its name; nothing of those that were not begun.

    Returns:
      The records.

    Raises:
      UserError: There is no room or permission.
    """
    scored = scores.columns([state.scores for state in known.values()])
    records = [_record(job, known.get(job.name), scored) for job in planned]
    labels = _labels(planned)
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    # A label may be a column, as `step` of checkpoints.
    columns = list(dict.fromkeys(["name", *labels, *COLUMNS[1:], *scored]))
    with _alone_in(folder):  # Or the two could be of different sweeps.
        kept_texts.replace(f"{folder}/{JSON_LINES}", lines)
        kept_texts.replace(f"{folder}/{CSV}", _csv(records, columns))
    return records


def write_page(
    folder: str, planned: Sequence[jobs.Job], records: Sequence[Mapping[str, Any]]
) -> None:
    """Writes the results as a page, over an earlier one.

    Args:
      folder: The sweep's folder.
      planned: All points' jobs.
      records: What `write` has returned.

    Raises:
      UserError: There is no room or permission.
    """
    labels = _labels(planned)
    scored = scores.means(records[0].keys() - {*COLUMNS, *labels}) if records else []
    kept_texts.replace(f"{folder}/{PAGE}", sweep_pages.page(folder, labels, records, scored))


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        with kept_texts.telling(folder):
            tf.io.gfile.makedirs(folder)
            if not folders.is_remote(folder):
                stack.enter_context(folder_locks.alone_in(folder))
        yield


def _labels(planned: Sequence[jobs.Job]) -> list[str]:
    return list(dict.fromkeys(label for job in planned for label in job.values))


def _record(job: jobs.Job, state: states.State | None, scored: Sequence[str]) -> dict[str, Any]:
    """Values in columns of their own, and paths relative to the sweep's folder."""
    paths = {
        "export": job.name,
        "record": f"{job.name}.record",
        "log": f"{job.name}.record/{_LOG}",
    }
    found = {"status": _MISSING} if state is None else vars(state)
    fields = {name: paths.get(name, found.get(name)) for name in COLUMNS[1:]}
    if fields["step"] is None:  # Then an axis of that name still says it.
        fields["step"] = job.values.get("step")
    own = {} if state is None else state.scores
    return {"name": job.name, **job.values, **fields, **{name: own.get(name) for name in scored}}


def _csv(records: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([_cell(record.get(column)) for column in columns])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value
