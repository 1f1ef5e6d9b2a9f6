from __future__ import annotations

import pathlib
import random

import numpy as np
import pytest
import tensorflow as tf
from official.nlp.modeling import layers

from exporter import packing, tokenizers
from tests import tokenizer_texts as made

_ID, _PIECES = made.ID, made.PIECES


def test_wordpieces_literally(tmp_path: pathlib.Path) -> None:
    tokenizer = tokenizers.WordpieceTokenizer(made.write(tmp_path), lower_case=True)

    tokens = tokenizer.tokenize(tf.constant(["The quick foxes", "", "CAFÉ, fox's!", "中国x"]))

    assert tokens.dtype == tf.int32
    assert tokens.to_list() == [
        [[_ID["the"]], [_ID["quick"]], [_ID["fox"], _ID["##es"]]],
        [],
        [
            [_ID["cafe"]],
            [_ID[","]],
            [_ID["fox"]],
            [_ID["'"]],
            [_ID["s"]],
            [_ID["!"]],
        ],
        [[_ID["中"]], [_ID["国"]], [_ID["[UNK]"]]],
    ]
    assert dict(tokenizer.special_tokens) == {
        "vocab_size": len(_PIECES),
        "padding_id": 0,
        "start_of_sequence_id": 2,
        "end_of_segment_id": 3,
        "mask_id": 4,
    }
    assert tokenizer.why_slow is None


def test_cased_wordpieces_literally(tmp_path: pathlib.Path) -> None:
    tokenizer = tokenizers.WordpieceTokenizer(made.write(tmp_path), lower_case=False)
    tokens = tokenizer.tokenize(tf.constant(["café Fox the The über\u200bfox"]))
    ids = [
        _ID["café"],
        _ID["Fox"],
        _ID["the"],
        _ID["[UNK]"],
        _ID["über"],
        _ID["fox"],
    ]
    assert tokens.to_list() == [[[i] for i in ids]]


def test_slow_way_is_told(tmp_path: pathlib.Path) -> None:
    slow = tokenizers.WordpieceTokenizer(
        made.write(tmp_path, [*_PIECES, "a\u00a0b"]), lower_case=False
    )
    tokens = slow.tokenize(tf.constant(["a\u00a0b foxes", ""]))
    assert tokens.to_list() == [[[len(_PIECES)], [_ID["fox"], _ID["##es"]]], []]
    assert slow.tokenize_flat(tf.constant(["a foxes", ""])).to_list() == [[25, 7, 8], []]
    assert [str(finding) for finding in tokenizers.find(slow)] == [
        (
            "tokenizer: the same ids by slower lookups, word by word: of this vocabulary there is "
            "no trie (a piece holds U+00A0)"
        )
    ]
    quick = tokenizers.WordpieceTokenizer(made.VOCAB_FILE, lower_case=False)
    assert tokenizers.find(quick) == []


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("large", [True, False])
def test_wordpieces_equal_tfnlp(tmp_path: pathlib.Path, lower_case: bool, large: bool) -> None:
    path = made.VOCAB_FILE if large else made.write(tmp_path)
    texts = tf.constant([*made.BYTES, *made.random_texts(1, 3000)])
    expected = layers.BertTokenizer(vocab_file=path, lower_case=lower_case)

    tokenizer = tokenizers.WordpieceTokenizer(path, lower_case)

    made.assert_equal(tokenizer.tokenize(texts), expected(texts))
    made.assert_equal(tokenizer.tokenize_flat(texts), expected(texts).merge_dims(1, 2))
    # One text that must be rewritten has all of its batch rewritten.
    for text in (made.BYTES, made.BYTES[:7], [made.BYTES[-1]]):
        made.assert_equal(tokenizer.tokenize(tf.constant(text)), expected(tf.constant(text)))
    assert dict(tokenizer.special_tokens) == expected.get_special_tokens_dict()
    empty = tf.zeros([0], tf.string)
    assert tokenizer.tokenize(empty).to_list() == []


@pytest.mark.parametrize("lower_case", [True, False])
def test_every_character_equals_tfnlp(lower_case: bool) -> None:
    points = [*range(0xD800), *range(0xE000, 0x32000), *range(0xE0000, 0xE0200)]
    texts = tf.constant([f"a{chr(point)}b".encode() for point in points])
    expected = layers.BertTokenizer(vocab_file=made.VOCAB_FILE, lower_case=lower_case)
    tokenizer = tokenizers.WordpieceTokenizer(made.VOCAB_FILE, lower_case)
    made.assert_equal(tokenizer.tokenize(texts), expected(texts))


def test_wordpiece_offsets_where_lengths_change(tmp_path: pathlib.Path) -> None:
    tokenizer = tokenizers.WordpieceTokenizer(made.write(tmp_path), lower_case=True)
    fi, ne, a, b = _ID["fi"], _ID["##ne"], _ID["a"], _ID["##b"]

    assert made.spans(tokenizer, "CAFÉ, fox's") == [
        (_ID["cafe"], "CAFÉ"), (_ID[","], ","), (_ID["fox"], "fox"),
        (_ID["'"], "'"), (_ID["s"], "s"),
    ]  # fmt: skip
    assert made.spans(tokenizer, " foxes  ") == [(_ID["fox"], "fox"), (_ID["##es"], "es")]
    assert made.spans(tokenizer, "ﬁne ①") == [(fi, "ﬁ"), (ne, "ne"), (_ID["1"], "①")]
    assert made.spans(tokenizer, "a\u200db\ufe0f A\u00adB") == [
        (a, "a\u200d"), (b, "b\ufe0f"), (a, "A\u00ad"), (b, "B"),
    ]  # fmt: skip
    assert made.spans(tokenizer, "\u200ba cafe\u0301") == [
        (a, "a"),
        (_ID["cafe"], "cafe\u0301"),
    ]
    assert made.spans(tokenizer, b"a \xff\xfe the") == [
        (a, "a"), (_ID["[UNK]"], "\\xff\\xfe"), (_ID["the"], "the"),
    ]  # fmt: skip
    assert made.spans(tokenizer, "x" * 101 + " a") == [(_ID["[UNK]"], "x" * 101), (a, "a")]
    assert made.spans(tokenizer, "") == []


@pytest.mark.parametrize("lower_case", [True, False])
def test_wordpiece_offsets_equal_tfnlp_on_ascii(lower_case: bool) -> None:
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyzTHE   \t\n.,'#-\0"
    texts = ["".join(rng.choices(letters, k=rng.randint(0, 60))) for _ in range(500)]
    tokenizer = tokenizers.WordpieceTokenizer(made.VOCAB_FILE, lower_case)
    expected = layers.BertTokenizer(
        vocab_file=made.VOCAB_FILE, lower_case=lower_case, tokenize_with_offsets=True
    )
    texts = tf.constant(texts)
    for actual, theirs in zip(tokenizer.tokenize_with_offsets(texts), expected(texts), strict=True):
        made.assert_equal(actual, theirs)


@pytest.mark.parametrize("lower_case", [True, False])
def test_wordpiece_offsets_on_random_text(tmp_path: pathlib.Path, lower_case: bool) -> None:
    texts = [*made.BYTES, *made.random_texts(2, 1000)]
    characters = dict.fromkeys(
        character
        for text in texts
        for character in text.decode(errors="ignore")
        if character.isprintable()
    )
    pieces = dict.fromkeys([*_PIECES, *characters, *(f"##{c}" for c in characters)])
    tokenizer = tokenizers.WordpieceTokenizer(made.write(tmp_path, pieces), lower_case)

    tokens, starts, limits = tokenizer.tokenize_with_offsets(tf.constant(texts))

    made.assert_equal(tokens, tokenizer.tokenize(tf.constant(texts)))
    spans = made.sources(texts, starts, limits)
    # Tokenized alone, each part of the text has the piece.
    again = packing.flatten(tokenizer.tokenize(tf.constant(spans)))
    characters = np.array([piece.removeprefix("##") for piece in pieces], dtype=object)
    own = np.split(again.values.numpy(), again.row_splits.numpy()[1:-1])
    ids = tokens.flat_values.numpy()
    known = np.flatnonzero(ids != _ID["[UNK]"])
    assert len(known) > 3000
    for i in known:
        assert characters[ids[i]] in "".join(characters[own[i]]), spans[i]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("straße STRASSE", ["straße", "STRASSE"]),
        ("aß ß", ["a", "ß", "ß"]),
        ("İs İ", ["İs", "İ"]),
        ("ﬁne aﬁ", ["ﬁ", "ne", "aﬁ"]),
        ("½", ["½"]),
        ("café cafe\u0301 a", ["café", "cafe\u0301", "a"]),
        ("ａ ＡB", ["ａ", "Ａ", "B"]),
        ("한a 하\u11abｂ", ["한", "a", "하\u11ab", "ｂ"]),
    ],
)
def test_wordpiece_offsets_of_one_and_several_characters(
    tmp_path: pathlib.Path, text: str, spans: list[str]
) -> None:
    pieces = [*_PIECES, "strasse", "##ss", "ss", "s", "is", "i", "\u2044", "afi", "##a", "##b"]
    pieces += ["\u1112\u1161\u11ab"]
    path = made.write(tmp_path, dict.fromkeys(pieces))
    tokenizer = tokenizers.WordpieceTokenizer(path, lower_case=True)
    assert [source for _, source in made.spans(tokenizer, text)] == spans


def test_offsets_of_letters_that_depend_on_their_place(tmp_path: pathlib.Path) -> None:
    path = made.write(tmp_path, [*_PIECES, "οδος", "i\u0307s", "ß"])
    tokenizer = tokenizers.WordpieceTokenizer(path, lower_case=True, strip_accents=False)
    text = "ΟΔΟΣ Ο İs CAFÉ ß"
    assert [(_ID.get("[UNK]") != i, source) for i, source in made.spans(tokenizer, text)] == [
        (True, "ΟΔΟΣ"),
        (False, "Ο"),
        (True, "İs"),
        (True, "CAFÉ"),
        (True, "ß"),
    ]
