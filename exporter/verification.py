"""Compares what was written with where it came from.

The source is TF-NLP's encoder, run by Keras, with the checkpoint restored by TensorFlow; the
export is loaded from its files. Nothing that the exporter did on its way (copying values between
files, sharing traces) is used on the source's side.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import (
    comparison,
    contract_clauses,
    contracts,
    contracts_of_calls,
    contracts_of_variables,
    encoder_calls,
    encoders,
    errors,
    loaded_models,
    reports,
    restorations,
)

_SEED = 20201012
_VARIABLES = "variables in the source's order"
_DROPOUT = "dropout in training"
_CHECKPOINT = "whether it was made from this checkpoint, these weights and this pooler"


@dataclasses.dataclass(eq=False)
class EncoderSource:
    """What an encoder's SavedModel was made from, and what that returns.

    Attributes:
      encoder: The encoder; its variables get their values here.
      restoration: Where the values come from.
    """

    encoder: encoders.Encoder
    restoration: restorations.Restoration

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
        inputs = _random_batch(self.encoder, _usual_length(self.encoder))
        return {name: rows[1:] for name, rows in inputs.items()}

    @functools.cached_property
    def quick_outputs(self) -> Outputs:
        """What the source makes of that."""
        return _expected(self.encoder, self.quick_batch)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What an encoder returns.

    Attributes:
      encoder: By names.
      positions: Which positions were masked, int32 `[B, P]`; None where there is no head.
      mlm: With the logits of these, by names; None where there is no head.
    """

    encoder: dict[str, Any]
    positions: tf.Tensor | None = None
    mlm: dict[str, Any] | None = None


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
        checks, model = contract_clauses.check("encoder", path, quick=quick, batch=batch)
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
    for name, inputs in _batches(encoder):
        checks += _compared(name, _expected(encoder, inputs), model.on(inputs))
    _, inputs = next(iter(_batches(encoder)))
    checks.append(_same_gradients(encoder, model.loaded, inputs))
    return checks + _training(encoder, model.loaded, inputs)


def _at_length(inputs: loaded_models.Inputs) -> str:
    return f"at length {next(iter(inputs.values())).shape[1]}"


def _usual_length(source: encoders.Encoder) -> int:
    return min(16, source.max_seq_length or 64)


def _batches(source: encoders.Encoder) -> Iterable[tuple[str, loaded_models.Inputs]]:
    """Yields random inputs by what they are: several lengths and edge cases."""
    usual, longest = _usual_length(source), source.max_seq_length or 64
    for length in sorted({1, usual, longest}, reverse=True):
        yield f"at length {length}", _random_batch(source, length)
    inputs = _random_batch(source, usual)
    ids, mask, types = (inputs[name] for name in encoder_calls.INPUT_NAMES)
    ones, zeros = tf.ones_like(mask), tf.zeros_like(mask)
    for name, values in (
        ("of padding alone", (zeros, zeros, zeros)),
        ("of full rows", (ids, ones, types)),
        ("of one type", (ids, mask, ones % source.type_vocab_size)),
        ("of one row", (ids[1:2], mask[1:2], types[1:2])),
    ):
        yield name, dict(zip(encoder_calls.INPUT_NAMES, values, strict=True))


def _random_batch(source: encoders.Encoder, length: int) -> dict[str, tf.Tensor]:
    """Returns padded and full rows of several types."""
    random = np.random.default_rng([_SEED, length])
    ids = random.integers(0, source.vocab_size, [3, length])
    mask = np.arange(length) < np.array([[length], [max(1, length // 2)], [length]])
    types = np.arange(length) >= np.array([[length], [length], [length // 2]])
    return loaded_models.encoder_inputs(ids * mask, mask, types % source.type_vocab_size)


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
    found = [_first_other(name, expected, got) for name, expected, got in pairs]
    trainable = network.trainable_variables
    found.append(_other_trainable(everything, trainable, variables, loaded.trainable_variables))
    other = next((text for text in found if text), None)
    if other:
        return reports.Check(_VARIABLES, False, other, look_at=_CHECKPOINT)
    return reports.Check(_VARIABLES, True, f"{len(variables)} variables")


def _first_other(
    attribute: str, expected: Sequence[tf.Variable], got: Sequence[tf.Variable]
) -> str | None:
    if len(expected) != len(got):
        return f"{len(got)} {attribute}, not {len(expected)}"
    for ours, theirs in zip(expected, got, strict=True):
        # Views of what TensorFlow holds: `numpy()` would copy it.
        values, others = (np.asarray(variable.read_value()) for variable in (ours, theirs))
        if not np.array_equal(values, others):
            return f"another value of {ours.name}"
    return None


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


def _compared(batch: str, expected: Outputs, model: loaded_models.Model) -> list[reports.Check]:
    checks = [_outputs(f"outputs {batch}", expected.encoder, lambda: model.inference)]
    if expected.mlm is not None:
        checks.append(
            _outputs(
                f"mlm outputs {batch}", expected.mlm, lambda: _with_default(model.mlm_inference)
            )
        )
    return checks


def _with_default(outputs: dict[str, Any]) -> dict[str, Any]:
    """Gives outputs of `.mlm` the other name of `pooled_output`, which others' exports lack."""
    return {"default": outputs["pooled_output"], **outputs}


def _expected(source: encoders.Encoder, inputs: loaded_models.Inputs) -> Outputs:
    """Runs the source, which a user's own BUILDER may have made for some lengths only."""
    try:
        outputs = source(inputs, training=False)
    except tf.errors.InvalidArgumentError as error:
        length = inputs["input_word_ids"].shape[1]
        reason = error.message.partition("}} ")[2].partition(" [Op:")[0] or error.message
        raise errors.UserError(
            "An encoder must take sequences of any length up to its longest. The source itself "
            f"fails at length {length}; it says: {reason}.",
            example="encoder.type = 'bert_v2', if it is a plain BERT after training",
            received=f"an encoder of type {source.architecture.type!r} of "
            f"{source.architecture.source}",
        ) from error
    if source.masked_lm is None:
        return Outputs(outputs)
    # Funnel Transformers shorten sequences.
    positions = loaded_models.masked_positions(*outputs["sequence_output"].shape[:2])
    logits = source.masked_lm(outputs["sequence_output"], masked_positions=positions)
    return Outputs(outputs, positions, {**outputs, contracts_of_calls.LOGITS_NAME: logits})


def _outputs(
    name: str, expected: dict[str, Any], call: Callable[[], dict[str, Any]]
) -> reports.Check:
    return contracts.attempt(name, lambda: comparison.compare(name, expected, call()))


def _same_gradients(
    source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]
) -> reports.Check:
    def gradients(call: Any, variables: list[tf.Variable]) -> dict[str, tf.Tensor | None]:
        with tf.GradientTape() as tape:
            outputs = call(inputs, training=False)
            loss = tf.reduce_mean(outputs["pooled_output"]) + tf.reduce_mean(
                tf.square(outputs["sequence_output"])
            )
        values = tape.gradient(loss, variables)
        return {
            str(index): None if value is None else tf.convert_to_tensor(value)
            for index, value in enumerate(values)
        }

    return _outputs(
        "gradients of a scalar loss",
        gradients(source, source.network.trainable_variables),
        lambda: gradients(loaded, loaded.trainable_variables),
    )


def _training(
    source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]
) -> list[reports.Check]:
    """Compares what is the same in each call for training: all of it, if there is no dropout."""
    first, second = (source(inputs, training=True) for _ in range(2))
    if not _differ(first, second):
        return [_outputs("outputs in training", first, lambda: loaded(inputs, training=True))]

    def dropout() -> reports.Check:
        active = _differ(*(loaded(inputs, training=True) for _ in range(2)))
        return reports.Check(
            _DROPOUT, active, "active" if active else "inactive", look_at="dropout rates"
        )

    return [contracts.attempt(_DROPOUT, dropout)]


def _differ(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return bool(tf.reduce_any(first["sequence_output"] != second["sequence_output"]))
