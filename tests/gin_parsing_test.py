import ast
import pathlib

import pytest

from exporter import gin_parsing


def _parse(text: str) -> gin_parsing.Parsed:
    return gin_parsing.parse([], [gin_parsing.Source(text, "there")])


def _value(text: str) -> object:
    (binding,) = _parse(f"a.b = {text}").bindings
    return binding.value


def _mistakes(parsed: gin_parsing.Parsed) -> list[str]:
    return [str(mistake) for mistake in parsed.mistakes]


@pytest.mark.parametrize(
    "text",
    ["1", "-1.5e-05", "'x'", '"it\'s"', "None", "True", "(1,)", "[1, 'a', ()]", "{'a': [1]}"],
)
def test_literals_survive(text: str) -> None:
    binding = _parse(f"a.b = {text}").bindings[0]
    assert _parse(binding.text).bindings[0].value == ast.literal_eval(text)


@pytest.mark.parametrize("text", ["@f", "@a/b/m.f()", "%NAME", "%a/b.NAME", "[@f(), {'k': %N}]"])
def test_references_and_macros_survive(text: str) -> None:
    assert repr(_value(text)) == text


def test_walk_finds_what_is_nested() -> None:
    found = list(gin_parsing.walk(_value("[@f, {'k': (%N, 1), %M: @s/g()}]")))
    assert [repr(item) for item in found] == ["@f", "%N", "%M", "@s/g()"]


@pytest.mark.parametrize(
    ("text", "name", "macro"),
    [
        ("a.b = 1", "a.b", None),
        ("s/t/m.a.b = 1", "s/t/m.a.b", None),
        ("NAME = 1", "NAME", "NAME"),
        ("s/NAME = 1", "s/NAME", "s/NAME"),
        ("NAME/macro.value = 1", "NAME/macro.value", "NAME"),
        ("NAME/gin.macro.value = 1", "NAME/gin.macro.value", "NAME"),
    ],
)
def test_names(text: str, name: str, macro: str | None) -> None:
    (binding,) = _parse(text).bindings
    assert (binding.name, binding.macro, binding.text) == (name, macro, text)


def test_blocks_are_flattened() -> None:
    parsed = _parse("s/a:\n  # Comment.\n  b = 1\n  c = 2\nd.e = 3\n")
    assert [(b.text, b.where) for b in parsed.bindings] == [
        ("s/a.b = 1", "there, line 3"),
        ("s/a.c = 2", "there, line 4"),
        ("d.e = 3", "there, line 5"),
    ]


def test_a_single_line_needs_no_number() -> None:
    assert _parse("\na.b = 1\n").bindings[0].where == "there"


def test_includes_apply_where_they_stand(tmp_path: pathlib.Path) -> None:
    inner = tmp_path / "inner.gin"
    inner.write_text("a.b = 2\n")
    outer = tmp_path / "outer.gin"
    outer.write_text("a.b = 1\n\ninclude 'inner.gin'\n\na.b = 3\n")
    parsed = gin_parsing.parse([str(outer)], [gin_parsing.Source("a.b = 4", "--flag=4")])
    assert [(b.text, b.where) for b in parsed.bindings] == [
        ("a.b = 1", f"{outer}:1"),
        ("a.b = 2", f"{inner}:1"),
        ("a.b = 3", f"{outer}:5"),
        ("a.b = 4", "--flag=4"),
    ]


def test_a_file_may_be_included_twice(tmp_path: pathlib.Path) -> None:
    (tmp_path / "c.gin").write_text("a.b = 1\n")
    for name in ("b1", "b2"):
        (tmp_path / f"{name}.gin").write_text("include 'c.gin'\n")
    (tmp_path / "a.gin").write_text("include 'b1.gin'\ninclude 'b2.gin'\n")
    parsed = gin_parsing.parse([str(tmp_path / "a.gin")], [])
    assert _mistakes(parsed) == []
    assert [b.text for b in parsed.bindings] == ["a.b = 1", "a.b = 1"]


def test_a_circle_of_includes_is_told(tmp_path: pathlib.Path) -> None:
    a, b = tmp_path / "a.gin", tmp_path / "b.gin"
    a.write_text("include 'b.gin'\na.b = 1\n")
    b.write_text("\ninclude 'a.gin'\n")
    parsed = gin_parsing.parse([str(a)], [])
    assert _mistakes(parsed) == [
        (
            "A gin file must not include itself, directly or by way of others.\n"
            f"  received: {a} -> {b} -> {a}\n"
            f"  where:    {b}:2"
        )
    ]
    assert [b.text for b in parsed.bindings] == ["a.b = 1"]


@pytest.mark.parametrize("times", [1, 2])
def test_too_many_includes_are_told(tmp_path: pathlib.Path, times: int) -> None:
    """A chain that is too long, and a pyramid of 2 to the power of 300."""
    for i in range(300):
        (tmp_path / f"{i}.gin").write_text(f"include '{i + 1}.gin'\n" * times)
    parsed = gin_parsing.parse([f"{tmp_path}/0.gin"], [])
    assert _mistakes(parsed) == [
        (
            "There must not be more than 200 gin files, each counted as often as it is included.\n"
            "  received: 200.gin\n"
            f"  where:    {tmp_path}/199.gin:1"
        )
    ]


def test_values_that_are_too_deep_are_told() -> None:
    assert _mistakes(_parse(f"a.b = {'[' * 10000}")) == [
        (
            "In a gin file, values must not stand in values hundreds of times deep.\n"
            "  received: [[[[...\n"
            "  where:    there"
        )
    ]


def test_imports_are_listed_in_order() -> None:
    parsed = _parse("import a.b\nfrom c import d\nimport e as f\n")
    assert [(i.text, i.module) for i in parsed.imports] == [
        ("import a.b", "a.b"),
        ("from c import d", "c.d"),
        ("import e as f", "e"),
    ]


def test_dynamic_registration_goes_with_the_bindings_of_its_file() -> None:
    parsed = _parse("from __gin__ import dynamic_registration\nimport json\njson.dumps.indent = 2")
    (binding,) = parsed.bindings
    assert binding.preamble == "from __gin__ import dynamic_registration\nimport json\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a.b = 1\nc.d = vocab.txt\n",
            (
                "This must be a statement of gin: Failed to parse token 'vocab'.\n"
                "  received: c.d = vocab.txt\n"
                "  where:    there, line 2\n"
                "  example:  tokenizer.vocab_file = 'vocab.txt' (text in quotes)"
            ),
        ),
        (
            "a.b 1",
            (
                "This must be a statement of gin: Couldn't parse statement, expected ':' or '='.\n"
                "  received: a.b 1\n"
                "  where:    there\n"
                "  example:  tokenizer.vocab_file = 'vocab.txt' (text in quotes)"
            ),
        ),
        (
            "a.b = 1 2",
            (
                "This must be a statement of gin: Expected newline.\n"
                "  received: a.b = 1 2\n"
                "  where:    there\n"
                "  example:  tokenizer.vocab_file = 'vocab.txt' (text in quotes)"
            ),
        ),
        (
            "include vocab",
            (
                "This must be a statement of gin: Failed to parse token 'vocab'.\n"
                "  received: include vocab\n"
                "  where:    there\n"
                "  example:  tokenizer.vocab_file = 'vocab.txt' (text in quotes)"
            ),
        ),
        (
            "a.b = /tmp/vocab.txt",
            (
                "This must be a statement of gin: Unable to parse value.\n"
                "  received: a.b = /tmp/vocab.txt\n"
                "  where:    there\n"
                "  example:  tokenizer.vocab_file = 'vocab.txt' (text in quotes)"
            ),
        ),
    ],
)
def test_syntax_mistakes(text: str, message: str) -> None:
    assert _mistakes(_parse(text)) == [message]


@pytest.mark.parametrize("text", ["a.b = (1, 2", "a.b = 'x", "a:\n    b = 1\n  c = 2\n", "a.b ="])
def test_unfinished_text_is_one_mistake(text: str) -> None:
    (mistake,) = _mistakes(_parse(text))
    assert mistake.startswith("This must be a statement of gin: ")
    assert "  where:    there" in mistake


def test_a_mistake_hides_none_in_the_next_file(tmp_path: pathlib.Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.gin").write_text(f"{name}.x = 1\n{name} x\n")
    paths = [str(tmp_path / name) for name in ("a.gin", "missing.gin", "b.gin")]
    parsed = gin_parsing.parse(paths, [])
    assert [mistake.where for mistake in parsed.mistakes] == [
        f"{paths[0]}:2",
        f"--gin_file={paths[1]}",
        f"{paths[2]}:2",
    ]
    assert [b.text for b in parsed.bindings] == ["a.x = 1", "b.x = 1"]
