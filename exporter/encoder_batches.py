"""The inputs that encoders are compared on: random ones, edge cases, sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from exporter import encoder_calls, encoders, loaded_models, mlm_scores, text_verification

_SEED = 20201012
# Beside the shortest and the longest: those that many choose, and others.
_LENGTHS = (7, 24, 32, 50, 64, 100, 128, 200, 384)
# Of encoders that pad to the longest, one length is as good as another.
_LENGTHS_OF_PADDED = (7, 50)
_DEFAULT_LENGTH = 128
_SENTENCES = (*mlm_scores.SENTENCES[:3], "Caf\u00e9s, 12,345 of them - or not? \u4f60\u597d!")


def usual_length(source: encoders.Encoder) -> int:
    """Returns a length that costs little."""
    return min(16, source.max_seq_length or 64)


def of_length(source: encoders.Encoder, length: int) -> loaded_models.Inputs:
    """Returns padded and full rows of several types, int32 `[3, length]`."""
    random = np.random.default_rng([_SEED, length])
    ids = random.integers(0, source.vocab_size, [3, length])
    mask = np.arange(length) < np.array([[length], [max(1, length // 2)], [length]])
    types = np.arange(length) >= np.array([[length], [length], [length // 2]])
    return loaded_models.encoder_inputs(ids * mask, mask, types % source.type_vocab_size)


def short(source: encoders.Encoder, length: int) -> loaded_models.Inputs:
    """Returns a padded row, and a full one of several types."""
    return {name: rows[1:] for name, rows in of_length(source, length).items()}


def edge_cases(source: encoders.Encoder) -> Iterator[tuple[str, loaded_models.Inputs]]:
    """Yields random inputs by what they are: of the usual, longest and shortest length, and odd."""
    usual, longest = usual_length(source), source.max_seq_length or 64
    for length in sorted({1, usual, longest}, reverse=True):
        yield f"at length {length}", of_length(source, length)
    ids, mask, types = (of_length(source, usual)[name] for name in encoder_calls.INPUT_NAMES)
    ones, zeros = tf.ones_like(mask), tf.zeros_like(mask)
    for name, values in (
        ("of padding alone", (zeros, zeros, zeros)),
        ("of full rows", (ids, ones, types)),
        ("of one type", (ids, mask, ones % source.type_vocab_size)),
        ("of one row", (ids[1:2], mask[1:2], types[1:2])),
    ):
        yield name, dict(zip(encoder_calls.INPUT_NAMES, values, strict=True))


def lengths_between(source: encoders.Encoder) -> list[int]:
    """Returns lengths between the shortest and the longest."""
    padded = source.architecture.type in encoder_calls.ONE_LENGTH
    longest = source.max_seq_length or 2 * max(_LENGTHS)
    known = {1, usual_length(source), source.max_seq_length or 64}
    wanted = set(_LENGTHS_OF_PADDED if padded else _LENGTHS)
    return sorted(length for length in wanted - known if length < longest)


def sentences(
    source: encoders.Encoder, text: text_verification.TextSource
) -> Iterator[tuple[str, loaded_models.Inputs]]:
    """Yields sentences and, where these can be packed, pairs of them.

    Args:
      source: The encoder.
      text: How text becomes its inputs.
    """
    tokenize, pack, _ = text.layers()
    tokens = tokenize(tf.constant(_SENTENCES))
    yield "of sentences", _fitting(source, pack([tokens]))
    if text.packing.max_segments > 1:
        turned = tf.concat([tokens[1:], tokens[:1]], axis=0)
        yield "of pairs of sentences", _fitting(source, pack([tokens, turned]))


def _fitting(source: encoders.Encoder, packed: loaded_models.Inputs) -> loaded_models.Inputs:
    sizes = {"input_word_ids": source.vocab_size, "input_type_ids": source.type_vocab_size}
    return {**packed, **{name: packed[name] % size for name, size in sizes.items()}}


def like_sentences(source: encoders.Encoder) -> Iterator[tuple[str, loaded_models.Inputs]]:
    """Yields what texts look like: `[CLS] .. [SEP] .. [SEP]` and padding, of random tokens."""
    length = min(_DEFAULT_LENGTH, source.max_seq_length or _DEFAULT_LENGTH)
    random = np.random.default_rng([_SEED, length, source.vocab_size])
    sizes = np.array([[max(1, length * part // 8)] for part in (1, 2, 3, 8)])
    column = np.arange(length)
    ids = random.integers(1, max(2, source.vocab_size), [len(sizes), length])
    start, end = min(2, source.vocab_size - 1), min(3, source.vocab_size - 1)
    for name, first in (("like sentences", sizes), ("like pairs of sentences", (sizes + 1) // 2)):
        ends = (column == first - 1) | (column == sizes - 1)
        tokens = np.where(column == 0, start, np.where(ends, end, ids))
        mask = column < sizes
        types = (column >= first) & mask
        yield (
            name,
            loaded_models.encoder_inputs(tokens * mask, mask, types % source.type_vocab_size),
        )
