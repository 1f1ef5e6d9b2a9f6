"""The texts that tokenizers are compared on have what they are for."""

from __future__ import annotations

import string
import unicodedata

from exporter import sample_texts


def _is_utf8(text: bytes) -> bool:
    return text.decode(errors="ignore").encode() == text


def test_characters_are_of_each_category() -> None:
    found = set("".join(text.decode() for text in sample_texts.characters()))
    assert set(string.printable) <= found
    everywhere = {unicodedata.category(chr(point)) for point in range(0x110000)}
    assert {unicodedata.category(character) for character in found} == everywhere - {"Cs"}
    assert len(found) > 30_000


def test_each_piece_is_a_word_and_the_end_of_one() -> None:
    pieces = [f"p{i}" for i in range(100)]
    words = b" ".join(sample_texts.of_pieces([*pieces, "##end", "\u2581start"])).split()
    for piece in [*pieces, "end", "start"]:
        assert {piece.encode(), f"x{piece}".encode()} <= set(words)


def test_long_words_are_around_the_limits() -> None:
    lengths = {len(word) for text in sample_texts.long_texts() for word in text.decode().split(" ")}
    assert {99, 100, 101, 199, 200, 201} <= lengths
    assert max(len(text.split()) for text in sample_texts.long_texts()) >= 4000


def test_random_texts_are_always_the_same() -> None:
    pieces = ["the", "##s", "\u2581a"]
    first, again = (sample_texts.mixtures(pieces, 50) for _ in range(2))
    assert first == again
    assert len(set(first)) > 40
    assert all(map(_is_utf8, first))


def test_damaged_texts_are_mostly_no_utf8() -> None:
    texts = sample_texts.damaged(sample_texts.mixtures(["the"], 100))
    assert sum(not _is_utf8(text) for text in texts) > 50
    assert sum(not _is_utf8(text) for text in sample_texts.INVALID) == len(sample_texts.INVALID) - 1


def test_all_sorts_are_thousands() -> None:
    sorts = dict(sample_texts.all_sorts(["the", "##s"]))
    assert sum(map(len, sorts.values())) > 2500
    assert all(sorts.values())
