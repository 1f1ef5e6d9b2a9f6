"""Conditions on a point's values."""

from __future__ import annotations

from typing import Any

import pytest

from exporter import errors
from exporter.sweep import conditions

_VALUES: dict[str, Any] = {"length": 128, "pooler": "identity_pooler", "seed": None}
_RULE = "A condition of a sweep must be an expression of labels. "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("length <= 128", True),
        ("64 < length < 128", False),
        ("length % 64 == 0 and -length * 2 + 300 - 1 > 40", True),
        ("pooler == 'identity_pooler' or nothing", True),
        ("not pooler in ['identity_pooler', 'restored_pooler']", False),
        ("pooler not in ('a', 'b')", True),
        ("seed is None and length / 2 == length // 2", True),
        ("seed is not None", False),
        (" length != 1 \n", True),
    ],
)
def test_holds(text: str, expected: bool) -> None:
    assert conditions.parse(text, "here").holds(_VALUES) is expected


@pytest.mark.parametrize(
    ("text", "rule", "received"),
    [
        (
            "lenght < 3",
            f"{_RULE}Its names must be labels of axes: length, pooler, seed. Did you mean length?",
            "lenght in 'lenght < 3'",
        ),
        (
            "__import__('os')",
            f"{_RULE}It takes labels, literals, comparisons, logic and arithmetic, nothing else.",
            "__import__('os')",
        ),
        (
            "pooler.upper",
            f"{_RULE}It takes labels, literals, comparisons, logic and arithmetic, nothing else.",
            "pooler.upper",
        ),
        (
            "2 ** length > 1",
            f"{_RULE}It takes labels, literals, comparisons, logic and arithmetic, nothing else.",
            "2 ** length",
        ),
        (
            "seed < 3",
            f"{_RULE}It fails: '<' not supported between instances of 'NoneType' and 'int'.",
            "with {'length': 128, 'pooler': 'identity_pooler', 'seed': None}",
        ),
        (
            "'a' * 10000000000 == pooler",
            f"{_RULE}It computes with numbers alone.",
            "'a' * 10000000000",
        ),
        (
            "'%1000000000d' % length == pooler",
            f"{_RULE}It computes with numbers alone.",
            "'%1000000000d' % length",
        ),
        (
            "[1] + [2] == seed",
            f"{_RULE}It computes with numbers alone.",
            "[1] + [2]",
        ),
        (
            "length % 0 == 0",
            f"{_RULE}It fails: integer modulo by zero.",
            "with {'length': 128, 'pooler': 'identity_pooler', 'seed': None}",
        ),
    ],
)
def test_mistakes(text: str, rule: str, received: str) -> None:
    with pytest.raises(errors.UserError) as raised:
        conditions.parse(text, "here").holds(_VALUES)
    assert str(raised.value) == (
        f"{rule}\n  received: {received}\n  where:    here\n"
        "  example:  where.keep = \"default_seq_length <= 128 or pooler == 'identity_pooler'\""
    )


def test_no_expression() -> None:
    with pytest.raises(errors.UserError, match="must be an expression of labels: ") as raised:
        conditions.parse("length <", "here")
    assert raised.value.received == "'length <'"


@pytest.mark.parametrize("text", ["(" * 5000 + "1" + ")" * 5000, "not " * 5000 + "seed"])
def test_depth(text: str) -> None:
    with pytest.raises(errors.UserError, match="must be an expression of labels") as raised:
        conditions.parse(text, "here").holds(_VALUES)
    assert len(str(raised.value)) < 1000
