"""A table of planted mistakes that no file proves, each with the warning that it leads to."""

from __future__ import annotations

import dataclasses
import pathlib
import random
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tests import planted_sources as sources
from tests import testing


@dataclasses.dataclass(frozen=True)
class Doubt:
    """A planted mistake that is warned of.

    Attributes:
      name: What is wrong.
      arguments: Makes the files and returns the arguments; --export_path is added in front.
      warnings: Regular expressions of the warnings, all of them, in the report's order.
    """

    name: str
    arguments: Callable[[sources.Place], Sequence[str]]
    warnings: tuple[str, ...]


def _run(
    change: Callable[[list[str]], Sequence[str]] | None = None, step: int = 6000, **fields: Any
) -> Callable[[sources.Place], Sequence[str]]:
    """Exports the bundled run with its head, possibly with another configuration or vocabulary."""

    def arguments(place: sources.Place) -> list[str]:
        vocabulary: Any = sources.RUN / "vocab.txt"
        if change is not None:
            vocabulary = place.vocabulary(change, of_run=True)
        return [
            "--export_type=model_with_mlm",
            f"--encoder_config_file={place.run_config(**fields)}",
            f"--model_checkpoint_path={_checkpoint(place, step)}",
            f"--vocab_file={vocabulary}",
            "--do_lower_case",
        ]

    return arguments


def _checkpoint(place: sources.Place, step: int) -> pathlib.Path:
    """Copies the run's checkpoint to where no record of the run stands beside it."""
    for file in sources.RUN.glob(f"{sources.RUN_PREFIX.name}.*"):
        shutil.copy(file, place.folder / file.name.replace("6000", str(step)))
    return place.folder / f"ckpt-{step}"


def _changed(
    change: Callable[[testing.Source], Any], **fields: Any
) -> Callable[[sources.Place], Sequence[str]]:
    """Exports a checkpoint of "bert" with other values."""

    def arguments(place: sources.Place) -> list[str]:
        return [
            "--export_type=model",
            f"--encoder_config_file={place.config('bert', **fields)}",
            f"--model_checkpoint_path={place.changed_checkpoint(change)}",
            f"--vocab_file={place.sources.case('bert').vocabulary}",
        ]

    return arguments


def _as_initialized(source: testing.Source) -> None:
    for variable in source.network.variables:
        if len(variable.shape) == 1:
            value = 1.0 if "gamma" in variable.name else 0.0
            variable.assign(tf.fill(variable.shape, value))


def _with_a_flat_kernel(source: testing.Source) -> None:
    kernel = next(v for v in source.network.variables if "intermediate/kernel" in v.name)
    kernel.assign(tf.zeros_like(kernel))


def _shuffled(pieces: list[str]) -> list[str]:
    rest = pieces[5:]
    random.Random(1).shuffle(rest)
    return [*pieces[:5], *rest]


def _exchanged(*pair: str) -> Callable[[list[str]], list[str]]:
    other = {pair[0]: pair[1], pair[1]: pair[0]}
    return lambda pieces: [other.get(piece, piece) for piece in pieces]


_SCORE = r"masked words: mean loss [\d.]+ of 32 words, [\d.]+ without context, 8.13 by chance"
_CHANCE = (
    rf"{_SCORE}(; with the other order of norms [\d.]+)?: hardly better than without context or "
    r"by chance, though trained 6000 steps\. Are vocabulary, casing, norm_first, activation, "
    r"number of heads and type those of the training\?"
)
_ORDER = r"special tokens: their order is {}, where common tools write .*: were they mixed up\?"

DOUBTS = [
    Doubt("nothing wrong", _run(), ()),
    Doubt(
        "norms in the other order",
        _run(norm_first=True),
        (rf"{_SCORE}; with the other order of norms [\d.]+: is norm_first that of the training\?",),
    ),
    Doubt("another activation", _run(hidden_activation="tanh"), (_CHANCE,)),
    Doubt("vocabulary in another order", _run(_shuffled), (_CHANCE,)),
    Doubt(
        "vocabulary shifted by one piece",
        _run(lambda pieces: [*pieces[:5], pieces[-1], *pieces[5:-1]]),
        (_CHANCE,),
    ),
    Doubt(
        "[PAD] and [MASK] exchanged",
        _run(_exchanged("[PAD]", "[MASK]")),
        (
            (
                r"special tokens: \[PAD\] has the id 4, where TF-NLP pads its training data with "
                r"0: is it the vocabulary of the training\?"
            ),
            _ORDER.format(r"\[MASK\] 0, \[CLS\] 2, \[SEP\] 3"),
        ),
    ),
    Doubt(
        "[CLS] and [SEP] exchanged",
        _run(_exchanged("[CLS]", "[SEP]")),
        (_ORDER.format(r"\[SEP\] 2, \[CLS\] 3, \[MASK\] 4"),),
    ),
    Doubt(
        "checkpoint renamed to another step",
        _run(step=9000),
        (
            (
                r"checkpoint: its files are named after step 9000, its global step is 6000: were "
                r"they renamed or mixed up\?"
            ),
        ),
    ),
    Doubt(
        "checkpoint from before training",
        _changed(_as_initialized),
        (
            (
                r"weights: all biases are 0 and all norms' gammas 1, as before the first step of "
                r"training"
            ),
        ),
    ),
    Doubt(
        "a matrix of zeros",
        _changed(_with_a_flat_kernel),
        (
            (
                r"weights: one value throughout, as no training leaves it: "
                r"transformer/layer_0/intermediate/kernel \(0\)"
            ),
        ),
    ),
]
