from __future__ import annotations

import logging
import pathlib
import random
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
from official.nlp.modeling import layers

from exporter import errors, packing, tokenizers

_TESTDATA = pathlib.Path(__file__).parent / "testdata"
_VOCAB_FILE = str(_TESTDATA / "bert_tiny" / "vocab.txt")
_SP_MODEL_FILE = str(_TESTDATA / "spm" / "spm.model")
_PIECES = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "quick", "fox", "##es", "fox's", "'", "s",
    ",", ".", "!", "#", "cafe", "café", "Fox", "中", "国", "##", "über", "uber", "##s", "a", "##b",
    "fi", "##ne", "1", "2",
]  # fmt: skip
_ID = {piece: i for i, piece in enumerate(_PIECES)}
_TEXTS = [
    "", " ", "the quick foxes", "The  quick\tfox's\nfox.", "café, Über! CAFÉ", "中国the中国",
    "#fox##es", "don't!?...", "$+<=>^`|~", "¿¡«»—„“", "[UNK] [MASK] [unused1]",
    "a\u200db a\u00adb a\ufe0fb", "e\u0301 e\u0301\u0301 \u0301a", "ﬁne ﬃ ①② ½ ﷺ", "ﾊﾝｶｸ ｶﾞｷﾞ",
    "Straße İstanbul ΟΔΟΣ", "हिन्दी ভাষা தமிழ்", "한국어 ㅋㅋㅋ \u1112\u1161\u11ab", "ไทยทดสอบ",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 ok \U0001f3f3\ufe0f", "\U00020000\uf900㐀",
    "a\0b\x01c\x7f\x85d", "\u00a0a\u2003b\u3000c\u2028d", "\ue000a\U000f0000",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \u0645\u064e\u0631\u062d", "x" * 120, "ab" * 300,
]  # fmt: skip
_BYTES = [*(text.encode() for text in _TEXTS), b"a\xff\xfeb", b"\xe4\xb8 the", b"the\xc0\x80fox"]


def _write(folder: pathlib.Path, pieces: Iterable[str] = _PIECES, name: str = "vocab.txt") -> str:
    path = folder / name
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return str(path)


def _random_texts(seed: int, count: int) -> list[bytes]:
    rng = random.Random(seed)
    ranges = ((0x20, 0x7F), (0x20, 0x7F), (0, 0x600), (0x900, 0x1200), (0x1E00, 0x3400),
              (0xA000, 0xD7FF), (0xE000, 0x10000), (0x10000, 0x110000))  # fmt: skip
    texts = []
    for _ in range(count):
        text = ""
        for _ in range(rng.choice([0, 1, 3, 10, 40])):
            text += (
                rng.choice("aefox  ,'#")
                if rng.random() < 0.4
                else chr(rng.randrange(*rng.choice(ranges)))
            )
        data = bytearray(text.encode())
        if data and rng.random() < 0.2:
            data[rng.randrange(len(data))] = rng.randrange(256)
        texts.append(bytes(data))
    return texts


def _assert_equal(actual: tf.RaggedTensor, expected: tf.RaggedTensor) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual.flat_values, expected.flat_values)
    assert len(actual.nested_row_splits) == len(expected.nested_row_splits)
    for splits, expected_splits in zip(
        actual.nested_row_splits, expected.nested_row_splits, strict=True
    ):
        np.testing.assert_array_equal(splits, expected_splits)


def _spans(tokenizer: tokenizers.Tokenizer, text: str | bytes) -> list[tuple[int, str]]:
    """Returns the ids of one text's tokens, each with the part of the text it is said to be."""
    data = text.encode() if isinstance(text, str) else text
    flat = [tokens.flat_values.numpy() for tokens in tokenizer.tokenize_with_offsets([data])]
    return [
        (i, data[start:limit].decode(errors="backslashreplace"))
        for i, start, limit in zip(*flat, strict=True)
    ]


def test_wordpieces_literally(tmp_path: pathlib.Path) -> None:
    tokenizer = tokenizers.WordpieceTokenizer(_write(tmp_path), lower_case=True)

    tokens = tokenizer.tokenize(tf.constant(["The quick foxes", "", "CAFÉ, fox's!", "中国x"]))

    assert tokens.dtype == tf.int32
    assert tokens.to_list() == [
        [[_ID["the"]], [_ID["quick"]], [_ID["fox"], _ID["##es"]]],
        [],
        [[_ID["cafe"]], [_ID[","]], [_ID["fox"]], [_ID["'"]], [_ID["s"]], [_ID["!"]]],
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
    tokenizer = tokenizers.WordpieceTokenizer(_write(tmp_path), lower_case=False)
    tokens = tokenizer.tokenize(tf.constant(["café Fox the The über\u200bfox"]))
    ids = [_ID["café"], _ID["Fox"], _ID["the"], _ID["[UNK]"], _ID["über"], _ID["fox"]]
    assert tokens.to_list() == [[[i] for i in ids]]


def test_slow_way_is_told(tmp_path: pathlib.Path) -> None:
    slow = tokenizers.WordpieceTokenizer(_write(tmp_path, [*_PIECES, "a\u00a0b"]), lower_case=False)
    tokens = slow.tokenize(tf.constant(["a\u00a0b foxes", ""]))
    assert tokens.to_list() == [[[len(_PIECES)], [_ID["fox"], _ID["##es"]]], []]
    assert slow.tokenize_flat(tf.constant(["a foxes", ""])).to_list() == [[25, 7, 8], []]
    assert [str(finding) for finding in tokenizers.find(slow)] == [
        (
            "tokenizer: the same ids by slower lookups, word by word: of this vocabulary there is "
            "no trie (a piece holds U+00A0)"
        )
    ]
    quick = tokenizers.WordpieceTokenizer(_VOCAB_FILE, lower_case=False)
    assert tokenizers.find(quick) == []


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("large", [True, False])
def test_wordpieces_equal_tfnlp(tmp_path: pathlib.Path, lower_case: bool, large: bool) -> None:
    path = _VOCAB_FILE if large else _write(tmp_path)
    texts = tf.constant([*_BYTES, *_random_texts(1, 3000)])
    expected = layers.BertTokenizer(vocab_file=path, lower_case=lower_case)

    tokenizer = tokenizers.WordpieceTokenizer(path, lower_case)

    _assert_equal(tokenizer.tokenize(texts), expected(texts))
    _assert_equal(tokenizer.tokenize_flat(texts), expected(texts).merge_dims(1, 2))
    # One text that must be rewritten has all of its batch rewritten.
    for text in (_BYTES, _BYTES[:7], [_BYTES[-1]]):
        _assert_equal(tokenizer.tokenize(tf.constant(text)), expected(tf.constant(text)))
    assert dict(tokenizer.special_tokens) == expected.get_special_tokens_dict()
    empty = tf.zeros([0], tf.string)
    assert tokenizer.tokenize(empty).to_list() == []


@pytest.mark.parametrize("lower_case", [True, False])
def test_every_character_equals_tfnlp(lower_case: bool) -> None:
    points = [*range(0xD800), *range(0xE000, 0x32000), *range(0xE0000, 0xE0200)]
    texts = tf.constant([f"a{chr(point)}b".encode() for point in points])
    expected = layers.BertTokenizer(vocab_file=_VOCAB_FILE, lower_case=lower_case)
    tokenizer = tokenizers.WordpieceTokenizer(_VOCAB_FILE, lower_case)
    _assert_equal(tokenizer.tokenize(texts), expected(texts))


def test_wordpiece_offsets_where_lengths_change(tmp_path: pathlib.Path) -> None:
    tokenizer = tokenizers.WordpieceTokenizer(_write(tmp_path), lower_case=True)
    fi, ne, a, b = _ID["fi"], _ID["##ne"], _ID["a"], _ID["##b"]

    assert _spans(tokenizer, "CAFÉ, fox's") == [
        (_ID["cafe"], "CAFÉ"), (_ID[","], ","), (_ID["fox"], "fox"),
        (_ID["'"], "'"), (_ID["s"], "s"),
    ]  # fmt: skip
    assert _spans(tokenizer, " foxes  ") == [(_ID["fox"], "fox"), (_ID["##es"], "es")]
    assert _spans(tokenizer, "ﬁne ①") == [(fi, "ﬁ"), (ne, "ne"), (_ID["1"], "①")]
    assert _spans(tokenizer, "a\u200db\ufe0f A\u00adB") == [
        (a, "a\u200d"), (b, "b\ufe0f"), (a, "A\u00ad"), (b, "B"),
    ]  # fmt: skip
    assert _spans(tokenizer, "\u200ba cafe\u0301") == [(a, "a"), (_ID["cafe"], "cafe\u0301")]
    assert _spans(tokenizer, b"a \xff\xfe the") == [
        (a, "a"), (_ID["[UNK]"], "\\xff\\xfe"), (_ID["the"], "the"),
    ]  # fmt: skip
    assert _spans(tokenizer, "x" * 101 + " a") == [(_ID["[UNK]"], "x" * 101), (a, "a")]
    assert _spans(tokenizer, "") == []


@pytest.mark.parametrize("lower_case", [True, False])
def test_wordpiece_offsets_equal_tfnlp_on_ascii(lower_case: bool) -> None:
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyzTHE   \t\n.,'#-\0"
    texts = ["".join(rng.choices(letters, k=rng.randint(0, 60))) for _ in range(500)]
    tokenizer = tokenizers.WordpieceTokenizer(_VOCAB_FILE, lower_case)
    expected = layers.BertTokenizer(
        vocab_file=_VOCAB_FILE, lower_case=lower_case, tokenize_with_offsets=True
    )
    texts = tf.constant(texts)
    for actual, theirs in zip(tokenizer.tokenize_with_offsets(texts), expected(texts), strict=True):
        _assert_equal(actual, theirs)


@pytest.mark.parametrize("lower_case", [True, False])
def test_wordpiece_offsets_on_random_text(tmp_path: pathlib.Path, lower_case: bool) -> None:
    texts = [*_BYTES, *_random_texts(2, 1000)]
    characters = dict.fromkeys(
        character
        for text in texts
        for character in text.decode(errors="ignore")
        if character.isprintable()
    )
    pieces = dict.fromkeys([*_PIECES, *characters, *(f"##{c}" for c in characters)])
    tokenizer = tokenizers.WordpieceTokenizer(_write(tmp_path, pieces), lower_case)

    tokens, starts, limits = tokenizer.tokenize_with_offsets(tf.constant(texts))

    _assert_equal(tokens, tokenizer.tokenize(tf.constant(texts)))
    spans = _sources(texts, starts, limits)
    # Tokenized alone, each part of the text has the piece.
    again = packing.flatten(tokenizer.tokenize(tf.constant(spans)))
    characters = np.array([piece.removeprefix("##") for piece in pieces], dtype=object)
    own = np.split(again.values.numpy(), again.row_splits.numpy()[1:-1])
    ids = tokens.flat_values.numpy()
    known = np.flatnonzero(ids != _ID["[UNK]"])
    assert len(known) > 3000
    for i in known:
        assert characters[ids[i]] in "".join(characters[own[i]]), spans[i]


def _sources(
    texts: Sequence[bytes], starts: tf.RaggedTensor, limits: tf.RaggedTensor
) -> list[bytes]:
    rows = packing.flatten(starts).value_rowids().numpy()
    flat_starts, flat_limits = starts.flat_values.numpy(), limits.flat_values.numpy()
    assert (flat_starts >= 0).all()
    assert (flat_starts <= flat_limits).all()
    assert (flat_limits <= np.array([len(text) for text in texts])[rows]).all()
    assert ((np.diff(flat_starts) >= 0) | (np.diff(rows) > 0)).all()
    return [
        texts[row][start:limit]
        for row, start, limit in zip(rows, flat_starts, flat_limits, strict=True)
    ]


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("strip_diacritics", [True, False])
def test_sentencepieces_equal_tfnlp(lower_case: bool, strip_diacritics: bool) -> None:
    texts = tf.constant([*_BYTES, *_random_texts(3, 1000)])
    expected = layers.SentencepieceTokenizer(
        model_file_path=_SP_MODEL_FILE, lower_case=lower_case, strip_diacritics=strip_diacritics
    )

    tokenizer = tokenizers.SentencepieceTokenizer(
        _SP_MODEL_FILE, lower_case, strip_accents=strip_diacritics
    )

    _assert_equal(tokenizer.tokenize(texts), expected(texts))
    assert dict(tokenizer.special_tokens) == expected.get_special_tokens_dict()


def test_sentencepieces_equal_library() -> None:
    text = "The values of the café's list, in Ünïcode."
    library = sentencepiece.SentencePieceProcessor(model_file=_SP_MODEL_FILE)
    tokenizer = tokenizers.SentencepieceTokenizer(_SP_MODEL_FILE, lower_case=True)

    ids = tokenizer.tokenize(tf.constant([text])).to_list()

    assert ids == [library.encode("the values of the cafe's list, in unicode.")]
    assert dict(tokenizer.special_tokens) == {
        "vocab_size": 1000,
        "padding_id": 0,
        "start_of_sequence_id": 2,
        "end_of_segment_id": 3,
        "mask_id": 4,
    }


def test_sentencepiece_offsets_are_in_original() -> None:
    library = sentencepiece.SentencePieceProcessor(model_file=_SP_MODEL_FILE)
    tokenizer = tokenizers.SentencepieceTokenizer(_SP_MODEL_FILE, lower_case=True)

    spans = _spans(tokenizer, "ÏF the ﬁlé\u00ad İS")

    assert [(library.id_to_piece(int(i)), source) for i, source in spans] == [
        ("▁if", "ÏF"), ("▁the", " the"), ("▁file", " ﬁlé\u00ad"), ("▁is", " İS"),
    ]  # fmt: skip


def test_sentencepiece_offsets_without_normalization_are_the_library_s() -> None:
    texts = tf.constant(_BYTES)
    expected = layers.SentencepieceTokenizer(
        model_file_path=_SP_MODEL_FILE, lower_case=False, tokenize_with_offsets=True
    )
    tokenizer = tokenizers.SentencepieceTokenizer(
        _SP_MODEL_FILE, lower_case=False, strip_accents=False
    )
    for actual, theirs in zip(tokenizer.tokenize_with_offsets(texts), expected(texts), strict=True):
        _assert_equal(actual, theirs)


def test_sentencepiece_offsets_on_random_text() -> None:
    texts = [*_BYTES, *_random_texts(4, 1000)]
    tokenizer = tokenizers.SentencepieceTokenizer(_SP_MODEL_FILE, lower_case=True)

    tokens, starts, limits = tokenizer.tokenize_with_offsets(tf.constant(texts))

    _assert_equal(tokens, tokenizer.tokenize(tf.constant(texts)))
    assert len(_sources(texts, starts, limits)) == tokens.flat_values.shape[0] > 5000


@pytest.mark.parametrize("kind", ["wordpiece", "sentencepiece"])
def test_static_batch_size(kind: str) -> None:
    tokenizer = tokenizers.make(
        vocab_file=_VOCAB_FILE if kind == "wordpiece" else None,
        sp_model_file=_SP_MODEL_FILE if kind == "sentencepiece" else None,
    )
    function = tf.function(tokenizer.tokenize_with_offsets, autograph=False)
    for batch_size in (7, None):
        graph = function.get_concrete_function(tf.TensorSpec([batch_size], tf.string))
        for tokens in graph.structured_outputs:
            assert tokens.shape.as_list() == [batch_size] + [None] * tokenizer.ragged_rank


def test_special_tokens_may_be_spelled_otherwise(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path, ["<s>", "</s>", "<pad>", "<unk>", "a"])
    tokenizer = tokenizers.make(
        vocab_file=path,
        special_tokens={
            "start_of_sequence_id": "<s>",
            "end_of_segment_id": "</s>",
            "padding_id": "<pad>",
        },
    )
    assert dict(tokenizer.special_tokens) == {
        "vocab_size": 5,
        "start_of_sequence_id": 0,
        "end_of_segment_id": 1,
        "padding_id": 2,
    }
    sentencepieces = tokenizers.SentencepieceTokenizer(
        _SP_MODEL_FILE, lower_case=True, special_tokens={"mask_id": "▁the"}
    )
    assert sentencepieces.special_tokens["mask_id"] == 6


def test_missing_special_tokens_are_named(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path, ["[PAD]", "[UNK]", "a"])
    with pytest.raises(errors.UserError) as info:
        tokenizers.WordpieceTokenizer(path, lower_case=True)
    assert info.value.received == (
        f"{path} has no '[CLS]' (start_of_sequence_id), '[SEP]' (end_of_segment_id)"
    )
    with pytest.raises(errors.UserError, match=r"spm.model has no '\[PAD\]' \(padding_id\)"):
        tokenizers.SentencepieceTokenizer(
            _SP_MODEL_FILE, lower_case=True, special_tokens={"padding_id": "[PAD]"}
        )


def test_files_of_the_other_kind_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UserError, match="SentencePiece model goes to sp_model_file"):
        tokenizers.make(vocab_file=_SP_MODEL_FILE)
    path = _write(tmp_path)
    with pytest.raises(errors.UserError, match="WordPiece vocabulary, text") as info:
        tokenizers.make(sp_model_file=path)
    assert info.value.setting == "tokenizer.sp_model_file"
    assert path in str(info.value)


def test_files_are_checked_without_a_tokenizer(tmp_path: pathlib.Path) -> None:
    tokenizers.check_file(_VOCAB_FILE, None)
    tokenizers.check_file(None, _SP_MODEL_FILE)
    with pytest.raises(errors.UserError, match="The file must exist"):
        tokenizers.check_file(str(tmp_path / "vocab.txt"), None)
    with pytest.raises(errors.UserError, match="takes a SentencePiece model"):
        tokenizers.check_file(None, _write(tmp_path))


@pytest.mark.parametrize(
    ("vocab_file", "sp_model_file", "guess", "why"),
    [
        ("/data/uncased_L-12/vocab.txt", None, True, "'uncased' in /data/uncased_L-12/vocab.txt"),
        ("cased_L-12/vocab.txt", None, False, "no 'uncased' in cased_L-12/vocab.txt"),
        (None, "30k-clean.model", True, "as always with SentencePiece"),
    ],
)
def test_lower_case_is_guessed_aloud(
    vocab_file: str | None,
    sp_model_file: str | None,
    guess: bool,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="exporter"):
        assert tokenizers.infer_do_lower_case(None, vocab_file, sp_model_file) is guess
    assert [record.getMessage() for record in caplog.records] == [
        f"do_lower_case is not set: using {guess} ({why})."
    ]


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_lower_case_is_not_guessed_where_it_is_set(
    do_lower_case: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="exporter"):
        for files in (("uncased/vocab.txt", None), (None, "spm.model")):
            assert tokenizers.infer_do_lower_case(do_lower_case, *files) is do_lower_case
    assert not caplog.records


@pytest.mark.parametrize(("vocab_file", "sp_model_file"), [(None, None), ("", ""), ("a", "b")])
def test_exactly_one_file_is_needed(vocab_file: str | None, sp_model_file: str | None) -> None:
    with pytest.raises(errors.UserError, match="Exactly one of vocab_file"):
        tokenizers.make(vocab_file=vocab_file, sp_model_file=sp_model_file)
    with pytest.raises(errors.UserError, match="Exactly one of vocab_file"):
        tokenizers.infer_do_lower_case(True, vocab_file, sp_model_file)
