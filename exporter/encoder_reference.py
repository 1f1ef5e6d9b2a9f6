"""What TF-NLP's own encoder makes of inputs, which exports are compared with."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from exporter import contracts_of_calls, encoders, errors, loaded_models


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


def outputs(
    source: encoders.Encoder, inputs: loaded_models.Inputs, *, training: bool = False
) -> Outputs:
    """Runs the source, which a user's own BUILDER may have made for some lengths only.

    Args:
      source: The encoder; its variables have their values.
      inputs: The encoder's inputs, by name.
      training: Whether dropout is active.

    Raises:
      UserError: It does not take such lengths.
    """
    try:
        made = source(inputs, training=training)
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
        return Outputs(made)
    # Funnel Transformers shorten sequences.
    positions = loaded_models.masked_positions(*made["sequence_output"].shape[:2])
    logits = source.masked_lm(made["sequence_output"], masked_positions=positions)
    return Outputs(made, positions, {**made, contracts_of_calls.LOGITS_NAME: logits})


def with_default(outputs: dict[str, Any]) -> dict[str, Any]:
    """Gives outputs of `.mlm` the other name of `pooled_output`, which others' exports lack."""
    return {"default": outputs["pooled_output"], **outputs}
