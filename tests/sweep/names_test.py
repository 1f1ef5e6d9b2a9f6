"""Names of exports, made of values."""

from __future__ import annotations

from typing import Any

import pytest

from exporter import errors, gin_parsing
from exporter.sweep import jobs, names, spaces


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
        ("{index:03d}-{length}", "000-64"),
    ],
)
def test_names(template: str | None, expected: str) -> None:
    assert names.of_points([_POINT], template, "here") == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/models/my run/vocab.txt", "vocab"),
        ("/models/my_run/", "my_run"),
        ("a/b.d/spm.model", "spm"),
        ("bert.gin", "bert"),
        ("..", "_"),
        ("../..", "_"),
        ("é$x", "é_x"),
        ("e\u0301", "é"),
        ("词/日本.txt", "日本"),
        ("हिन्दी", "हिन्दी"),
        (True, "True"),
        ({"a": 1}, "a=1"),
        ("1.5", "1.5"),
    ],
)
def test_values_are_safe_in_names(value: Any, expected: str) -> None:
    assert names.of_points([_point(value=value)], None, "here") == [expected]


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (
            "{poler}",
            (
                "The template of names must have labels in braces, of the axes that each point "
                "has: "
                "pooler, length; or {index}.\n"
                "  received: '{poler}' (KeyError: 'poler')\n"
                "  where:    here\n"
                "  example:  sweep.name = '{pooler}-{length}'"
            ),
        ),
        (
            "{length:q}",
            (
                "The template of names must have labels in braces, of the axes that each point "
                "has: "
                "pooler, length; or {index}.\n"
                "  received: '{length:q}' (ValueError: Unknown format code 'q' "
                "for "
                "object of type 'int')\n  where:    here\n"
                "  example:  sweep.name = '{pooler}-{length}'"
            ),
        ),
        (
            "a/{length}",
            (
                "An export's name must have letters, digits and any of _ . + = , -, not begin "
                "with a period and not have more than 200 bytes.\n"
                "  received: 'a/64'\n  where:    here\n"
                "  example:  sweep.name = '{pooler}'"
            ),
        ),
        (
            "{length}.record",
            (
                "An export's name must not end in .record nor begin with results., which is what "
                "is beside exports.\n"
                "  received: 64.record\n  where:    here\n"
                "  example:  sweep.name = 'export-{pooler}'"
            ),
        ),
        (
            "Results.{length}",
            (
                "An export's name must not end in .record nor begin with results., which is what "
                "is beside exports.\n"
                "  received: Results.64\n  where:    here\n"
                "  example:  sweep.name = 'export-{pooler}'"
            ),
        ),
        (
            "{length.real}",
            (
                "The template of names must have labels in braces, of the axes that each point "
                "has: "
                "pooler, length; or {index}.\n"
                "  received: '{length.real}' (KeyError: 'length.real')\n  where:    here\n"
                "  example:  sweep.name = '{pooler}-{length}'"
            ),
        ),
    ],
)
def test_mistakes(template: str, told: str) -> None:
    with pytest.raises(errors.UserError) as raised:
        names.of_points([_point(pooler="a", length=64)], template, "here")
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["/x/a/vocab.txt", "/x/b/vocab.txt", "other.txt"], ["a_vocab", "b_vocab", "other"]),
        (["a/b/vocab.txt", "./c/b/vocab.txt"], ["a_b_vocab", "c_b_vocab"]),
        (["m/spm.model", "m/spm.txt"], ["spm.model", "spm.txt"]),
        (["vocab.txt", "b/vocab.txt"], ["vocab", "b_vocab"]),
        (["gs://a/run/", "gs://b/run/"], ["a_run", "b_run"]),
        (["A/run", "a/run", "b/run"], None),
        ([1, "1"], None),
    ],
)
def test_values_that_look_the_same(values: list[Any], expected: list[str] | None) -> None:
    points = [_point(value=value) for value in values]
    if expected is not None:
        assert names.of_points(points, None, "here") == expected
        return
    with pytest.raises(errors.UserError) as raised:
        names.of_points(points, None, "here")
    assert raised.value.example == "sweep.name = 'export-{index}'"
    assert len(names.of_points(points, "export-{index}", "here")) == len(values)


def test_two_of_one_name() -> None:
    points = [_point(a=1, b="x"), _point(a=1, b="X")]
    with pytest.raises(errors.UserError) as raised:
        names.of_points(points, None, "here")
    assert str(raised.value) == (
        "Each point's export must have a name of its own, whatever the letters' case. axis.labels "
        "says what values are called.\n"
        "  received: 1-X for x.a = 1, x.b = 'x' and for x.a = 1, x.b = 'X'\n  where:    here\n"
        "  example:  sweep.name = 'export-{index}'"
    )


def test_the_example_helps() -> None:
    points = [_point(a=1, b="x"), _point(a=1, b="y", c=3)]
    with pytest.raises(errors.UserError, match="a name of its own") as raised:
        names.of_points(points, "{a}", "here")
    assert raised.value.example == "sweep.name = '{a}-{b}'"
    assert names.of_points(points, "{a}-{b}", "here") == ["1-x", "1-y"]


def test_labels_of_values_are_their_names() -> None:
    points = [(spaces.Choice("b", "x.b", value, "here", f"is_{value}"),) for value in (1, 2)]
    assert names.of_points(points, None, "here") == ["is_1", "is_2"]


@pytest.mark.parametrize(
    ("point", "rule"),
    [
        (_point(status=1), "status is another column of the results, and can be no label."),
        (_point(step=1), "step is another column of the results, and can be no label."),
        (_point(**{"a.b": 1}), "A label must have none of . [ ] { } ! : in it."),
        (_point(**{"a\nb": 1}), "A label must have none of . [ ] { } ! : in it."),
        (_point(seed=1) + _point(seed=2), "Settings of one point must not have the same label."),
    ],
)
def test_labels_that_cannot_be(point: spaces.Point, rule: str) -> None:
    with pytest.raises(errors.UserError) as raised:
        names.check_labels([_point(a=1), point], jobs.COLUMNS)
    assert raised.value.rule == rule


def test_the_step_of_checkpoints_may_be_called_that() -> None:
    point = (spaces.Choice("step", "pretraining.checkpoint", 300, "here"),)
    names.check_labels([point], jobs.COLUMNS)
