from __future__ import annotations

import pytest
import sentencepiece
import tensorflow as tf
from official.nlp.modeling import layers

from exporter import normalizers, tokenizers
from tests import tokenizer_texts as made


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("strip_diacritics", [True, False])
def test_sentencepieces_equal_tfnlp(lower_case: bool, strip_diacritics: bool) -> None:
    texts = tf.constant([*made.BYTES, *made.random_texts(3, 1000)])
    expected = layers.SentencepieceTokenizer(
        model_file_path=made.SP_MODEL_FILE, lower_case=lower_case, strip_diacritics=strip_diacritics
    )

    tokenizer = tokenizers.SentencepieceTokenizer(
        made.SP_MODEL_FILE, lower_case, strip_accents=strip_diacritics
    )

    made.assert_equal(tokenizer.tokenize(texts), expected(texts))
    assert dict(tokenizer.special_tokens) == expected.get_special_tokens_dict()


def test_sentencepieces_equal_library() -> None:
    text = "The values of the café's list, in Ünïcode."
    library = sentencepiece.SentencePieceProcessor(model_file=made.SP_MODEL_FILE)
    tokenizer = tokenizers.SentencepieceTokenizer(made.SP_MODEL_FILE, lower_case=True)

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
    library = sentencepiece.SentencePieceProcessor(model_file=made.SP_MODEL_FILE)
    tokenizer = tokenizers.SentencepieceTokenizer(made.SP_MODEL_FILE, lower_case=True)

    spans = made.spans(tokenizer, "ÏF the ﬁlé\u00ad İS")

    assert [(library.id_to_piece(int(i)), source) for i, source in spans] == [
        ("▁if", "ÏF"), ("▁the", " the"), ("▁file", " ﬁlé\u00ad"), ("▁is", " İS"),
    ]  # fmt: skip


def test_sentencepiece_offsets_without_normalization_are_the_library_s() -> None:
    texts = tf.constant(made.BYTES)
    expected = layers.SentencepieceTokenizer(
        model_file_path=made.SP_MODEL_FILE, lower_case=False, tokenize_with_offsets=True
    )
    tokenizer = tokenizers.SentencepieceTokenizer(
        made.SP_MODEL_FILE, lower_case=False, strip_accents=False
    )
    for actual, theirs in zip(tokenizer.tokenize_with_offsets(texts), expected(texts), strict=True):
        made.assert_equal(actual, theirs)


def test_sentencepiece_offsets_on_random_text() -> None:
    texts = [*made.BYTES, *made.random_texts(4, 1000)]
    tokenizer = tokenizers.SentencepieceTokenizer(made.SP_MODEL_FILE, lower_case=True)

    tokens, starts, limits = tokenizer.tokenize_with_offsets(tf.constant(texts))

    made.assert_equal(tokens, tokenizer.tokenize(tf.constant(texts)))
    assert len(made.sources(texts, starts, limits)) == tokens.flat_values.shape[0] > 5000


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("STRASSE straße", ["STR", "A", "S", "S", "E", " str", "a", "ß", "ß", "e"]),
        ("İs is", ["İs", " is"]),
        ("ﬁle the", ["ﬁle", " the"]),
        ("the ½", ["the", " ½", "½", "½"]),
        ("thé the\u0301 the", ["thé", " the\u0301", " the"]),
        ("ｔｈｅ ｉｆ", ["ｔｈｅ", " ｉｆ"]),
        ("the\u200b \u00adif", ["the\u200b", " \u00adif"]),
        ("  the   if  ", ["the", "   if"]),
    ],
)
def test_offsets_where_lengths_change(text: str, spans: list[str]) -> None:
    tokenizer = tokenizers.SentencepieceTokenizer(made.SP_MODEL_FILE, lower_case=True)
    assert [source for _, source in made.spans(tokenizer, text)] == spans


@pytest.mark.parametrize("strip_accents", [True, False])
def test_each_part_of_the_text_has_its_piece(strip_accents: bool) -> None:
    # Lower-casing unfolds ligatures; the library itself gives those to the last of their pieces.
    texts = [*made.BYTES, *made.random_texts(5, 600)]
    choices = {"lower_case": True, "strip_accents": strip_accents}
    tokenizer = tokenizers.SentencepieceTokenizer(made.SP_MODEL_FILE, **choices)
    library = sentencepiece.SentencePieceProcessor(model_file=made.SP_MODEL_FILE)

    tokens, starts, limits = tokenizer.tokenize_with_offsets(tf.constant(texts))

    normalize = normalizers.SentencepieceNormalizer(**choices)
    sources = normalize(tf.constant(made.sources(texts, starts, limits))).numpy()
    known = 0
    for i, source in zip(tokens.flat_values.numpy().tolist(), sources, strict=True):
        piece = library.id_to_piece(i).replace("▁", "")
        if i != library.unk_id() and piece:
            known += 1
            assert piece in library.normalize(source.decode(errors="replace")).replace("▁", "")
    assert known > 3000
