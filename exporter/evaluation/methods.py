"""How an export can be evaluated without fine-tuning it: what gin binds, without TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import gin

from exporter import errors

ENCODER_VECTORS = ("pooled_output", "first_token", "mean")
TEXT_EMBEDDING = "text_embedding"
VECTORS = (*ENCODER_VECTORS, TEXT_EMBEDDING)
DEFAULT_SEQ_LENGTH = 128
# [CLS], a token, [SEP].
_SHORTEST = 3


@gin.configurable("linear_probe", module="exporter")
@dataclasses.dataclass(frozen=True)
class LinearProbe:
    """How well a linear model finds in frozen vectors what is asked for.

    Attributes:
      vector: What is made of an example: "pooled_output", "first_token" (of the last layer) or
        "mean" (of the last layer over the tokens) of the encoder, or the text embedding's own,
        "text_embedding".
      seq_length: How many tokens the encoder is given of an example; None for 128, or for as many
        as it has positions if these are fewer.
      max_examples: How many of each split are taken, drawn at random if there are more.
    """

    vector: str = "pooled_output"
    seq_length: int | None = None
    max_examples: int = 2000

    def mistakes(self) -> list[errors.UserError]:
        """Returns what cannot be right."""
        found = list(_too_small("linear_probe", self.seq_length, self.max_examples))
        if self.vector not in VECTORS:
            found.append(
                errors.UserError(
                    f"linear_probe.vector must be one of {', '.join(VECTORS)}.",
                    example="linear_probe.vector = 'mean'",
                    received=repr(self.vector),
                    setting="linear_probe.vector",
                )
            )
        return found


@gin.configurable("masked_words", module="exporter")
@dataclasses.dataclass(frozen=True)
class MaskedWords:
    """How well the encoder with its head guesses masked tokens of the examples to validate on.

    Attributes:
      seq_length: How many tokens the encoder is given of an example; None as in `LinearProbe`.
      max_examples: How many are taken of each split, drawn at random if there are more.
    """

    seq_length: int | None = None
    max_examples: int = 500

    def mistakes(self) -> list[errors.UserError]:
        """Returns what cannot be right."""
        return list(_too_small("masked_words", self.seq_length, self.max_examples))


METHODS = (LinearProbe, MaskedWords)


def name(method: LinearProbe | MaskedWords) -> str:
    """Returns what gin calls a method."""
    return "linear_probe" if isinstance(method, LinearProbe) else "masked_words"


def require_positions(setting: str, seq_length: int | None, longest: int | None) -> None:
    """Raises if sequences are too long for an encoder.

    Args:
      setting: What sets their length.
      seq_length: It; None is never too long.
      longest: How many positions the encoder has; None for no limit.

    Raises:
      UserError: They are.
    """
    if seq_length is None or longest is None or seq_length <= longest:
        return
    raise errors.UserError(
        f"{setting} must not be more than the encoder has positions for.",
        example=f"{setting} = {longest}",
        received=str(seq_length),
        setting=setting,
    )


def _too_small(name: str, seq_length: int | None, max_examples: int) -> Iterator[errors.UserError]:
    for setting, value, least in (
        ("seq_length", DEFAULT_SEQ_LENGTH if seq_length is None else seq_length, _SHORTEST),
        ("max_examples", max_examples, 2),
    ):
        if type(value) is not int or value < least:
            yield errors.UserError(
                f"{name}.{setting} must be a whole number, at least {least}.",
                example=f"{name}.{setting} = {max(least, 64)}",
                received=repr(value),
                setting=f"{name}.{setting}",
            )
