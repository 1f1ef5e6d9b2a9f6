"""Texts and a vocabulary that tests of tokenizers use, and how results are compared."""

from __future__ import annotations

import pathlib
import random
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from exporter import packing, tokenizers

TESTDATA = pathlib.Path(__file__).parent / "testdata"
VOCAB_FILE = str(TESTDATA / "bert_tiny" / "vocab.txt")
SP_MODEL_FILE = str(TESTDATA / "spm" / "spm.model")
PIECES = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "quick", "fox", "##es", "fox's", "'", "s",
    ",", ".", "!", "#", "cafe", "café", "Fox", "中", "国", "##", "über", "uber", "##s", "a", "##b",
    "fi", "##ne", "1", "2",
]  # fmt: skip
ID = {piece: i for i, piece in enumerate(PIECES)}
TEXTS = [
    "", " ", "the quick foxes", "The  quick\tfox's\nfox.", "café, Über! CAFÉ", "中国the中国",
    "#fox##es", "don't!?...", "$+<=>^`|~", "¿¡«»—„“", "[UNK] [MASK] [unused1]",
    "a\u200db a\u00adb a\ufe0fb", "e\u0301 e\u0301\u0301 \u0301a", "ﬁne ﬃ ①② ½ ﷺ", "ﾊﾝｶｸ ｶﾞｷﾞ",
    "Straße İstanbul ΟΔΟΣ", "हिन्दी ভাষা தமிழ்", "한국어 ㅋㅋㅋ \u1112\u1161\u11ab", "ไทยทดสอบ",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 ok \U0001f3f3\ufe0f", "\U00020000\uf900㐀",
    "a\0b\x01c\x7f\x85d", "\u00a0a\u2003b\u3000c\u2028d", "\ue000a\U000f0000",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \u0645\u064e\u0631\u062d", "x" * 120, "ab" * 300,
]  # fmt: skip
BYTES = [*(text.encode() for text in TEXTS), b"a\xff\xfeb", b"\xe4\xb8 the", b"the\xc0\x80fox"]


def write(folder: pathlib.Path, pieces: Iterable[str] = PIECES, name: str = "vocab.txt") -> str:
    path = folder / name
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return str(path)


def random_texts(seed: int, count: int) -> list[bytes]:
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


def assert_equal(actual: tf.RaggedTensor, expected: tf.RaggedTensor) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual.flat_values, expected.flat_values)
    assert len(actual.nested_row_splits) == len(expected.nested_row_splits)
    for splits, expected_splits in zip(
        actual.nested_row_splits, expected.nested_row_splits, strict=True
    ):
        np.testing.assert_array_equal(splits, expected_splits)


def spans(tokenizer: tokenizers.Tokenizer, text: str | bytes) -> list[tuple[int, str]]:
    """Returns the ids of one text's tokens, each with the part of the text it is said to be."""
    data = text.encode() if isinstance(text, str) else text
    flat = [tokens.flat_values.numpy() for tokens in tokenizer.tokenize_with_offsets([data])]
    return [
        (i, data[start:limit].decode(errors="backslashreplace"))
        for i, start, limit in zip(*flat, strict=True)
    ]


def sources(
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


def scripts() -> dict[str, str]:
    """Returns a text in each script that Unicode has, by name, with its marks and digits."""
    characters: dict[str, list[str]] = {}
    for point in range(0x110000):
        name = unicodedata.name(chr(point), "")
        found = re.match(
            r"([A-Z -]+?) (?:CAPITAL |SMALL |VOWEL |CONSONANT |INDEPENDENT )*"
            r"(?:LETTER|SYLLABLE|SIGN|DIGIT|VOWEL SIGN|MARK|IDEOGRAPH|HIEROGLYPH)\b",
            name,
        )
        if found and unicodedata.category(chr(point))[0] in "LMN":
            characters.setdefault(found[1], []).append(chr(point))
    return {
        name: "".join(found[:9]) + " " + "".join(found[9:18]) + ", " + "".join(found[-6:])
        for name, found in characters.items()
        if len(found) > 9
    }
