import gin
import pytest

from exporter import gin_macros, gin_parsing


def _bindings(text: str) -> list[gin_parsing.Binding]:
    parsed = gin_parsing.parse([], [gin_parsing.Source(text, "there")])
    assert parsed.mistakes == []
    return parsed.bindings


def _check(text: str) -> list[str]:
    return [str(mistake) for mistake in gin_macros.check(_bindings(text))]


@pytest.mark.parametrize(
    "text",
    [
        "A = 1\nf.x = %A",
        "A = 1\nB = %A\nf.x = [{'k': %B}]",
        "s/A = 1\nf.x = %s/A",
        "A/macro.value = 1\nf.x = @A/macro()",
        "f.x = %A\nA = 1",
        "f.x = %gin.REQUIRED",
        "f.x = %REQUIRED",
    ],
)
def test_right_uses(text: str) -> None:
    assert _check(text) == []


def test_misspelt_use_and_definition_point_at_each_other() -> None:
    assert _check("VOCAB_FILE = 'v'\nf.x = %VOCAB_FLIE") == [
        (
            "A macro that is used must be defined. Did you mean %VOCAB_FILE?\n"
            "  received: %VOCAB_FLIE\n"
            "  where:    there, line 2"
        ),
        (
            "A macro that is defined must be used. Did you mean VOCAB_FLIE?\n"
            "  received: VOCAB_FILE = 'v'\n"
            "  where:    there, line 1"
        ),
    ]


def test_missing_and_needless_macros_without_a_guess() -> None:
    assert _check("A = 1\nf.x = %LENGTH") == [
        (
            "A macro that is used must be defined.\n"
            "  received: %LENGTH\n"
            "  where:    there, line 2\n"
            "  example:  LENGTH = 128"
        ),
        (
            "A macro that is defined must be used.\n"
            "  received: A = 1\n"
            "  where:    there, line 1\n"
            "  example:  tokenizer.vocab_file = %A"
        ),
    ]


def test_macros_that_only_use_each_other_are_needless() -> None:
    assert len(_check("A = %B\nB = %A")) == 2


@pytest.mark.parametrize("text", ["A = [%A]", "A = %B\nB = {1: %A}", "A = (%B,)\nB = @A/macro()"])
def test_a_macro_that_is_its_own_definition(text: str) -> None:
    received = text.partition("\n")[0]
    assert _check(f"{text}\nf.x = %A") == [
        (
            "A macro must not be defined by itself, directly or by way of others.\n"
            f"  received: {received}\n  where:    there, line 1\n  example:  A = 128"
        )
    ]


def test_a_macro_missing_twice_is_told_once() -> None:
    assert len(_check("f.x = %A\nf.y = %A")) == 1


def test_constants_of_python_code_are_defined() -> None:
    gin.constant("gin_macros_test.ANSWER", 42)
    assert gin_macros.is_constant("ANSWER")
    assert _check("f.x = %ANSWER\nf.y = %gin_macros_test.ANSWER") == []


def test_resolve_follows_macros_and_stops() -> None:
    bindings = _bindings("A = %B\nB = 1\nC = %C\nB = 2")
    macros = gin_macros.definitions(bindings)
    assert gin_macros.resolve(gin_parsing.Macro("A"), macros) == 2
    assert gin_macros.resolve(gin_parsing.Macro("C"), macros) == gin_parsing.Macro("C")
    assert gin_macros.resolve(gin_parsing.Macro("D"), macros) == gin_parsing.Macro("D")
    assert gin_macros.resolve("literal", macros) == "literal"


def test_used_counts_only_what_a_parameter_reaches() -> None:
    assert gin_macros.used(_bindings("A = %B\nB = 1\nC = %D\nf.x = %A")) == {"A", "B"}


def test_is_required() -> None:
    assert gin_macros.is_required(gin_parsing.Macro("gin.REQUIRED"))
    assert not gin_macros.is_required(gin_parsing.Macro("A"))
    assert not gin_macros.is_required(None)
