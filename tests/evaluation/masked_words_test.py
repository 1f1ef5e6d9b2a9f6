from __future__ import annotations

import math
from collections.abc import Callable

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from exporter.evaluation import masked_words

_PAD, _UNK, _CLS, _SEP, _MASK = range(5)
_SIZE = 12
_SPECIAL = masked_words.Special(_MASK, frozenset({_PAD, _UNK, _CLS, _SEP, _MASK}))


def _inputs(*rows: list[int]) -> masked_words.Inputs:
    """Packed rows `[CLS] row [SEP]`, padded."""
    width = max(map(len, rows)) + 2
    word_ids = np.array([[_CLS, *row, _SEP] + [_PAD] * (width - len(row) - 2) for row in rows])
    return {
        "input_word_ids": word_ids.astype(np.int32),
        "input_mask": (word_ids != _PAD).astype(np.int32),
        "input_type_ids": np.zeros_like(word_ids, np.int32),
    }


def _logits(value: float) -> np.ndarray:
    """Of each token of the vocabulary the same, but for token 5."""
    logits = np.zeros(_SIZE)
    logits[5] = value
    return logits


def _mlm(logits: np.ndarray) -> Callable[[masked_words.Inputs], np.ndarray]:
    return lambda inputs: np.broadcast_to(logits, [*inputs["masked_lm_positions"].shape, _SIZE])


def test_tokens_are_masked_and_kept_as_targets() -> None:
    inputs = _inputs([5, 6, 7, 8, 9, 10, 11, 5, 6, 7, 8, 9, 10], [6, 7])
    masked = masked_words.mask(inputs, _SPECIAL, numbers=[0, 1], seed=0)

    assert masked.targets.shape == (2, 2)  # 15% of 13 and of 2, but one at least.
    assert masked.targets[1, 1] == -1
    ids, positions = inputs["input_word_ids"], masked.inputs["masked_lm_positions"]
    for row, count in ((0, 2), (1, 1)):
        chosen = positions[row, :count]
        assert (masked.targets[row, :count] == ids[row, chosen]).all()
        expected = ids[row].copy()
        expected[chosen] = _MASK
        assert (masked.inputs["input_word_ids"][row] == expected).all()
    assert (masked.inputs["input_mask"] == inputs["input_mask"]).all()
    assert positions.dtype == masked.inputs["input_word_ids"].dtype == np.int32


def test_what_is_given_stays_as_it_is() -> None:
    inputs = _inputs([5, 6, 7])
    before = inputs["input_word_ids"].copy()
    masked_words.mask(inputs, _SPECIAL, numbers=[0], seed=0)

    assert (inputs["input_word_ids"] == before).all()
    assert "masked_lm_positions" not in inputs


def test_special_and_unknown_tokens_are_never_masked() -> None:
    masked = masked_words.mask(
        _inputs([_UNK, _MASK, 7, _UNK], [_UNK]), _SPECIAL, numbers=[0, 1], seed=0
    )
    assert masked.targets.tolist() == [[7], [-1]]
    assert masked.inputs["masked_lm_positions"].tolist() == [[3], [0]]


@hypothesis.settings(deadline=None)
@hypothesis.given(
    st.lists(st.lists(st.integers(5, 11), min_size=1, max_size=30), min_size=1, max_size=5),
    st.integers(0, 2**31),
)
def test_the_choice_depends_on_seed_and_text_alone(rows: list[list[int]], seed: int) -> None:
    numbers = list(range(len(rows)))
    together = masked_words.mask(_inputs(*rows), _SPECIAL, numbers=numbers, seed=seed)

    for number, row in enumerate(rows):
        alone = masked_words.mask(_inputs(row), _SPECIAL, numbers=[number], seed=seed)
        count = max(1, round(0.15 * len(row)))
        assert (alone.targets[0] >= 0).sum() == count
        assert (together.targets[number, :count] == alone.targets[0]).all()
        assert (together.targets[number, count:] == -1).all()


def test_another_seed_masks_others() -> None:
    inputs = _inputs(list(range(5, 12)) * 20)
    first, second = (masked_words.mask(inputs, _SPECIAL, numbers=[0], seed=seed) for seed in (0, 1))
    assert (first.targets != second.targets).any()


def _guess(logits: np.ndarray, *rows: list[int]) -> masked_words.Guesses:
    batches = [(_inputs(row), [number]) for number, row in enumerate(rows)]
    return masked_words.guess(batches, _mlm(logits), _SPECIAL, seed=0)


def test_scores_by_hand() -> None:
    # Token 5 is guessed with probability e^2 / (e^2 + 11), each other one with 1 / (e^2 + 11).
    found = _guess(_logits(2.0), [5], [6], [5], [5])
    likely, other = (math.log(math.exp(2) + 11) - logit for logit in (2.0, 0.0))

    assert found.texts.tolist() == [0, 1, 2, 3]
    # Of equal ones, the right one counts as the last.
    assert found.ranks.tolist() == [0, 11, 0, 0]
    assert found.losses == pytest.approx([likely, other, likely, likely])
    assert found.scores() == pytest.approx(
        {
            "top_1_accuracy": 0.75,
            "top_5_accuracy": 0.75,
            "pseudo_perplexity": math.exp((3 * likely + other) / 4),
        }
    )


def test_top_five() -> None:
    logits = np.arange(_SIZE, dtype=float)  # Token 11 first, 7 fifth.
    assert _guess(logits, [7], [6], [11]).ranks.tolist() == [4, 5, 0]
    assert _guess(logits, [7], [6], [11]).scores()["top_5_accuracy"] == pytest.approx(2 / 3)


def test_who_knows_nothing_is_as_perplexed_as_the_vocabulary_is_large() -> None:
    scores = _guess(np.zeros(_SIZE), [5], [6]).scores()
    assert scores == pytest.approx(
        {"top_1_accuracy": 0.0, "top_5_accuracy": 0.0, "pseudo_perplexity": _SIZE}
    )


def test_what_is_no_number_is_no_right_guess() -> None:
    scores = _guess(np.full(_SIZE, math.nan), [5]).scores()
    assert scores["top_1_accuracy"] == scores["top_5_accuracy"] == 0.0
    assert math.isnan(scores["pseudo_perplexity"])


def test_intervals_are_over_texts() -> None:
    # Two texts, one all right and one all wrong: whichever are drawn, the score is 0, 1/2 or 1.
    found = masked_words.Guesses(
        ranks=np.array([0, 0, 9, 9]), losses=np.ones(4), texts=np.array([3, 3, 1, 1])
    )
    assert found.intervals(seed=0) == {
        "top_1_accuracy": (0.0, 1.0),
        "top_5_accuracy": (0.0, 1.0),
        "pseudo_perplexity": pytest.approx((math.e, math.e)),
    }


def test_nothing_to_mask() -> None:
    with pytest.raises(ValueError, match="No text has a token that may be masked"):
        _guess(np.zeros(_SIZE), [], [_UNK])
