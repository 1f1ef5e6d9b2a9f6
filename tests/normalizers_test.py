from __future__ import annotations

import random

import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.python.ops import bert_tokenizer

from exporter import normalizers

_TEXT = "İSTANBUL Straße CAFÉ cafe\u0301 ﬁ①½ \u1112\u1161 a\u00adb\u200bc\0\td"


def _folded(text: tf.Tensor) -> tf.Tensor:
    """What `tensorflow_text.BertTokenizer` does, op by op."""
    text = bert_tokenizer.BasicTokenizer(lower_case=True).lower_case(text)
    return tf.strings.regex_replace(text, r"\p{Cc}|\p{Cf}", " ")


@pytest.mark.parametrize(
    ("lower_case", "strip_accents", "expected"),
    [
        (True, True, "istanbul strasse cafe cafe fi11⁄2 \u1112\u1161 abc  d"),
        (True, False, "i\u0307stanbul straße café cafe\u0301 ﬁ①½ \u1112\u1161 a b c  d"),
        (False, True, "ISTANBUL Straße CAFE cafe ﬁ①½ \u1112\u1161 a b c  d"),
        (False, False, "İSTANBUL Straße CAFÉ cafe\u0301 ﬁ①½ \u1112\u1161 a b c  d"),
    ],
)
def test_wordpiece_literally(lower_case: bool, strip_accents: bool, expected: str) -> None:
    normalize = normalizers.WordpieceNormalizer(lower_case=lower_case, strip_accents=strip_accents)
    for normalized in (normalize(tf.constant([_TEXT, ""])), normalize.quick([_TEXT, ""])):
        assert normalized.numpy().tolist() == [expected.encode(), b""]


def test_every_character_is_folded_as_by_the_library() -> None:
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    texts = tf.constant([f"a{chr(point)}b".encode() for point in points])
    normalize = normalizers.WordpieceNormalizer(lower_case=True, strip_accents=True)
    expected = _folded(texts)
    assert bool(tf.reduce_all(normalize(texts) == expected))
    assert bool(tf.reduce_all(normalize.quick(texts) == expected))


def test_random_bytes_are_folded_as_by_the_library() -> None:
    rng = random.Random(0)
    # Starts, middles and ends of characters of 1 to 4 bytes, valid and not.
    data = bytes.fromhex("41 20 e4 b8 ad ff c3 a9 ed a0 f0 9f 98 80 f4 90 cc 81 87 e1 84 92 85 a1")
    texts = tf.constant([bytes(rng.choices(data, k=rng.randint(0, 16))) for _ in range(30000)])
    normalize = normalizers.WordpieceNormalizer(lower_case=True, strip_accents=True)
    assert bool(tf.reduce_all(normalize(texts) == _folded(texts)))


@pytest.mark.parametrize(
    ("lower_case", "strip_accents", "expected"),
    [
        (True, True, "istanbul strasse cafe cafe fi11⁄2 하 abc\0\td"),
        (True, False, None),
        (False, True, None),
        (False, False, _TEXT),
    ],
)
def test_sentencepiece(lower_case: bool, strip_accents: bool, expected: str | None) -> None:
    normalize = normalizers.SentencepieceNormalizer(
        lower_case=lower_case, strip_accents=strip_accents
    )
    text = tf.constant([_TEXT])
    normalized = normalize(text)
    if expected is not None:
        assert normalized.numpy()[0].decode() == expected
    if strip_accents:
        text = tf.strings.regex_replace(tf_text.normalize_utf8(text, "NFD"), r"\p{Mn}", "")
    if lower_case:
        text = tf_text.case_fold_utf8(text)
    assert normalized.numpy().tolist() == text.numpy().tolist()


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
def test_without_context_letters_are_alike(lower_case: bool, strip_accents: bool) -> None:
    normalize = normalizers.WordpieceNormalizer(lower_case=lower_case, strip_accents=strip_accents)
    characters = tf.strings.unicode_split(tf.constant(["ΟΔΟΣ ΣΑΣ. ς"]), "UTF-8")
    whole = normalize.without_context(tf.constant(["ΟΔΟΣ ΣΑΣ. ς"]))
    parts = normalize.without_context(characters.values)
    assert tf.strings.reduce_join(parts).numpy() == whole.numpy()[0]
    assert tf.strings.length(whole).numpy() == tf.strings.length(["ΟΔΟΣ ΣΑΣ. ς"]).numpy()
