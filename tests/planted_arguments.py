"""Ways to plant a mistake in what an encoder is exported from."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tests import planted_sources as sources
from tests import testing

SENTENCEPIECE = testing.TESTDATA / "spm" / "spm.model"
Arguments = Callable[[sources.Place], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A planted mistake.

    Attributes:
      name: What is wrong.
      arguments: Makes the files and returns the arguments; --export_path is added in front.
      told: What is said of it. "{folder}" stands for `Place.folder`, "{sources}" for
        `Sources.folder`, "{testdata}" for the bundled test data.
    """

    name: str
    arguments: Arguments
    told: str


def flags(
    name: str,
    *more: str,
    config: str | None = None,
    gin: Sequence[str] = (),
    vocabulary: str | None = None,
    **fields: Any,
) -> Arguments:
    """Exports a case's checkpoint, with its head, as a changed configuration says."""

    def arguments(place: sources.Place) -> list[str]:
        return [
            "--export_type=model_with_mlm",
            f"--encoder_config_file={place.config(config or name, **fields)}",
            f"--model_checkpoint_path={place.prefix(name)}",
            vocabulary or f"--vocab_file={place.sources.case('bert').vocabulary}",
            *(f"--gin_params={binding}" for binding in gin),
            *more,
        ]

    return arguments


def changed(change: Callable[[testing.Source], Any]) -> Arguments:
    """Exports a checkpoint of "bert" with other values."""

    def arguments(place: sources.Place) -> list[str]:
        prefix = place.changed_checkpoint(change)
        return [*flags("bert")(place), f"--model_checkpoint_path={prefix}"]

    return arguments


def tf1(
    *more: str,
    config: str = "bert",
    albert: bool = False,
    change: Callable[[sources.Values], sources.Values] = dict,
    **fields: Any,
) -> Arguments:
    """Exports a TF1 checkpoint as a changed configuration says."""

    def arguments(place: sources.Place) -> list[str]:
        prefix = place.tf1_checkpoint(change, albert=albert)
        return [
            *flags("bert", config=config, **fields)(place),
            "--export_type=model",
            f"--model_checkpoint_path={prefix}",
            *more,
        ]

    return arguments


def run(*more: str, change: Callable[[list[str]], Sequence[str]] | None = None) -> Arguments:
    """Exports the bundled run, possibly with a changed vocabulary."""

    def arguments(place: sources.Place) -> list[str]:
        vocabulary = sources.RUN / "vocab.txt"
        if change is not None:
            vocabulary = pathlib.Path(place.vocabulary(change, of_run=True))
        return [f"--pretraining_dir={sources.RUN}", f"--vocab_file={vocabulary}", *more]

    return arguments


def recorded(**fields: Any) -> Arguments:
    """Exports the bundled run as another configuration says than the one that it recorded."""

    def arguments(place: sources.Place) -> list[str]:
        return [
            f"--encoder_config_file={place.run_config(**fields)}",
            f"--model_checkpoint_path={sources.RUN_PREFIX}",
            f"--vocab_file={sources.RUN / 'vocab.txt'}",
            "--do_lower_case",
        ]

    return arguments


def damaged(damage: Callable[[pathlib.Path, pathlib.Path], Any]) -> Arguments:
    """Exports a copy of the bundled run, of which the data file or the index is damaged."""

    def arguments(place: sources.Place) -> list[str]:
        run = place.copy_of_run()
        prefix = run / sources.RUN_PREFIX.name
        damage(pathlib.Path(f"{prefix}.data-00000-of-00001"), pathlib.Path(f"{prefix}.index"))
        return [
            f"--pretraining_dir={run}",
            f"--vocab_file={sources.RUN / 'vocab.txt'}",
            "--do_lower_case",
        ]

    return arguments


def vocabulary(change: Callable[[list[str]], Sequence[str]], **fields: Any) -> Arguments:
    """Exports "bert" with a changed vocabulary."""

    def arguments(place: sources.Place) -> list[str]:
        return [*flags("bert", **fields)(place), f"--vocab_file={place.vocabulary(change)}"]

    return arguments


def flip(path: pathlib.Path, offset: int) -> None:
    """Flips a bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def with_value(value: float) -> Callable[[testing.Source], None]:
    """Returns a change that puts a value into some variables."""

    def change(source: testing.Source) -> None:
        for variable in source.network.variables[-2:]:
            variable.assign(tf.fill(variable.shape, 0.5))
            variable.scatter_nd_update([[0] * len(variable.shape)], [value])

    return change


def _with_pooler(source: testing.Source, pooler: Any) -> dict[str, Any]:
    """Returns what is to be saved where another object is to stand in the pooler's place."""
    view = tf.train.TrackableView(source.network)
    children = {
        name: pooler if child is source.network.pooler_layer else child
        for name, child in view.children(source.network).items()
    }
    encoder = tf.train.Checkpoint(**{n: c for n, c in children.items() if c is not None})
    return {**source.items("items"), "encoder": encoder}


def without_pooler(source: testing.Source) -> dict[str, Any]:
    """Returns what is to be saved without the pooler."""
    return _with_pooler(source, None)


def in_half_precision(source: testing.Source) -> dict[str, Any]:
    """Returns what is to be saved with a pooler of float16."""
    layer = source.network.pooler_layer
    halves = {name: tf.cast(getattr(layer, name), tf.float16) for name in ("kernel", "bias")}
    variables = {name: tf.Variable(value) for name, value in halves.items()}
    return _with_pooler(source, tf.train.Checkpoint(**variables))


def with_own_head(source: testing.Source) -> dict[str, Any]:
    """Returns what is to be saved with a head of one's own."""
    head = tf.train.Checkpoint(kernel=tf.Variable([[1.0, 2.0]]))
    return {**source.items("items"), "my_head": head}


def with_other_values(values: sources.Values) -> sources.Values:
    """Adds a value that BERT has not."""
    return {**values, "bert/encoder/layer_0/adapter/kernel": values["bert/pooler/dense/kernel"]}


def of_another_model(values: sources.Values) -> sources.Values:
    """Names the values as another model does."""
    return {name.replace("bert/", "electra/"): value for name, value in values.items()}


def with_accents(pieces: list[str]) -> list[str]:
    """Puts accents on pieces."""
    return [piece.replace("e", "\u00e9") for piece in pieces]


def with_capitals(pieces: list[str]) -> list[str]:
    """Makes pieces upper-case, but for special tokens."""
    return [piece if piece.startswith("[") else piece.upper() for piece in pieces]
