"""Ragged tokens and lists, and how a difference is told."""

from __future__ import annotations

import tensorflow as tf

from exporter import token_rows

_DEEP = [[[1, 2], [3]], [], [[], [4]]]


def test_lists_are_those_of_tensorflow() -> None:
    for rows, rank in ((_DEEP, 2), ([[1, 2], [], [3]], 1), ([], 1), ([[], []], 2)):
        made = token_rows.from_lists(rows, rank)
        assert (made.dtype, made.ragged_rank) == (tf.int32, rank)
        assert token_rows.to_lists(made) == made.to_list() == rows
    assert token_rows.flat(token_rows.from_lists(_DEEP, 2)) == [[1, 2, 3], [], [4]]


def test_equal_tokens_do_not_differ() -> None:
    texts = [b"a", b"", b"b"]
    one, other = (token_rows.from_lists(_DEEP, 2) for _ in range(2))
    assert token_rows.difference(one, other, texts) is None
    assert token_rows.flat_difference([[1, 2, 3], [], [4]], other, texts) is None


def test_the_first_difference_is_told_with_its_text() -> None:
    texts = [b"right", "caf\u00e9 in the long text of a test, cut off".encode(), b"wrong, too"]
    expected = token_rows.from_lists([[1], list(range(20)), [2]], 1)
    got = token_rows.from_lists([[1], [*range(10), 77, *range(11, 20)], []], 1)
    found = token_rows.difference(expected, got, texts)
    assert found is not None
    assert found.count == 2
    assert str(found) == (
        "[8, 9, 77, 11, 12, 13, 14, 15] and not [8, 9, 10, 11, 12, 13, 14, 15] from token 8 on, "
        "in 2 of 3 texts, first 'caf\\xe9 in the long text of a test, cut of'..."
    )


def test_tokens_that_end_early_differ() -> None:
    expected, got = (token_rows.from_lists([row], 1) for row in ([1, 2, 3], [1, 2]))
    found = str(token_rows.difference(expected, got, [b"a"]))
    assert found == "[1, 2] and not [1, 2, 3] from token 0 on, in 1 of 1 texts, first 'a'"


def test_other_words_of_the_same_tokens_differ() -> None:
    expected, got = (token_rows.from_lists([row], 2) for row in ([[1], [2]], [[1, 2]]))
    found = str(token_rows.difference(expected, got, [b"\xff"]))
    assert found == "the same tokens in other words, in 1 of 1 texts, first '\\\\xff'"
    flat = token_rows.from_lists([[1, 2]], 1)
    assert str(token_rows.difference(expected, flat, [b"a"])) == "1 ragged dimensions, not 2"
