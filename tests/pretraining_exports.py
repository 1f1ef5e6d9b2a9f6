"""Exports of pre-training runs by the public entry, and their comparison with TF-NLP's models."""

from __future__ import annotations

import pathlib

import tensorflow as tf

import launch
from tests import testing
from tests.conformance import comparison


def export(path: pathlib.Path, *flags: str, verify: str = "off") -> int:
    """Runs the launcher and returns its status."""
    return launch.run(["launch.py", f"--export_path={path}", f"--verify={verify}", *flags])


def report(path: pathlib.Path) -> str:
    """Returns what is said of an export."""
    return pathlib.Path(f"{path}.record", "report.txt").read_text(encoding="utf-8")


def assert_equal(source: testing.Source, case: testing.Case, path: pathlib.Path) -> None:
    """Fails unless the export returns what the source returns, at several lengths."""
    loaded = tf.saved_model.load(str(path))
    for batch, length in ((3, 1), (5, 17), (2, case.max_length)):
        inputs = comparison.inputs(case, batch, length)
        inputs = comparison.with_positions(inputs, source(inputs)["sequence_output"])
        comparison.assert_same_outputs(source(inputs), loaded.mlm(inputs))
