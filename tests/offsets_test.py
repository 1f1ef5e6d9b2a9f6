from __future__ import annotations

from collections.abc import Callable

import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from exporter import offsets

_Normalize = Callable[[tf.Tensor], tf.Tensor]


def _same(text: tf.Tensor) -> tf.Tensor:
    return text


def _without_accents(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(tf_text.normalize_utf8(text, "NFD"), r"\p{Mn}", "")


def _doubled_x(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(text, "x", "<x>")


def _context_dependent(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(text, "ab", "c")


def _characters(
    texts: list[str], normalize: _Normalize, *, without_spaces: bool = False
) -> list[tuple[str, str]]:
    """Maps each byte of the normalized texts; returns it with its part of the source."""
    normalized = normalize(tf.constant(texts))
    if without_spaces:
        normalized = tf.strings.regex_replace(normalized, " ", "")
    data = b"".join(normalized.numpy())
    positions = tf.range(len(data), dtype=tf.int64)
    starts, limits = offsets.in_source(
        tf.constant(texts), normalize, positions, positions + 1, without_spaces=without_spaces
    )
    rows = tf.repeat(tf.range(len(texts)), tf.strings.length(normalized)).numpy()
    return [
        (chr(byte), texts[row].encode()[start:limit].decode())
        for byte, row, start, limit in zip(data, rows, starts.numpy(), limits.numpy(), strict=True)
    ]


def test_unchanged_text_maps_to_itself() -> None:
    assert _characters(["ab c", "", "d"], _same) == [(c, c) for c in "ab cd"]


def test_what_vanishes_belongs_to_what_is_before_it() -> None:
    text = "e\u0301a\u0300\u0301 é"
    assert _characters([text], _without_accents) == [
        ("e", "e\u0301"),
        ("a", "a\u0300\u0301"),
        (" ", " "),
        ("e", "é"),
    ]


def test_what_grows_is_the_whole_character() -> None:
    assert _characters(["axb"], _doubled_x) == [
        ("a", "a"),
        ("<", "x"),
        ("x", "x"),
        (">", "x"),
        ("b", "b"),
    ]


def test_spaces_may_not_count() -> None:
    texts = [" a  é ", "  ", "b "]
    assert _characters(texts, _without_accents, without_spaces=True) == [
        ("a", "a"),
        ("e", "é"),
        ("b", "b"),
    ]


def test_one_text_out_of_step_shifts_no_other() -> None:
    texts = ["xa", "zabz", "ax"]
    assert _characters(texts, _context_dependent) == [
        ("x", "x"),
        ("a", "a"),
        *((c, "zabz") for c in "zcz"),
        ("a", "a"),
        ("x", "x"),
    ]


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["\u0301"]])
def test_no_tokens(texts: list[str]) -> None:
    none = tf.zeros([0], tf.int64)
    text = tf.constant(texts, tf.string, shape=[len(texts)])
    starts, limits = offsets.in_source(text, _without_accents, none, none)
    assert starts.shape == limits.shape == [0]


def test_empty_tokens_are_empty_in_source() -> None:
    starts, limits = offsets.in_source(
        tf.constant(["ab"]), _same, tf.constant([0, 1], tf.int64), tf.constant([0, 1], tf.int64)
    )
    assert starts.numpy().tolist() == limits.numpy().tolist() == [0, 1]
