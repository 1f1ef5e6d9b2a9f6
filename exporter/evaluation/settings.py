"""What can be chosen of an evaluation beside its task, importable without TensorFlow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import gin

from exporter import errors

# How often a run is validated and its checkpoint written, where nothing else is said.
_VALIDATIONS = 5


@gin.configurable("fine_tuning", module="exporter")
@dataclasses.dataclass(frozen=True)
class FineTuning:
    """How both arms are fine-tuned: by TF-NLP's AdamW, with warm-up and linear decay to zero.

    Attributes:
      epochs: How often all examples are trained on.
      train_steps: How many steps are trained, in place of `epochs`.
      batch_size: How many examples a step takes.
      seq_length: How many tokens an example has, padding included.
      learning_rate: The largest one, at the end of the warm-up.
      warmup: Which part of the steps the warm-up takes, 0 to 1.
      weight_decay: Of AdamW; layer normalization and biases are left out.
      use_encoder_pooler: Whether the head stands on `pooled_output`, as TF Hub's users put it.
        Otherwise, as in TF-NLP's tasks, it has a pooler of its own on the first token of
        `sequence_output`.
      validation_interval: After how many steps a run is validated and its checkpoint written. None
        does so five times.
    """

    epochs: float = 3.0
    train_steps: int | None = None
    batch_size: int = 32
    seq_length: int = 128
    learning_rate: float = 3e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    use_encoder_pooler: bool = True
    validation_interval: int | None = None

    def steps(self, num_examples: int) -> int:
        """Returns how many steps are trained.

        Args:
          num_examples: How many examples there are to train on.
        """
        if self.train_steps is not None:
            return self.train_steps
        return max(1, math.ceil(self.epochs * num_examples / self.batch_size))

    def interval(self, steps: int) -> int:
        """Returns after how many steps a run is validated.

        Args:
          steps: How many there are in all.
        """
        return min(self.validation_interval or math.ceil(steps / _VALIDATIONS), steps)

    def mistakes(self) -> list[errors.UserError]:
        """Returns the numbers that cannot be right."""
        return list(self._mistakes())

    def _mistakes(self) -> Iterator[errors.UserError]:
        for name, smallest in (
            ("train_steps", 1),
            ("batch_size", 1),
            ("seq_length", 3),
            ("validation_interval", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < smallest:
                yield _mistake(name, f"must be at least {smallest}", value, smallest)
        for name, example in (("epochs", 3.0), ("learning_rate", 3e-5)):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                yield _mistake(name, "must be greater than 0", value, example)
        for name, example in (("warmup", 0.1), ("weight_decay", 0.01)):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                yield _mistake(name, "must be from 0 to 1", value, example)


def _mistake(name: str, rule: str, value: object, example: object) -> errors.UserError:
    return errors.UserError(
        f"fine_tuning.{name} {rule}.",
        example=f"fine_tuning.{name} = {example}",
        received=str(value),
        setting=f"fine_tuning.{name}",
    )
