"""Tokenizers give the libraries' ids on random texts with random small vocabularies."""

from __future__ import annotations

import pathlib
import tempfile

import hypothesis
import sentencepiece
import tensorflow as tf
import tensorflow_text as tf_text
from hypothesis import strategies

from exporter import normalizers, tokenizers
from tests import tokenizer_texts as made

# What rules of splitting and normalizing are about, and some of what they are not.
_LETTERS = "abAé\u0301ß中#'-. \n\0\u00ad\u00a0\u2028\u1b4e\ue000\ue001\ufffd\U0001f600İﬁ한\u0378"
_texts = strategies.one_of(
    strategies.text(strategies.sampled_from(_LETTERS), max_size=12),
    strategies.text(max_size=12),
    strategies.binary(max_size=12),
    strategies.text(strategies.sampled_from("ab"), min_size=97, max_size=103),
)
_pieces = strategies.lists(
    strategies.builds(
        str.__add__,
        strategies.sampled_from(["", "##"]),
        strategies.text(
            strategies.sampled_from(_LETTERS.replace("\n", "").replace("\0", "")), max_size=3
        ),
    ),
    max_size=30,
    unique=True,
)
_settings = hypothesis.settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)


def _bytes(text: str | bytes) -> bytes:
    return text.encode(errors="surrogatepass") if isinstance(text, str) else text


@_settings
@hypothesis.given(
    pieces=_pieces,
    has_unknown=strategies.booleans(),
    texts=strategies.lists(_texts, max_size=8),
    lower_case=strategies.booleans(),
)
def test_wordpieces(
    pieces: list[str], has_unknown: bool, texts: list[str | bytes], lower_case: bool
) -> None:
    specials = ["[PAD]", "[CLS]", "[SEP]", *(["[UNK]"] if has_unknown else [])]
    # What no text has may be there twice.
    lines = [*specials, *pieces, "[unused1]", "a b", "", "[unused1]", "a b"]
    unique = {piece: i for i, piece in reversed(list(enumerate(lines)))}
    with tempfile.TemporaryDirectory() as folder:
        path = made.write(pathlib.Path(folder), lines)
        tokenizer = tokenizers.WordpieceTokenizer(path, lower_case)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(unique), tf.string), tf.constant(list(unique.values()), tf.int64)
        ),
        default_value=-1,
    )
    library = tf_text.BertTokenizer(table, lower_case=lower_case, token_out_type=tf.int32)
    text = tf.constant([_bytes(text) for text in texts], tf.string, shape=[len(texts)])
    expected = library.tokenize(text)
    made.assert_equal(tokenizer.tokenize(text), expected)
    made.assert_equal(tokenizer.tokenize_flat(text), expected.merge_dims(1, 2))
    tokens, starts, limits = tokenizer.tokenize_with_offsets(text)
    made.assert_equal(tokens, expected)
    made.sources([_bytes(text) for text in texts], starts, limits)


@_settings
@hypothesis.given(
    texts=strategies.lists(_texts, max_size=8),
    lower_case=strategies.booleans(),
    strip_accents=strategies.booleans(),
)
def test_sentencepieces(texts: list[str | bytes], lower_case: bool, strip_accents: bool) -> None:
    tokenizer = tokenizers.SentencepieceTokenizer(
        made.SP_MODEL_FILE, lower_case, strip_accents=strip_accents
    )
    normalize = normalizers.SentencepieceNormalizer(
        lower_case=lower_case, strip_accents=strip_accents
    )
    library = sentencepiece.SentencePieceProcessor(model_file=made.SP_MODEL_FILE)
    data = [_bytes(text) for text in texts]
    text = tf.constant(data, tf.string, shape=[len(texts)])
    expected = library.encode(normalize(text).numpy().tolist())
    assert tokenizer.tokenize(text).to_list() == expected
    tokens, starts, limits = tokenizer.tokenize_with_offsets(text)
    assert tokens.to_list() == expected
    made.sources(data, starts, limits)
