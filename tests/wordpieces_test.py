from __future__ import annotations

import logging
import pathlib
import random
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from exporter import vocabularies, wordpieces

_WORD_LISTS = {
    "plain": ["[UNK]", "a", "##a", "##b", "##c", "abc", "ab"],
    "suffix indicator as a piece": ["[UNK]", "a", "##", "##b", "ab"],
    "signs of the suffix indicator": ["[UNK]", "a", "#", "###", "##b", "####"],
    "pieces with spaces": ["[UNK]", "a", " ", "##b", "a b", "## "],
    "a line break in a piece": ["[UNK]", "a", "a\u2028b", "##b"],
    "pieces longer than any word": ["[UNK]", "a" * 200, "##" + "b" * 150, "a", "##a", "##b"],
    "characters of several bytes": ["[UNK]", "é", "##é", "中", "##\U0001f600", "a"],
    "the replacement character": ["[UNK]", "a", "\ufffd", "##\ufffd"],
}
_WORDS = [
    "a", "ab", "abc", "abd", "abcabc", "b", "#", "-", "aé", "éé", "中", "a\U0001f600", "\ufffd",
    "a" * 99, "a" * 100, "a" * 101, "é" * 50, "é" * 51, "a" + "b" * 99, "a" + "b" * 150,
]  # fmt: skip
_BYTES = [*(word.encode() for word in _WORDS), b"a\xff", b"\xff", b"\xe4ab", b"\xe4\xb8"]


def _vocabulary(folder: pathlib.Path, pieces: Sequence[str]) -> vocabularies.Vocabulary:
    path = folder / "vocab.txt"
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return vocabularies.read(str(path))


def _reference(pieces: Sequence[str], unknown_token: str = "[UNK]") -> tf_text.WordpieceTokenizer:
    ids = tf.range(len(pieces), dtype=tf.int64)
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(pieces), ids)
    table = tf.lookup.StaticHashTable(initializer, default_value=-1)
    return tf_text.WordpieceTokenizer(table, token_out_type=tf.int32, unknown_token=unknown_token)


def _ways(folder: pathlib.Path, pieces: Sequence[str]) -> list[wordpieces.Wordpieces]:
    vocabulary = _vocabulary(folder, pieces)
    quick = wordpieces.make(vocabulary, "[UNK]")
    assert isinstance(quick, wordpieces.TrieWordpieces)
    return [quick, wordpieces.TableWordpieces(vocabulary, "[UNK]", "for comparison")]


def test_longest_piece_first(tmp_path: pathlib.Path) -> None:
    pieces = ["[UNK]", "un", "unaff", "##aff", "##able", "##ffa"]
    for way in _ways(tmp_path, pieces):
        ids, starts = way.tokenize(tf.constant(["unaffable", "un", "affable"]))
        assert ids.dtype == tf.int32
        assert ids.to_list() == [[2, 4], [1], [0]]
        assert starts.to_list() == [[0, 5], [0], [0]]


@pytest.mark.parametrize("pieces", _WORD_LISTS.values(), ids=_WORD_LISTS.keys())
def test_both_ways_equal_library(tmp_path: pathlib.Path, pieces: list[str]) -> None:
    reference, starts, _ = _reference(pieces).tokenize_with_offsets(_BYTES)
    for way in _ways(tmp_path, pieces):
        ids, way_starts = way.tokenize(tf.constant(_BYTES))
        assert ids.to_list() == reference.to_list()
        assert way_starts.to_list() == starts.to_list()


def test_both_ways_equal_library_on_random_vocabularies(tmp_path: pathlib.Path) -> None:
    rng = random.Random(0)
    alphabet = ["a", "b", "c", "é", "中", "\U0001f600", "#", "-"]
    for _ in range(60):
        pieces = {"[UNK]"}
        for _ in range(rng.randint(1, 40)):
            prefix = "##" if rng.random() < 0.6 else ""
            pieces.add(prefix + "".join(rng.choices(alphabet, k=rng.randint(1, 4))))
        shuffled = rng.sample(sorted(pieces), len(pieces))
        words = ["".join(rng.choices(alphabet, k=rng.randint(1, 14))) for _ in range(200)]
        expected = _reference(shuffled).tokenize(words)
        for way in _ways(tmp_path, shuffled):
            ids, _ = way.tokenize(tf.constant(words))
            np.testing.assert_array_equal(ids.values, expected.values)
            np.testing.assert_array_equal(ids.row_splits, expected.row_splits)


def test_without_unknown_token_is_general_and_told(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    vocabulary = _vocabulary(tmp_path, ["a", "##b"])

    with caplog.at_level(logging.WARNING, logger="exporter"):
        way = wordpieces.make(vocabulary, "[UNK]")

    assert way.why_general == "the vocabulary has no [UNK]"
    assert "has no [UNK]: words that it cannot spell get the id -1" in caplog.text
    ids, _ = way.tokenize(tf.constant(["ab", "x"]))
    assert ids.to_list() == [[0, 1], [-1]]


def test_vocabulary_without_trie_is_general_and_told(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    pieces = ["[UNK]", "a", "\0", "##b"]
    vocabulary = _vocabulary(tmp_path, pieces)

    with caplog.at_level(logging.INFO, logger="exporter"):
        way = wordpieces.make(vocabulary, "[UNK]")

    assert "zero-length key" in (way.why_general or "")
    assert "slower lookups instead" in caplog.text
    ids, _ = way.tokenize(tf.constant(_WORDS))
    assert ids.to_list() == _reference(pieces).tokenize(_WORDS).to_list()


def test_unknown_token_may_be_spelled_otherwise(tmp_path: pathlib.Path) -> None:
    vocabulary = _vocabulary(tmp_path, ["a", "<unk>"])
    ids, _ = wordpieces.make(vocabulary, "<unk>").tokenize(tf.constant(["a", "x"]))
    assert ids.to_list() == [[0], [1]]
