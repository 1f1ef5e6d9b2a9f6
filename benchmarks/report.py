"""The figures as a table in Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import samples, sizes

_NOTES = """\
Ratios are the exporter's median divided by the predecessor's (`python -m \
official.nlp.tools.export_tfhub`); for lines and pairs per second more is better, else less. \
Beside each median, the smallest and the largest value.

- Commands run in cold processes, in turn, on the same files; rounds of warm-up are not counted. \
Without "verified", the exporter ran with `--verify=off`; with it, as it does by default. The \
predecessor verifies nothing.
- Both ran in the exporter's own environment, to the predecessor's advantage: that of its users \
holds all that `tf-models-official` asks for, more than twice as many packages, and TensorFlow \
imports some of them.
- `all` writes the encoder with its head, the preprocessing and a text embedding, which the \
predecessor cannot write; its three runs write encoder, encoder with head, and preprocessing.
- Peak memory is the largest resident set of any process of the command; `import tensorflow` alone \
was measured in each round, for each as it imports it.
- Load: `tf.saved_model.load` in a cold process that has imported TensorFlow, for preprocessing \
TensorFlow Text, too. Forward pass and preprocessing: both exports in turn in one process, after \
they were found to give the same outputs.
- Preprocessing maps the root callable, or for pairs `tokenize` and `bert_pack_inputs`, over the \
lines of the reference manual that comes with CPython (`pydoc_data.topics`); by processor time \
means the time of all cores together, which other programs disturb less. The 30,522 pieces of the \
vocabulary of BERT-base and BERT-large are the most frequent words, and ends of words, in the \
sources of Python's standard library.
- Text embedding: batches of 32 sentences of that manual, from the shortest to the longest, to \
means over the tokens. What it is compared with are the predecessor's preprocessing and encoder \
one after the other, after all were found to give the same vectors; "padded to the longest" cuts \
their inputs to the longest text of the batch. Peers run in processes of their own.
"""


def markdown(results: Mapping[str, samples.Samples], machine: Mapping[str, str]) -> str:
    """Returns one table for each encoder, with notes.

    Args:
      results: What was measured, by name of the size.
      machine: On what, as names and values.
    """
    parts = []
    for name, found in results.items():
        parts.append(f"**{sizes.SIZES[name].title}**\n\n{table(found.summaries())}\n")
    (runs,) = {len(s.exporter.values) for f in results.values() for s in f.summaries()}
    described = ", ".join(f"{name} {value}" for name, value in machine.items())
    parts.append(f"{_NOTES}- Runs of which these are the medians: {runs}. Machine: {described}.\n")
    return "\n".join(parts)


def table(summaries: Sequence[samples.Summary]) -> str:
    """Returns a table in Markdown, one line a figure."""
    rows = ["| | ratio | predecessor | exporter |", "|---|---|---|---|"]
    for summary in summaries:
        unit = summary.figure.unit
        spreads = [spread_text(s, unit) for s in (summary.predecessor, summary.exporter)]
        rows.append(f"| {summary.figure.name} | **{summary.ratio:.2f}** | {' | '.join(spreads)} |")
    return "\n".join(rows)


def spread_text(spread: samples.Spread, unit: str) -> str:
    """Returns e.g. "28.0 s (27.5 to 28.9)"."""
    low, high = number_text(spread.min), number_text(spread.max)
    return f"{number_text(spread.median)} {unit} ({low} to {high})"


def number_text(value: float) -> str:
    """Returns a number with three digits that count, or all before the point if those are more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def to_json(results: Mapping[str, samples.Samples], machine: Mapping[str, str]) -> str:
    """Returns all values as JSON.

    Args:
      results: What was measured, by name of the size.
      machine: On what, as names and values.
    """
    content = {
        "machine": machine,
        "sizes": {
            name: [_summary_json(summary) for summary in found.summaries()]
            for name, found in results.items()
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _summary_json(summary: samples.Summary) -> dict[str, Any]:
    return {
        "figure": summary.figure.name,
        "unit": summary.figure.unit,
        "more_is_better": summary.figure.more_is_better,
        "ratio": summary.ratio,
        "predecessor": _spread_json(summary.predecessor),
        "exporter": _spread_json(summary.exporter),
    }


def _spread_json(spread: samples.Spread) -> dict[str, Any]:
    return {
        "median": spread.median,
        "min": spread.min,
        "max": spread.max,
        "values": list(spread.values),
    }
