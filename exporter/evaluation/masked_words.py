"""How well an encoder with its head guesses masked tokens of given texts.

Of each text, 15% of the tokens are replaced by [MASK], all at once, as in pre-training (Devlin et
al., 2018, arxiv.org/abs/1810.04805), but without random tokens among them. The pseudo-perplexity is
that of Salazar et al. (2020, arxiv.org/abs/1910.14659), but for these tokens alone: the exponential
of their mean negative log probability.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from scipy import special

from exporter import encoder_calls
from exporter.evaluation import scoring

RATE = 0.15
POSITIONS = "masked_lm_positions"
_TOP = 5
_WORD_IDS, _MASK, _ = encoder_calls.INPUT_NAMES

Inputs = dict[str, np.ndarray]


class NothingToMaskError(ValueError):
    """No text has a token that may be masked."""


@dataclasses.dataclass(frozen=True)
class Special:
    """Ids of the vocabulary.

    Attributes:
      mask_id: That of [MASK].
      kept: Those that are never masked: of special tokens, and of the unknown one.
    """

    mask_id: int
    kept: frozenset[int]


@dataclasses.dataclass(frozen=True)
class Masked:
    """A batch with masked tokens.

    Attributes:
      inputs: The encoder's inputs, int32 `[B, L]` (B: how many texts, L: how many tokens), and
        where tokens are masked, int32 `[B, P]` (P: how many at most), zero where there are fewer.
      targets: What was there, int32 `[B, P]`, -1 where there are fewer.
    """

    inputs: Inputs
    targets: np.ndarray


@dataclasses.dataclass(frozen=True)
class Guesses:
    """What was guessed.

    Attributes:
      ranks: How many others were thought as likely as the right token or likelier, of each masked
        one, int `[N]` (N: how many were masked).
      losses: Its negative log probability, in nats, `[N]`.
      texts: The number of the text that it is in, int `[N]`.
    """

    ranks: np.ndarray
    losses: np.ndarray
    texts: np.ndarray

    def scores(self) -> dict[str, float]:
        """Returns the parts that were guessed first or among the first five, and the perplexity."""
        return {name: float(value(self.ranks, self.losses)) for name, value in _SCORES.items()}

    def intervals(self, seed: int) -> dict[str, tuple[float, float]]:
        """Returns 95% intervals of the scores over texts: tokens of one text have much in common.

        Args:
          seed: Of the texts that are drawn.
        """
        order = np.argsort(self.texts, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(self.texts[order])) + 1)

        def drawn(value: _Score) -> Callable[[np.ndarray], float]:
            def score(chosen: np.ndarray) -> float:
                rows = np.concatenate([members[i] for i in chosen])
                return float(value(self.ranks[rows], self.losses[rows]))

            return score

        return {
            name: scoring.interval(drawn(value), len(members), seed=seed)
            for name, value in _SCORES.items()
        }


_Score = Callable[[np.ndarray, np.ndarray], np.floating]
_SCORES: Mapping[str, _Score] = {
    "top_1_accuracy": lambda ranks, _: np.mean(ranks < 1),
    f"top_{_TOP}_accuracy": lambda ranks, _: np.mean(ranks < _TOP),
    "pseudo_perplexity": lambda _, losses: np.exp(np.mean(losses)),
}


def mask(inputs: Inputs, tokens: Special, *, numbers: Sequence[int], seed: int) -> Masked:
    """Masks tokens: which ones depends on the seed and on each text's number alone.

    Args:
      inputs: An encoder's inputs, int32 `[B, L]`.
      tokens: What to mask with, and what not to mask.
      numbers: The texts' numbers.
      seed: Of the choice.
    """
    word_ids, seen = inputs[_WORD_IDS], inputs[_MASK] == 1
    may_be = seen & ~np.isin(word_ids, list(tokens.kept))
    chosen = [
        _chosen(np.flatnonzero(row), np.random.default_rng([seed, number]))
        for number, row in zip(numbers, may_be, strict=True)
    ]
    most = max(1, *map(len, chosen)) if chosen else 1
    positions = np.zeros([len(word_ids), most], np.int32)
    targets = np.full([len(word_ids), most], -1, np.int32)
    masked = word_ids.copy()
    for row, places in enumerate(chosen):
        positions[row, : len(places)] = places
        targets[row, : len(places)] = word_ids[row, places]
        masked[row, places] = tokens.mask_id
    return Masked({**inputs, _WORD_IDS: masked, POSITIONS: positions}, targets)


def _chosen(places: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """At least one, where there is any."""
    count = min(len(places), max(1, round(RATE * len(places))))
    return np.sort(random.choice(places, count, replace=False)) if count else places


def guess(
    batches: Iterable[tuple[Inputs, Sequence[int]]],
    mlm: Callable[[Inputs], np.ndarray],
    tokens: Special,
    *,
    seed: int,
) -> Guesses:
    """Lets an encoder with its head guess masked tokens.

    Args:
      batches: The encoder's inputs without masks, int32 `[B, L]`, and the texts' numbers.
      mlm: Makes logits `[B, P, V]` (V: size of the vocabulary) of `Masked.inputs`.
      tokens: What to mask with, and what not to mask.
      seed: Of what is masked.

    Raises:
      NothingToMaskError: No text has a token that may be masked.
    """
    found = [
        _guessed(mask(inputs, tokens, numbers=numbers, seed=seed), mlm, numbers)
        for inputs, numbers in batches
    ]
    if not sum(len(guesses.ranks) for guesses in found):
        raise NothingToMaskError("No text has a token that may be masked.")
    return Guesses(
        *(
            np.concatenate([getattr(guesses, field.name) for guesses in found])
            for field in dataclasses.fields(Guesses)
        )
    )


def _guessed(
    masked: Masked, mlm: Callable[[Inputs], np.ndarray], numbers: Sequence[int]
) -> Guesses:
    rows, columns = np.nonzero(masked.targets >= 0)
    targets = masked.targets[rows, columns]
    logits = np.asarray(mlm(masked.inputs), np.float64)[rows, columns]
    right = logits[np.arange(len(targets)), targets]
    return Guesses(
        # What is no number is no right guess.
        ranks=logits.shape[1] - 1 - np.sum(logits < right[:, np.newaxis], axis=1),
        losses=special.logsumexp(logits, axis=1) - right,
        texts=np.asarray(numbers)[rows],
    )
