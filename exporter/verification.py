"""Compares what was written with where it came from.

The source is TF-NLP's encoder, run by Keras, with the checkpoint restored by TensorFlow; the
export is loaded from its files. Nothing that the exporter did on its way (copying values between
files, sharing traces) is used on the source's side.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from exporter import (
    comparison,
    contract_clauses,
    contracts,
    contracts_of_variables,
    encoder_batches,
    encoder_calls,
    encoder_reference,
    encoders,
    errors,
    loaded_models,
    reports,
    restorations,
    text_verification,
    training_verification,
)

_VARIABLES = "variables in the source's order"
_CHECKPOINT = "whether it was made from this checkpoint, these weights and this pooler"


@dataclasses.dataclass(eq=False)
class EncoderSource:
    """What an encoder's SavedModel was made from, and what that returns.

    Attributes:
      encoder: The encoder; its variables get their values here.
      restoration: Where the values come from.
      text: Returns how text becomes its inputs, where that is known.
    """

    encoder: encoders.Encoder
    restoration: restorations.Restoration
    text: Callable[[], text_verification.TextSource] | None = None

    def restore(self) -> None:
        """Gives the variables their values, if they have not."""
        restorations.restore(self.restoration, self.encoder)

    def prepare(self) -> None:
        """Computes what "quick" compares with, for which no SavedModel is needed."""
        self.restore()
        _ = self.variables, self.quick_outputs

    @functools.cached_property
    def variables(self) -> list[tf.Variable]:
        """The encoder's variables and then the head's, in the source's order."""
        return self.encoder.variables

    @functools.cached_property
    def quick_batch(self) -> loaded_models.Inputs:
        """A padded row, and a full one of several types."""
        return encoder_batches.short(self.encoder, encoder_batches.usual_length(self.encoder))

    @functools.cached_property
    def quick_outputs(self) -> encoder_reference.Outputs:
        """What the source makes of that."""
        return encoder_reference.outputs(self.encoder, self.quick_batch)


def verify_encoder(path: str, source: EncoderSource, *, level: str) -> reports.Report:
    """Checks an encoder's SavedModel by its contract, and compares it with its source.

    Args:
      path: The SavedModel.
      source: What it was made from.
      level: "quick": what costs little, and one batch for inference. "full": all clauses, several
        lengths, gradients and dropout, too.

    Returns:
      The report; the caller decides what a failure means.
    """
    quick = level == "quick"
    with loaded_models.called_once(quick):
        batch = None
        if quick:
            # In other inputs, each call would be traced anew, which takes longer than to run it.
            source.prepare()
            batch = {**source.quick_batch}
            if source.quick_outputs.positions is not None:
                batch[encoder_calls.POSITIONS_NAME] = source.quick_outputs.positions
        checks, model = contract_clauses.check(
            "encoder", path, quick=quick, batch=batch, kept=quick
        )
        if model is not None:
            checks += encoder_parity(model, source, level=level)
    return reports.Report("encoder", tuple(checks), loaded_models.load_seconds(model))


def encoder_parity(
    model: loaded_models.Model, source: EncoderSource, *, level: str
) -> list[reports.Check]:
    """Compares a loaded encoder with its source.

    Args:
      model: The encoder.
      source: What it was made from.
      level: "quick" or "full".

    Returns:
      The checks.
    """
    source.restore()
    checks = [contracts.attempt(_VARIABLES, lambda: _same_variables(source, model))]
    if level == "quick":
        seen = model if model.given is not None else model.on(source.quick_batch)
        return checks + _compared(_at_length(source.quick_batch), source.quick_outputs, seen)
    encoder = source.encoder
    for name, inputs in encoder_batches.edge_cases(encoder):
        expected = encoder_reference.outputs(encoder, inputs)
        checks += _compared(name, expected, model.on(inputs))
    checks += _of_sentences(source, model)
    checks += at_other_lengths(encoder, model)
    return checks + training_verification.check(encoder, model)


def _at_length(inputs: loaded_models.Inputs) -> str:
    return f"at length {next(iter(inputs.values())).shape[1]}"


def _of_sentences(source: EncoderSource, model: loaded_models.Model) -> list[reports.Check]:
    """Compares texts as the encoder gets them, or what looks like them where none are known."""
    encoder, checks = source.encoder, []
    batches: list[tuple[str, loaded_models.Inputs]] = []
    if source.text is not None:
        try:
            batches += encoder_batches.sentences(encoder, source.text())
        except errors.UserError as error:
            why = f"{error.rule} ({error.received})"
            checks.append(reports.Check("outputs of sentences", None, why))
    for name, inputs in batches or encoder_batches.like_sentences(encoder):
        checks += _compared(name, encoder_reference.outputs(encoder, inputs), model.on(inputs))
    return checks


def at_other_lengths(encoder: encoders.Encoder, model: loaded_models.Model) -> list[reports.Check]:
    """Compares two rows of each of several lengths between the shortest and the longest.

    Args:
      encoder: What it was made from; its variables have their values.
      model: The encoder.
    """
    lengths = encoder_batches.lengths_between(encoder)
    batches = {length: encoder_batches.short(encoder, length) for length in lengths}
    if not batches:
        return []
    expected = {n: encoder_reference.outputs(encoder, inputs) for n, inputs in batches.items()}
    name = f"at lengths {', '.join(map(str, lengths))}"
    checks = [
        _outputs(
            f"outputs {name}",
            _by_length({length: made.encoder for length, made in expected.items()}),
            lambda: _by_length({n: model.on(inputs).inference for n, inputs in batches.items()}),
        )
    ]
    if encoder.masked_lm is not None:

        def mlm(length: int) -> dict[str, Any]:
            positions = {encoder_calls.POSITIONS_NAME: expected[length].positions}
            seen = model.on({**batches[length], **positions})
            return encoder_reference.with_default(seen.mlm_inference)

        checks.append(
            _outputs(
                f"mlm outputs {name}",
                _by_length({length: made.mlm or {} for length, made in expected.items()}),
                lambda: _by_length({length: mlm(length) for length in lengths}),
            )
        )
    return checks


def _by_length(outputs: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {
        f"{name} at length {length}": value
        for length, named in outputs.items()
        for name, value in named.items()
    }


def _same_variables(source: EncoderSource, model: loaded_models.Model) -> reports.Check:
    """Compares all values bit by bit: not each of them shows in some batch's outputs."""
    network, loaded = source.encoder.network, model.loaded
    everything = network.variables
    variables = contracts_of_variables.encoder_variables(model)
    pairs = [("variables", everything, variables)]
    if source.encoder.masked_lm is not None and hasattr(loaded, "mlm"):
        # The encoder's come first, and are compared already.
        own = len(everything)
        pairs.append(("variables of .mlm", source.variables[own:], loaded.mlm.variables[own:]))
    found = [comparison.other_value(name, expected, got) for name, expected, got in pairs]
    trainable = network.trainable_variables
    found.append(_other_trainable(everything, trainable, variables, loaded.trainable_variables))
    other = next((text for text in found if text), None)
    if other:
        return reports.Check(_VARIABLES, False, other, look_at=_CHECKPOINT)
    return reports.Check(_VARIABLES, True, f"{len(variables)} variables")


def _other_trainable(
    of_source: Sequence[tf.Variable],
    trainable_of_source: Sequence[tf.Variable],
    variables: Sequence[tf.Variable],
    trainable: Sequence[tf.Variable],
) -> str | None:
    """Compares which of all variables are to be trained, by their places; values are known."""
    places = {variable.ref(): place for place, variable in enumerate(of_source)}
    got = {variable.ref(): place for place, variable in enumerate(variables)}
    expected = [places[variable.ref()] for variable in trainable_of_source]
    if [got.get(variable.ref()) for variable in trainable] != expected:
        return f"{len(trainable)} trainable_variables, not the source's {len(expected)}"
    return None


def _compared(
    batch: str, expected: encoder_reference.Outputs, model: loaded_models.Model
) -> list[reports.Check]:
    checks = [_outputs(f"outputs {batch}", expected.encoder, lambda: model.inference)]
    if expected.mlm is not None:
        checks.append(
            _outputs(
                f"mlm outputs {batch}",
                expected.mlm,
                lambda: encoder_reference.with_default(model.mlm_inference),
            )
        )
    return checks


def _outputs(
    name: str, expected: dict[str, Any], call: Callable[[], dict[str, Any]]
) -> reports.Check:
    return contracts.attempt(name, lambda: comparison.compare(name, expected, call()))
