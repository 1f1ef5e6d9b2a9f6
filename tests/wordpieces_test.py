from __future__ import annotations

import pathlib
from collections.abc import Sequence

import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.python.ops import bert_tokenizer

from exporter import normalizers, vocabularies, wordpieces

_WORD_LISTS = {
    "plain": ["[UNK]", "a", "##a", "##b", "##c", "abc", "ab"],
    "suffix indicator as a piece": ["[UNK]", "a", "##", "##b", "ab"],
    "signs of the suffix indicator": ["[UNK]", "a", "#", "###", "##b", "####"],
    "pieces with spaces": ["[UNK]", "a", " ", "##b", "a b", "## ", "[/1]"],
    "a control character": ["[UNK]", "a", "\x01", "##b"],
    "pieces longer than any word": ["[UNK]", "a" * 200, "##" + "b" * 150, "a", "##a", "##b"],
    "characters of several bytes": ["[UNK]", "é", "##é", "中", "##\U0001f600", "a"],
    "the replacement character": ["[UNK]", "a", "\ufffd", "##\ufffd"],
}
_WORDS = [
    "a", "ab", "abc", "abd", "abcabc", "b", "#", "-", "aé", "éé", "中", "a\U0001f600", "\ufffd",
    "a" * 99, "a" * 100, "a" * 101, "é" * 50, "é" * 51, "a" + "b" * 99, "a" + "b" * 150,
]  # fmt: skip
_BYTES = [*(word.encode() for word in _WORDS), b"a\xff", b"\xff", b"\xe4ab", b"\xe4\xb8"]
_NORMALIZER = normalizers.WordpieceNormalizer(lower_case=False, strip_accents=False)


def _vocabulary(folder: pathlib.Path, pieces: Sequence[str]) -> vocabularies.Vocabulary:
    path = folder / "vocab.txt"
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return vocabularies.read(str(path))


def _table(pieces: Sequence[str]) -> tf.lookup.StaticHashTable:
    ids = tf.range(len(pieces), dtype=tf.int64)
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(pieces), ids)
    return tf.lookup.StaticHashTable(initializer, default_value=-1)


def _reference(pieces: Sequence[str]) -> tf_text.WordpieceTokenizer:
    return tf_text.WordpieceTokenizer(_table(pieces), token_out_type=tf.int32)


def _ways(
    folder: pathlib.Path, pieces: Sequence[str], unknown_token: str = "[UNK]"
) -> list[wordpieces.QuickWay | wordpieces.GeneralWay]:
    vocabulary = _vocabulary(folder, pieces)
    return [
        wordpieces.QuickWay(vocabulary, unknown_token, _NORMALIZER),
        wordpieces.GeneralWay(vocabulary, unknown_token, _table(pieces)),
    ]


def test_longest_piece_first(tmp_path: pathlib.Path) -> None:
    pieces = ["[UNK]", "un", "unaff", "##aff", "##able", "##ffa"]
    for way in _ways(tmp_path, pieces):
        ids, starts = way.tokenize_words(tf.constant(["unaffable", "un", "affable"]))
        assert ids.dtype == tf.int32
        assert ids.to_list() == [[2, 4], [1], [0]]
        assert starts.to_list() == [[0, 5], [0], [0]]


@pytest.mark.parametrize("pieces", _WORD_LISTS.values(), ids=_WORD_LISTS.keys())
def test_both_ways_equal_library(tmp_path: pathlib.Path, pieces: list[str]) -> None:
    reference, starts, _ = _reference(pieces).tokenize_with_offsets(_BYTES)
    for way in _ways(tmp_path, pieces):
        ids, way_starts = way.tokenize_words(tf.constant(_BYTES))
        assert ids.to_list() == reference.to_list()
        assert way_starts.to_list() == starts.to_list()


def test_text_and_its_words_have_the_same_pieces(tmp_path: pathlib.Path) -> None:
    quick, _ = _ways(tmp_path, ["[UNK]", "a", "##b", "#", "##", "####b", "###", "b"])

    text = tf.constant(["ab a##b  #a-\u2028b", "", "\u00a0b b"])

    words = [[[1, 2], [1], [3], [3], [7], [3], [1], [0], [0]], [], [[0], [7]]]
    assert quick.tokenize_by_words(text).to_list() == words
    assert quick.tokenize(text).to_list() == [[1, 2, 1, 3, 3, 7, 3, 1, 0, 0], [], [0, 7]]


def test_missing_unknown_token_is_minus_one(tmp_path: pathlib.Path) -> None:
    for way in _ways(tmp_path, ["a", "##b"]):
        ids, _ = way.tokenize_words(tf.constant(["ab", "x"]))
        assert ids.to_list() == [[0, 1], [-1]]
    quick, _ = _ways(tmp_path, ["a", "##b"])
    assert quick.tokenize_by_words(tf.constant(["ab x ab"])).to_list() == [[[0, 1], [-1], [0, 1]]]


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        (["[UNK]", "a", "\u00a0", "b\u3000c"], r"a piece holds U\+00A0, U\+3000"),
        (["[UNK]", "[CLS]"], "No valid vocab tokens"),
    ],
)
def test_no_quick_way_is_told(tmp_path: pathlib.Path, pieces: list[str], why: str) -> None:
    vocabulary = _vocabulary(tmp_path, pieces)
    with pytest.raises(ValueError, match=why):
        wordpieces.QuickWay(vocabulary, "[UNK]", _NORMALIZER)
    general = wordpieces.GeneralWay(vocabulary, "[UNK]", _table(pieces))
    ids, _ = general.tokenize_words(tf.constant(_WORDS))
    assert ids.to_list() == _reference(pieces).tokenize(_WORDS).to_list()


def test_unknown_token_may_be_spelled_otherwise(tmp_path: pathlib.Path) -> None:
    for way in _ways(tmp_path, ["a", "<unk>"], "<unk>"):
        assert way.tokenize_words(tf.constant(["a", "x"]))[0].to_list() == [[0], [1]]


def test_characters_that_the_library_s_ways_take_differently() -> None:
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    texts = tf.constant([f"a{chr(point)}b".encode() for point in points])
    texts = tf.strings.regex_replace(texts, r"[\p{Cc}\p{Cf}]", " ")
    words = bert_tokenizer.BasicTokenizer().tokenize(texts).row_lengths()
    quick = tf_text.FastWordpieceTokenizer(["[UNK]", "ab"], token_out_type=tf.int32)
    different = tf.where(quick.tokenize(texts).row_lengths() != words)[:, 0].numpy()
    characters = {chr(points[i]) for i in different}
    assert characters == set(wordpieces.LETTERS_TAKEN_FOR_OTHERS)
