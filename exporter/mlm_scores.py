"""How well an encoder with its head guesses masked words of plain English sentences.

What no weight can show (the order of norms, the activation, a vocabulary in another order) shows
here: an encoder that is put together wrongly guesses no better than one that sees no context.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from exporter import encoder_calls, encoders, findings, vocabularies

# Simple words that any English vocabulary has, prose and documentation.
SENTENCES = (
    "The function returns a list of the names that are in the file.",
    "If the value is not found, an error is raised and the program ends.",
    "This is the first time that we have seen one of them in the city.",
    "You can use this method to read the data from the other end of the line.",
    "He said that he did not know the name of the man who came to the house.",
    "The number of items must be the same as the number of values in the table.",
    "It is possible to change the order of the words without a change of the meaning.",
    "There are two ways to do this, and the second one is used by most people.",
    "When the file is closed, the object can not be used any more.",
    "They went back to the school in the morning to look for the book.",
)
_MASKED_EVERY = 6
# With more pieces a word, or more unknown ones, the vocabulary is not made for English.
_MOST_PIECES_PER_WORD = 1.6
_MOST_UNKNOWN = 0.15
# Encoders that were trained are better than this. In nats (after 6,000 steps, an encoder of two
# layers gains 1.8 from the words around), and as a part of chance.
_LEAST_GAIN = 0.5
_NEAR_CHANCE = 0.9
# Who gains more than this from the words around is put together as in training, in nats.
_BEYOND_DOUBT = 2.5
# What the other order of norms must gain, in nats, to be told: more than 32 words do by accident.
_CLEAR_GAIN = 0.3
# So many sentences are enough to tell that an encoder is not trained in that order.
_FIRST_SENTENCES = 3
_TRAINED_STEPS = 1000


@dataclasses.dataclass(frozen=True)
class Score:
    """Mean losses of masked words, in nats.

    Attributes:
      loss: With the words around them.
      without_context: When each is guessed as if it were any other of the masked words.
      chance: When all pieces are equally likely.
      num_masked: How many words were masked.
    """

    loss: float
    without_context: float
    chance: float
    num_masked: int

    @property
    def is_at_chance(self) -> bool:
        """Whether the words around do not help, or nothing does."""
        return self.loss > min(self.without_context - _LEAST_GAIN, _NEAR_CHANCE * self.chance)

    def gain(self, other: Score) -> float:
        """How much less the loss is than another."""
        return other.loss - self.loss

    def __str__(self) -> str:
        return (
            f"mean loss {self.loss:.2f} of {self.num_masked} words, {self.without_context:.2f} "
            f"without context, {self.chance:.2f} by chance"
        )


@dataclasses.dataclass(frozen=True)
class Words:
    """How words become ids.

    Attributes:
      tokenize: Makes of texts, string `[B]`, ids `[B, (words), (pieces)]` or `[B, (pieces)]`.
      special_tokens: The special tokens' ids by purpose.
      unknown_id: The id of the token for words that cannot be split, or None.
    """

    tokenize: Callable[[tf.Tensor], tf.RaggedTensor]
    special_tokens: Mapping[str, int]
    unknown_id: int | None


def find(encoder: encoders.Encoder, words: Words, *, step: int | None) -> findings.Finding:
    """Returns what the score tells.

    Args:
      encoder: The encoder with its head; its variables have values.
      words: How words become ids.
      step: The checkpoint's step, or None if it is not known.
    """
    subject = "masked words"
    result = score(encoder, words)
    if isinstance(result, str):
        return findings.Finding(subject, f"not scored: {result}")
    other: Score | str = ""
    if result.without_context - result.loss < _BEYOND_DOUBT:
        with other_order_of_norms(encoder) as exists:
            if exists and _may_be_trained(encoder, words):
                other = score(encoder, words)
    hint = ""
    if isinstance(other, Score) and not other.is_at_chance and other.gain(result) > _CLEAR_GAIN:
        hint = f"; with the other order of norms {other.loss:.2f}"
    if not result.is_at_chance:
        text = f"{result}{hint}{': is norm_first that of the training?' if hint else ''}"
        return findings.Finding(subject, text, is_warning=bool(hint))
    if step is not None and step < _TRAINED_STEPS:
        return findings.Finding(subject, f"{result}, of a checkpoint of only {step} steps")
    return findings.Finding(
        subject,
        f"{result}{hint}: hardly better than without context or by chance, though "
        f"{'it may be trained' if step is None else f'trained {step} steps'}. Are vocabulary, "
        "casing, norm_first, activation, number of heads and type those of the training?",
        is_warning=True,
    )


@contextlib.contextmanager
def other_order_of_norms(encoder: encoders.Encoder) -> Iterator[bool]:
    """While open, norms that were to stand behind the sums stand before, and the reverse.

    Args:
      encoder: The encoder.

    Yields:
      Whether there is such a choice for the encoder's layers.
    """
    layers = [
        module
        for module in encoder.modules
        if isinstance(getattr(module, "_norm_first", None), bool)
    ]
    for layer in layers:
        object.__setattr__(layer, "_norm_first", not layer._norm_first)
    try:
        yield bool(layers)
    finally:
        for layer in layers:
            object.__setattr__(layer, "_norm_first", not layer._norm_first)


def _may_be_trained(encoder: encoders.Encoder, words: Words) -> bool:
    """Whether the first sentences are guessed better than by chance."""
    first = score(encoder, words, SENTENCES[:_FIRST_SENTENCES])
    return isinstance(first, Score) and first.loss < first.chance


def score(
    encoder: encoders.Encoder, words: Words, sentences: Sequence[str] = SENTENCES
) -> Score | str:
    """Scores an encoder.

    Args:
      encoder: The encoder with its head; its variables have values.
      words: How words become ids.
      sentences: Of which words are guessed.

    Returns:
      The score, or why there is none.
    """
    special = words.special_tokens
    if vocabularies.MASK_ID not in special:
        return "the vocabulary has no [MASK]"
    ids = _tokens(words, sentences)
    if not _is_english(np.concatenate(ids), words.unknown_id, sentences):
        return "the vocabulary is not made for English"
    batch = _masked(ids, special, encoder.max_seq_length)
    length = batch.word_ids.shape[1]
    inputs = {
        name: tf.constant(values, tf.int32)
        for name, values in zip(
            encoder_calls.INPUT_NAMES,
            (
                batch.word_ids,
                batch.word_ids != special[vocabularies.PADDING_ID],
                0 * batch.word_ids,
            ),
            strict=True,
        )
    }
    outputs = encoder(inputs, training=False)["sequence_output"]
    if outputs.shape[1] != length:
        return "the encoder shortens sequences"
    assert encoder.masked_lm is not None
    logits = encoder.masked_lm(outputs, masked_positions=tf.constant(batch.positions))
    return _score(np.asarray(logits, np.float64)[batch.targets >= 0], batch.targets)


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Sentences with masked words.

    Attributes:
      word_ids: int32 `[B, L]` (B: how many sentences, L: length of the longest).
      positions: Where words are masked, int32 `[B, P]`, zero where there are fewer.
      targets: What was there, int32 `[B, P]`, -1 where there are fewer.
    """

    word_ids: np.ndarray
    positions: np.ndarray
    targets: np.ndarray


def _tokens(words: Words, sentences: Sequence[str]) -> list[np.ndarray]:
    tokens = words.tokenize(tf.constant(sentences))
    if tokens.ragged_rank > 1:
        tokens = tokens.merge_dims(1, 2)
    return [row.numpy() for row in tokens]


def _is_english(ids: np.ndarray, unknown_id: int | None, sentences: Sequence[str]) -> bool:
    num_words = sum(len(re.findall(r"\w+|[.,]", sentence)) for sentence in sentences)
    unknown = float(np.mean(ids == unknown_id)) if unknown_id is not None else 0.0
    return unknown <= _MOST_UNKNOWN and len(ids) <= _MOST_PIECES_PER_WORD * num_words


def _masked(
    sentences: Sequence[np.ndarray], special: Mapping[str, int], longest: int | None
) -> _Batch:
    """Masks every few pieces of each sentence, from another one on in each."""
    room = max(len(ids) for ids in sentences) if longest is None else longest - 2
    sentences = [ids[:room] for ids in sentences]
    length = max(len(ids) for ids in sentences) + 2
    num_masked = -(-length // _MASKED_EVERY)
    batch = _Batch(
        np.full([len(sentences), length], special[vocabularies.PADDING_ID], np.int32),
        np.zeros([len(sentences), num_masked], np.int32),
        np.full([len(sentences), num_masked], -1, np.int32),
    )
    for row, ids in enumerate(sentences):
        start, end = (special[f"{name}_id"] for name in ("start_of_sequence", "end_of_segment"))
        word_ids = np.array([start, *ids, end], np.int32)
        masked = np.arange(1 + row % _MASKED_EVERY, len(ids) + 1, _MASKED_EVERY)
        batch.targets[row, : len(masked)] = word_ids[masked]
        batch.positions[row, : len(masked)] = masked
        word_ids[masked] = special[vocabularies.MASK_ID]
        batch.word_ids[row, : len(word_ids)] = word_ids
    return batch


def _score(logits: np.ndarray, targets: np.ndarray) -> Score:
    """Scores logits `[N, V]` (N: how many masked words, V: vocabulary size)."""
    targets = targets[targets >= 0]
    shifted = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    tiny = np.finfo(np.float64).tiny
    of_targets = probabilities[np.arange(len(targets)), targets]
    return Score(
        loss=float(-np.mean(np.log(np.maximum(of_targets, tiny)))),
        without_context=float(
            -np.mean(np.log(np.maximum(probabilities.mean(axis=0)[targets], tiny)))
        ),
        chance=float(np.log(logits.shape[1])),
        num_masked=len(targets),
    )
