import collections.abc
from collections.abc import Sequence
from typing import Any, Literal, Optional

import pytest

from exporter import gin_macros, gin_parsing, gin_types, settings

_CALLED = gin_parsing.Reference("", "f", evaluate=True)
_ITSELF = gin_parsing.Reference("", "f", evaluate=False)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", str),
        (True, bool),
        (3, int),
        (3, float),
        (0.5, float),
        (None, int | None),
        (3, Optional[int]),  # noqa: UP045 (what typing makes of it is of another class)
        ("best", str | int),
        (["a"], Sequence[str]),
        (("a", "b"), list[str]),
        ((1, "a"), tuple[int, str]),
        ({"a": 1}, dict[str, int]),
        ("a", Literal["a", "b"]),
        (object(), Any),
        (_CALLED, str),
        (_ITSELF, collections.abc.Callable[[], int]),
        (_ITSELF, Any),
        (gin_parsing.Macro("LATER"), int),
    ],
)
def test_fits(value: object, kind: object) -> None:
    assert gin_types.fits(value, kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3, str),
        ("yes", bool),
        (1, bool),
        ("128", int),
        (128.0, int),
        (True, int),
        (True, float),
        (None, int),
        ("a", Sequence[str]),
        (["a", 1], Sequence[str]),
        ("c", Literal["a", "b"]),
        ("f", collections.abc.Callable[[], int]),
        (_ITSELF, str | None),
        ("x", settings.EncoderSettings),
    ],
)
def test_does_not_fit(value: object, kind: object) -> None:
    assert not gin_types.fits(value, kind)


def _check(text: str) -> list[str]:
    parsed = gin_parsing.parse([], [gin_parsing.Source(text, "there")])
    macros = gin_macros.definitions(parsed.bindings)
    bindings = [binding for binding in parsed.bindings if binding.macro is None]
    return [str(mistake) for mistake in gin_types.check(bindings, macros)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tokenizer.do_lower_case = 'yes'",
            (
                "tokenizer.do_lower_case must be True or False or None.\n"
                "  received: tokenizer.do_lower_case = 'yes'\n"
                "  where:    there\n"
                "  example:  tokenizer.do_lower_case = True"
            ),
        ),
        (
            "preprocessing.disable_assert = 'no'",
            (
                "preprocessing.disable_assert must be True or False.\n"
                "  received: preprocessing.disable_assert = 'no'\n"
                "  where:    there\n"
                "  example:  preprocessing.disable_assert = False"
            ),
        ),
        (
            "pretraining.checkpoint = 1.5",
            (
                "pretraining.checkpoint must be text or an integer.\n"
                "  received: pretraining.checkpoint = 1.5\n"
                "  where:    there\n"
                "  example:  pretraining.checkpoint = 'latest'"
            ),
        ),
        (
            "BertEncoderConfig.num_layers = '12'",
            (
                "BertEncoderConfig.num_layers must be an integer.\n"
                "  received: BertEncoderConfig.num_layers = '12'\n"
                "  where:    there\n"
                "  example:  BertEncoderConfig.num_layers = 12"
            ),
        ),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    assert _check(text) == [message]


def test_a_macro_is_told_with_what_it_stands_for() -> None:
    (mistake,) = _check("LENGTH = '64'\npreprocessing.default_seq_length = %LENGTH")
    assert "  received: preprocessing.default_seq_length = %LENGTH = '64'\n" in mistake
    assert "  where:    there, line 2\n" in mistake


def test_unknown_names_and_parameters_are_not_its_business() -> None:
    assert _check("nothing.x = 1\ntokenizer.nothing = 1") == []
