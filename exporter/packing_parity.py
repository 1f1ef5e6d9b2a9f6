"""Compares how a preprocessing packs tokens with TF-NLP's packing, for many lengths of rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from exporter import (
    comparison,
    contracts,
    contracts_of_preprocessing,
    loaded_models,
    reports,
    sample_segments,
    sample_texts,
    text_sources,
    token_rows,
)

_INPUTS = "packed inputs"
_LONG = "many words " * 300
_TEXTS = tuple(text.encode() for text in (*sample_texts.SENTENCES, _LONG))
_LOOK_AT = "seq_length and its default, truncation, vocabulary, and casing"
_HOW = "seq_length, truncation, the special tokens, and how many segments it was traced for"
# Of pairs, which encoders are trained on, and of other numbers of segments.
_OF_PAIRS, _OF_OTHERS = (4, 5, 8, 13, 33, 64, 128, 200, 512, 1024), (8, 33, 128, 512)

Packed = dict[str, tf.Tensor]
Pack = Callable[..., Packed]


def checks(
    model: loaded_models.Model, source: text_sources.TextSource, *, quick: bool
) -> Iterator[reports.Check]:
    """Compares packed texts, and packed segments.

    Args:
      model: The preprocessing.
      source: What it was made from.
      quick: Whether only at the default length.

    Yields:
      The checks.
    """
    tokenize, pack, _ = source.layers()
    tokens = tokenize(tf.constant(_TEXTS))
    yield _same(
        _INPUTS, pack([tokens]), lambda: model.loaded(tf.constant(_TEXTS)), look_at=_LOOK_AT
    )
    if not quick:
        yield _other_lengths(model, source)
    yield from _segments(model, source, tokens, quick=quick)


def _other_lengths(model: loaded_models.Model, source: text_sources.TextSource) -> reports.Check:
    """Compares what the root makes of texts that fill rows, nearly do or are too long."""
    name = f"{_INPUTS} of other lengths"
    if not contracts_of_preprocessing.takes_seq_length(model):
        return reports.Check(name, None, "the call takes no seq_length")
    tokenize, pack, _ = source.layers()
    word = _words(tokenize)
    near = [max(source.seq_length + i, 3) for i in (-1, 0, 1)]
    expected: dict[str, Packed] = {}
    texts: dict[int, tf.Tensor] = {}
    for length in sorted({*sample_segments.LENGTHS, *near}):
        counts = (0, 1, length - 4, length - 3, length - 2, length - 1, length, 2 * length + 7)
        rows = [" ".join(word[i % len(word)] for i in range(max(count, 0))) for count in counts]
        texts[length] = tf.constant(rows)
        expected[f"seq_length={length}"] = pack([tokenize(texts[length])], length)

    # Lengths are given as tensors: for each other integer, a call would be traced anew.
    def got() -> dict[str, Packed]:
        return {
            f"seq_length={length}": model.loaded(text, seq_length=tf.constant(length))
            for length, text in texts.items()
        }

    return _same(name, _by_name(expected), lambda: _by_name(got()), look_at=_LOOK_AT)


def _words(tokenize: Callable[[tf.Tensor], tf.RaggedTensor]) -> list[str]:
    """Returns words that are a token each, or nearly so."""
    candidates = [chr(point) for point in (*range(0x61, 0x7B), *range(0x30, 0x3A), 0x2E, 0x2C)]
    candidates += ["the", "and", "first", "words", "years"]
    counts = map(len, token_rows.flat(tokenize(tf.constant(candidates))))
    return [word for word, count in zip(candidates, counts, strict=True) if count == 1] or ["a"]


def _by_name(packed: dict[str, Packed]) -> dict[str, tf.Tensor]:
    return {
        f"{name} for {length}": value
        for length, outputs in packed.items()
        for name, value in outputs.items()
    }


def _segments(
    model: loaded_models.Model,
    source: text_sources.TextSource,
    tokens: tf.RaggedTensor,
    *,
    quick: bool,
) -> Iterator[reports.Check]:
    """Compares pairs, and as many segments as there may be at most; all numbers at full."""
    choices, loaded_pack = source.packing, model.loaded.bert_pack_inputs
    _, pack, special_tokens = source.layers()
    for number in sorted({min(2, choices.max_segments), choices.max_segments} - {1}):
        segments = [tf.concat([tokens[i:], tokens[:i]], axis=0) for i in range(number)]
        name = _name(number)
        yield _same(name, pack(segments), functools.partial(loaded_pack, segments), look_at=_HOW)
        if choices.pack_for_xla:
            compiled = tf.function(loaded_pack, jit_compile=True, autograph=False)
            yield _same(
                f"{name}, compiled by XLA",
                pack(segments),
                functools.partial(compiled, segments),
                look_at=_HOW,
            )
    if quick:
        return
    ids = _plain(special_tokens)
    for number in range(1, choices.max_segments + 1):
        yield _other_segments(number, source, ids, loaded_pack)


def _name(number: int) -> str:
    return "packed pairs" if number == 2 else f"packed segments, {number} at a time"


def _plain(special_tokens: dict[str, int]) -> list[int]:
    special = {value for name, value in special_tokens.items() if name != "vocab_size"}
    return [i for i in range(special_tokens["vocab_size"]) if i not in special]


def _other_segments(
    number: int, source: text_sources.TextSource, ids: list[int], loaded_pack: Pack
) -> reports.Check:
    _, pack, _ = source.layers()
    known = {*(_OF_PAIRS if number == 2 else _OF_OTHERS), source.seq_length}
    tried = sorted(length for length in known if length > number)
    segments = {length: sample_segments.make(number, length, ids) for length in tried}
    expected = {
        f"seq_length={length}": pack(list(rows), length) for length, rows in segments.items()
    }

    def got(change: Callable[[tf.RaggedTensor], tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        return _by_name(
            {
                f"seq_length={length}": loaded_pack(
                    list(map(change, rows)), seq_length=tf.constant(length)
                )
                for length, rows in segments.items()
            }
        )

    def check() -> reports.Check:
        name = f"{_name(number)}, of {tried[0]} to {tried[-1]} positions"
        by_name = _by_name(expected)
        flat = comparison.compare(name, by_name, got(lambda rows: rows), look_at=_HOW)
        if not flat.passed:
            return flat
        return comparison.compare(name, by_name, got(sample_segments.by_words), look_at=_HOW)

    return contracts.attempt(_name(number), check)


def _same(
    name: str, expected: dict[str, Any], call: Callable[[], dict[str, Any]], *, look_at: str
) -> reports.Check:
    return contracts.attempt(
        name, lambda: comparison.compare(name, expected, call(), look_at=look_at)
    )
