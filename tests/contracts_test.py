"""How what was raised by a call is told."""

from __future__ import annotations

import pytest
import tensorflow as tf

from exporter import contracts


def test_long_paths_hide_neither_what_nor_why() -> None:
    path = "/".join(["a_long_folder"] * 40)
    error = tf.errors.DataLossError(
        None,
        None,
        f"{{{{function_node RestoreV2}}}} TensorBundle at {path}: Checksum does not match",
    )
    told = contracts.told(error)
    assert told.startswith("DataLossError: TensorBundle at a_long_folder/")
    assert " ... " in told
    assert told.endswith("a_long_folder: Checksum does not match")
    assert len(told) == 300 + len("DataLossError: ") + len(" ... ")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("\n  first line \nsecond line"), "ValueError: first line"),
        (KeyError(), "KeyError: "),
        (TypeError("got {'a': {1}}"), "TypeError: got {'a': {1}}"),
    ],
)
def test_one_line(error: Exception, expected: str) -> None:
    assert contracts.told(error) == expected
