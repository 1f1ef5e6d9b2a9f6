"""Texts that tokenizers are compared on: what is common, and what each rule of theirs is about."""

from __future__ import annotations

import functools
import random
import string
import unicodedata
from collections.abc import Iterator, Sequence

_SEED = 20201012
SENTENCES = (
    "The quick brown fox didn't jump over 12,345 lazy dogs - or did it?",
    "",
    "Caf\u00e9 na\u00efve \u00dcber STRASSE stra\u00dfe",
    "unaffable hypercharacterization \U0001f600!",
    "\u4f60\u597d\uff0c\u4e16\u754c \u0441\u043b\u043e\u0432\u043e",
    " ",
    "First line of the text\nand the second,\r\nthe third\n\n after an empty one",
    "tabs\tand\u00a0other\u2003spaces\u3000of\u2028all\x0bkinds\x0c here\x85there",
    "the years 1066, 1789 and 2024; 0 1 2 3 4 5 6 7 8 9; 3.14159e-26, \u00bd \u2460 \u0663",
    "see https://www.example.com/a_b/c-d.html?q=1&r=%20#top or mail me@example.org, C:\\x\\y",
    f"{string.punctuation} {' '.join(string.punctuation)}",
    f"{string.ascii_letters} {' '.join(string.ascii_letters)}",
    "so\u00adft hy\u200bphen, zero\u200dwidth\u200cjoiners, \ufeffmark, nul\x01\x08l, \u202eleft",
    "e\u0301 \u00e9 A\u030angstro\u0308m \u1e9e \ufb01ne \u01c5 \u0130stanbul",
    "\u039f\u0394\u039f\u03a3 \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "\ud55c\uad6d\uc5b4 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u3072\u3089",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 ok \u2764\ufe0f 1\ufe0f\u20e3 \U0001f3f3\ufe0f",
    "the [MASK] of [CLS] [SEP] [PAD] [UNK] <pad> <s> </s> <unk> <mask> [mask] [unused1] ##s",
    "self.x = f(a_b, 'c') if d[0] >= 2**8 else \"e\";  // <p class=\"g\">h</p> @i #j $5 50% a+b",
    " ".join((90 * "w", 50 * "ab", 101 * "n", 50 * "\u00e9", 51 * "\u00e9", 200 * "x", "y")),
    "many words " * 20,
)  # fmt: skip
# Enough to tell casing, accents and splitting apart, at the cost of a few tokens.
SHORT = (
    "Caf\u00e9 STRASSE stra\u00dfe didn't\n 12,345!\t6789\u00a0\u4f60\u597d\uff0c\u0441 \U0001f600",
    "",
)
# In batches of their own, as they may be handled by other code.
INVALID = (
    b"one byte \xff too many",
    b"\x80\xbf\xfe\xff",
    b"cut o\xe4\xb8",
    b"the\xc0\x80fox and \xed\xa0\x80 \xf4\x90\x80\x80 end",
    b"\xe9t\xe9 in Latin-1, \x93quoted\x94",
    b"a\xcc b\xccc \xcc\x81\xff \xe4\xb8\xad\xff\xe5\x9b",
    "valid \u00e9 between".encode(),
)
_WORD_LENGTHS = (63, 64, 65, 98, 99, 100, 101, 102, 127, 128, 129, 150, 199, 200, 201, 255, 256)
_LETTERS = ("w", "Q", "7", "\u00e9", "\u0436", "\u0e01", "\U00010400", "ab", "e\u0301")
_IDEOGRAPHS = ((0x3400, 0xA000), (0xAC00, 0xD7A4), (0x12000, 0x19000), (0x20000, 0x40000))
_STRIDE = 17  # Of these, whose neighbours are alike.
_PER_TEXT = 48
_RANGES = (
    *(((0x20, 0x7F),) * 6),
    *((0, 0x600), (0x900, 0x1200), (0x1E00, 0x3400), (0x4E00, 0x4F00), (0xAC00, 0xAD00)),
    *((0xE000, 0x10000), (0x10000, 0x110000), (0x1F300, 0x1F700)),
)
_BETWEEN = "  ,.'-\n\t\u00a0\u0301\u0323\u200b"


@functools.cache
def characters() -> tuple[bytes, ...]:
    """Returns texts with each character that Unicode has, inside of a word and between words.

    Of those that follow each other by the thousand, as ideographs do, every seventeenth.
    """
    points = [
        point
        for point in range(1, 0x110000)
        if unicodedata.category(chr(point)) not in ("Cn", "Cs", "Co")
        and (point % _STRIDE == 0 or not any(a <= point < b for a, b in _IDEOGRAPHS))
    ]
    points += [0xE000, 0xF8FF, 0xF0000, 0x10FFFD, 0x0378, 0xFFFE, 0x3FFFF]  # For private use, none.
    each = [f"a{chr(point)}B {chr(point)}" for point in points]
    return _joined(each)


def _joined(words: Sequence[str]) -> tuple[bytes, ...]:
    starts = range(0, len(words), _PER_TEXT)
    return tuple(" ".join(words[i : i + _PER_TEXT]).encode() for i in starts)


def null_characters() -> tuple[bytes, ...]:
    """Returns texts with null characters."""
    return b"a\0b \0 c\0", b"\0", b"null\0, and The\0End"


def of_pieces(pieces: Sequence[str]) -> tuple[bytes, ...]:
    """Returns texts with each piece of a vocabulary, as a word and as the end of one.

    Args:
      pieces: The pieces, with the marks of WordPiece or SentencePiece.
    """
    plain = [piece.removeprefix("##").replace("\u2581", " ") for piece in pieces]
    each = [f"{piece} x{piece.lstrip()}" for piece in plain]
    return _joined(each)


@functools.cache
def long_texts() -> tuple[bytes, ...]:
    """Returns long words, around the lengths up to which words are split, and long texts."""
    words = [letter * (n // len(letter)) for letter in _LETTERS for n in _WORD_LENGTHS]
    texts = [f"one {word} two" for word in words]
    texts += [" ".join(("-".join(words[:9]), 300 * "!", 300 * "\u4e2d", "end"))]
    texts += ["The same words again, and 1 more. " * 600, "x" * 5000 + " end", "\n" * 999 + "end"]
    texts += [" ".join(f"n{i} {i * i}" for i in range(2000))]
    return tuple(text.encode() for text in texts)


def mixtures(pieces: Sequence[str], count: int) -> tuple[bytes, ...]:
    """Returns texts of pieces, characters of several scripts, space and marks, at random.

    Args:
      pieces: Of a vocabulary.
      count: How many.
    """
    rng = random.Random(_SEED)
    plain = [piece.removeprefix("##").replace("\u2581", " ") for piece in pieces]
    return tuple(_mixture(rng, plain).encode("utf-8", "ignore") for _ in range(count))


def _mixture(rng: random.Random, pieces: Sequence[str]) -> str:
    ranges = rng.choices(_RANGES, k=3)
    parts = []
    for _ in range(rng.choice((1, 3, 10, 40))):
        chance = rng.random()
        if chance < 0.4:
            piece = rng.choice(pieces)
            parts.append(rng.choice((piece, piece, piece.upper(), piece.title())))
        elif chance < 0.7:
            parts.append(chr(rng.randrange(*rng.choice(ranges))).replace("\0", ""))
        else:
            parts.append(rng.choice(_BETWEEN))
    return "".join(parts)


def damaged(texts: Sequence[bytes]) -> tuple[bytes, ...]:
    """Returns texts with a byte of each changed, so that most are no UTF-8."""
    rng = random.Random(_SEED)
    found = []
    for text in texts:
        data = bytearray(text or b" ")
        data[rng.randrange(len(data))] = rng.choice((0x80, 0xC3, 0xE1, 0xED, 0xF0, 0xFF))
        found.append(bytes(data))
    return tuple(found)


def all_sorts(pieces: Sequence[str]) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """Yields thousands of texts, by what they are.

    Args:
      pieces: Of the vocabulary that they are tokenized with.
    """
    yield "every character", characters()
    yield "every piece", of_pieces(pieces)
    yield "long words and texts", long_texts()
    random_ones = mixtures(pieces, 1500)
    yield "random texts", random_ones
    yield "random bytes", damaged(random_ones[:500])
    yield "null characters", null_characters()
