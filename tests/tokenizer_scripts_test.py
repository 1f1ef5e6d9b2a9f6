"""Tokenizers give the libraries' ids in all of Unicode's scripts, and for texts of odd sizes."""

from __future__ import annotations

import pathlib
import unicodedata

import pytest
import sentencepiece
import tensorflow as tf
from official.nlp.modeling import layers

from exporter import normalizers, tokenizers
from tests import tokenizer_texts as made

_SCRIPTS = made.scripts()
_ODD = [
    b"a\0b", b"\0", b"\0\0the\0", b"\xff", b"\xc3", b"the\xed\xa0\x80fox", b"\xf4\x90\x80\x80 a",
    b"\xe1\xb8\xe1\x85\xa0\x98a", "\ufeffthe \ufffd\ufffe\U0010ffff".encode(),
    "\ue000\U000f0000\u0378\U000e0080".encode(), "x\u2028y\u1680z \u00a0".encode(),
    "\U0001f469\U0001f3fd\u200d\U0001f680\U0001f1e9\U0001f1ea1\ufe0f\u20e3".encode(),
    *(b"ab" * n for n in (49, 50, 51, 100, 5000)), "é".encode() * 51, "é".encode() * 50,
    ("ｆｕｌｌ" * 60).encode(), "\u0301".encode() * 300, "中".encode() * 400, b"#" * 300,
]  # fmt: skip


def _vocabulary() -> list[str]:
    """Returns every second character of the scripts, as words' beginnings or rest."""
    characters = {c for text in _SCRIPTS.values() for c in text if not c.isspace()}
    characters |= set(unicodedata.normalize("NFKD", "".join(characters)).casefold())
    pieces = [c if ord(c) % 3 else f"##{c}" for c in sorted(characters)]
    pieces += [f"##{c}" for c in sorted(characters) if ord(c) % 3 == 1]
    return list(dict.fromkeys([*made.PIECES, *filter(_is_no_space, pieces)]))


def _is_no_space(piece: str) -> bool:
    return not piece.isspace() and "\u1680" not in piece


@pytest.mark.parametrize("lower_case", [True, False])
def test_wordpieces(tmp_path: pathlib.Path, lower_case: bool) -> None:
    path = made.write(tmp_path, _vocabulary())
    texts = [*(text.encode() for text in _SCRIPTS.values()), *made.BYTES, *_ODD]
    expected = layers.BertTokenizer(vocab_file=path, lower_case=lower_case)
    tokenizer = tokenizers.WordpieceTokenizer(path, lower_case)
    assert tokenizer.why_slow is None
    assert len(_SCRIPTS) > 150

    # All at once, and one by one, so that no text is rewritten for another's sake.
    wanted = expected(tf.constant(texts))
    made.assert_equal(tokenizer.tokenize(tf.constant(texts)), wanted)
    made.assert_equal(tokenizer.tokenize_flat(tf.constant(texts)), wanted.merge_dims(1, 2))
    tokenize = tf.function(
        tokenizer.tokenize, autograph=False, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    for i, text in enumerate(texts):
        assert tokenize(tf.constant([text])).to_list() == wanted[i : i + 1].to_list(), text
    # Most is known.
    unknown = tf.reduce_mean(tf.cast(wanted.flat_values == 1, tf.float32))
    assert float(unknown) < 0.7


def test_sentencepieces() -> None:
    texts = [*(text.encode() for text in _SCRIPTS.values()), *made.BYTES, *_ODD]
    library = sentencepiece.SentencePieceProcessor(model_file=made.SP_MODEL_FILE)
    for lower_case in (True, False):
        for strip_accents in (True, False):
            choices = {"lower_case": lower_case, "strip_accents": strip_accents}
            tokenizer = tokenizers.SentencepieceTokenizer(made.SP_MODEL_FILE, **choices)
            normalize = normalizers.SentencepieceNormalizer(**choices)
            normalized = normalize(tf.constant(texts)).numpy().tolist()
            assert tokenizer.tokenize(tf.constant(texts)).to_list() == library.encode(normalized)


def test_a_megabyte() -> None:
    text = tf.constant(["the value of a list, " * 50_000, "a" * 2**20, "the \u2028" * 170_000])
    expected = layers.BertTokenizer(vocab_file=made.VOCAB_FILE, lower_case=True)
    tokenizer = tokenizers.WordpieceTokenizer(made.VOCAB_FILE, lower_case=True)
    made.assert_equal(tokenizer.tokenize_flat(text), expected(text).merge_dims(1, 2))
    made.assert_equal(tokenizer.tokenize(text), expected(text))
    library = sentencepiece.SentencePieceProcessor(model_file=made.SP_MODEL_FILE)
    pieces = tokenizers.SentencepieceTokenizer(made.SP_MODEL_FILE, lower_case=True)
    assert pieces.tokenize(text[:1]).to_list() == library.encode(text[:1].numpy().tolist())


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
def test_accents_apart_from_casing(
    tmp_path: pathlib.Path, lower_case: bool, strip_accents: bool
) -> None:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "café", "cafe", "Café", "Cafe", "cafe\u0301"]
    tokenizer = tokenizers.make(
        vocab_file=made.write(tmp_path, pieces),
        do_lower_case=lower_case,
        strip_accents=strip_accents,
    )
    word = {
        (True, True): "cafe",
        (True, False): "café",
        (False, True): "Cafe",
        (False, False): "Café",
    }[lower_case, strip_accents]
    assert tokenizer.tokenize(tf.constant(["Café"])).to_list() == [[[pieces.index(word)]]]
    assert tokenizer.tokenize_with_offsets(tf.constant(["a Café"]))[2].to_list() == [[[1], [7]]]
