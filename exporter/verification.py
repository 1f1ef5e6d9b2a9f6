"""Compares what was written with where it came from.

The source is TF-NLP's encoder, run by Keras, with the checkpoint restored by TensorFlow; the
export is loaded from its files. Nothing that the exporter did on its way (copying values between
files, sharing traces) is used on the source's side.
"""

from __future__ import annotations

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


def verify_encoder(
    path: str,
    source: encoders.Encoder,
    restoration: restorations.Restoration,
    *,
    level: str,
) -> reports.Report:
    """Checks an encoder's SavedModel by its contract, and compares it with its source.

    Args:
      path: The SavedModel.
      source: What it was made from; its variables get their values here.
      restoration: Where the values come from.
      level: "quick": what costs little, and one batch for inference. "full": all clauses, several
        lengths, gradients and dropout, too.

    Returns:
      The report; the caller decides what a failure means.
    """
    quick = level == "quick"
    with loaded_models.called_once(quick):
        # In other inputs, each call would be traced anew, which takes longer than to run it.
        batch = _quick_batch(source) if quick else None
        checks, model = contract_clauses.check("encoder", path, quick=quick, batch=batch)
        if model is not None:
            checks += encoder_parity(model, source, restoration, level=level)
    return reports.Report("encoder", tuple(checks), loaded_models.load_seconds(model))


def encoder_parity(
    model: loaded_models.Model,
    source: encoders.Encoder,
    restoration: restorations.Restoration,
    *,
    level: str,
) -> list[reports.Check]:
    """Compares a loaded encoder with its source.

    Args:
      model: The encoder.
      source: What it was made from; its variables get their values here.
      restoration: Where the values come from.
      level: "quick" or "full".

    Returns:
      The checks.
    """
    restorations.restore(restoration, source)
    checks = [contracts.attempt(_VARIABLES, lambda: _same_variables(source, model))]
    if level == "quick":
        seen = model if model.given is not None else model.on(_quick_batch(source))
        return checks + _compared(f"at length {_usual_length(source)}", source, seen)
    for name, inputs in _batches(source):
        checks += _compared(name, source, model.on(inputs))
    _, inputs = next(iter(_batches(source)))
    checks.append(_same_gradients(source, model.loaded, inputs))
    return checks + _training(source, model.loaded, inputs)


def _usual_length(source: encoders.Encoder) -> int:
    return min(16, source.max_seq_length or 64)


def _quick_batch(source: encoders.Encoder) -> loaded_models.Inputs:
    """Returns a padded row, and a full one of several types."""
    inputs = _random_batch(source, _usual_length(source))
    return {name: rows[1:] for name, rows in inputs.items()}


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


def _same_variables(source: encoders.Encoder, model: loaded_models.Model) -> reports.Check:
    """Compares all values bit by bit: not each of them shows in some batch's outputs."""
    network, loaded = source.network, model.loaded
    variables = contracts_of_variables.encoder_variables(model)
    pairs = [("variables", network.variables, variables)]
    if source.masked_lm is not None and hasattr(loaded, "mlm"):
        # The encoder's come first, and are compared already.
        own = len(network.variables)
        pairs.append(("variables of .mlm", source.variables[own:], loaded.mlm.variables[own:]))
    found = [_first_other(name, expected, got) for name, expected, got in pairs]
    found.append(_other_trainable(network, variables, loaded.trainable_variables))
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
    network: Any, variables: Sequence[tf.Variable], trainable: Sequence[tf.Variable]
) -> str | None:
    """Compares which of all variables are to be trained, by their places; values are known."""
    places = {variable.ref(): place for place, variable in enumerate(network.variables)}
    got = {variable.ref(): place for place, variable in enumerate(variables)}
    expected = [places[variable.ref()] for variable in network.trainable_variables]
    if [got.get(variable.ref()) for variable in trainable] != expected:
        return f"{len(trainable)} trainable_variables, not the source's {len(expected)}"
    return None


def _compared(
    batch: str, source: encoders.Encoder, model: loaded_models.Model
) -> list[reports.Check]:
    expected = _expected(source, model.batch)
    checks = [_outputs(f"outputs {batch}", expected, lambda: model.inference)]
    if source.masked_lm is not None:
        # Funnel Transformers shorten sequences.
        positions = loaded_models.masked_positions(*expected["sequence_output"].shape[:2])
        logits = source.masked_lm(expected["sequence_output"], masked_positions=positions)
        checks.append(
            _outputs(
                f"mlm outputs {batch}",
                {**expected, contracts_of_calls.LOGITS_NAME: logits},
                lambda: _with_default(model.mlm_inference),
            )
        )
    return checks


def _with_default(outputs: dict[str, Any]) -> dict[str, Any]:
    """Gives outputs of `.mlm` the other name of `pooled_output`, which others' exports lack."""
    return {"default": outputs["pooled_output"], **outputs}


def _expected(source: encoders.Encoder, inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
    """Runs the source, which a user's own BUILDER may have made for some lengths only."""
    try:
        return source(inputs, training=False)
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
