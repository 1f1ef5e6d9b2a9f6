"""Names of exports, made of values."""

from __future__ import annotations

from typing import Any

import pytest

from exporter import errors, gin_parsing
from exporter.sweep import names, spaces


def _point(**values: Any) -> spaces.Point:
    return tuple(spaces.Choice(label, f"x.{label}", v, "here") for label, v in values.items())


_POINT = _point(
    pooler=gin_parsing.Reference("", "exporter.identity_pooler", False),
    length=64,
    file="configs/encoders/bert_tiny.gin",
    rate=0.5,
    seed=None,
    many=[1, 2],
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (None, "identity_pooler-64-bert_tiny-0.5-None-1_2"),
        ("{pooler}", "identity_pooler"),
        ("bert,{length:05d}={rate:.2f}+{seed}", "bert,00064=0.50+None"),
        ("{file}_{many}", "bert_tiny_1_2"),
    ],
)
def test_names(template: str | None, expected: str) -> None:
    assert names.name(_POINT, template, "here") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/models/my run/vocab.txt", "vocab"),
        ("/models/my_run/", "my_run"),
        ("a/b.d/spm.model", "spm"),
        ("bert.gin", "bert"),
        ("..", "_"),
        ("../..", "_"),
        ("é$x", "_x"),
        (True, "True"),
        ({"a": 1}, "a=1"),
        ("1.5", "1.5"),
    ],
)
def test_values_are_safe_in_names(value: Any, expected: str) -> None:
    assert names.name(_point(value=value), None, "here") == expected


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (
            "{poler}",
            (
                "The template of names must have labels in braces, of the axes that each point "
                "has: "
                "pooler, length.\n  received: '{poler}' (KeyError: 'poler')\n  where:    here\n"
                "  example:  sweep.name = '{pooler}-{length}'"
            ),
        ),
        (
            "{length:q}",
            (
                "The template of names must have labels in braces, of the axes that each point "
                "has: "
                "pooler, length.\n  received: '{length:q}' (ValueError: Unknown format code 'q' "
                "for "
                "object of type 'int')\n  where:    here\n"
                "  example:  sweep.name = '{pooler}-{length}'"
            ),
        ),
        (
            "a/{length}",
            (
                "An export's name must have 1 to 200 letters, digits and any of _ . + = , - and "
                "not "
                "begin with a period.\n  received: 'a/64'\n  where:    here\n"
                "  example:  sweep.name = '{pooler}'"
            ),
        ),
        (
            "{length}.record",
            (
                "An export's name must not end in .record: what is beside an export has that "
                "name.\n"
                "  received: 64.record\n  where:    here\n"
                "  example:  sweep.name = 'export-{pooler}'"
            ),
        ),
    ],
)
def test_mistakes(template: str, told: str) -> None:
    with pytest.raises(errors.UserError) as raised:
        names.name(_point(pooler="a", length=64), template, "here")
    assert str(raised.value) == told


def test_two_of_one_name() -> None:
    points = [_point(a=1, b="x"), _point(a=1, b="X")]
    with pytest.raises(errors.UserError) as raised:
        names.require_unique(["1-x", "1-X"], points, "here")
    assert str(raised.value) == (
        "Each point's export must have a name of its own, whatever the letters' case.\n"
        "  received: 1-X for x.a = 1, x.b = 'x' and for x.a = 1, x.b = 'X'\n  where:    here\n"
        "  example:  sweep.name = '{a}-{b}'"
    )
    names.require_unique(["1-x", "2-x"], points, "here")
