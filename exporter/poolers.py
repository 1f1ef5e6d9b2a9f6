"""Where the dense layer behind `pooled_output` gets its values from.

`BertPretrainerV2` does not train the encoder's own pooler, so there is a choice to make. Each
choice is a gin configurable to bind to `export.pooler`, called when its values are needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import gin
import numpy as np

from exporter import errors


@dataclasses.dataclass(frozen=True)
class Pooler:
    """A choice of pooler.

    Attributes:
      name: The configurable's name.
      checkpoint_item: The item of the checkpoint that holds a dense layer to take, or None for
        the encoder's own.
      make_values: Makes the kernel's and the bias's values from their shapes, or None where they
        come from the checkpoint.
    """

    name: str
    checkpoint_item: str | None = None
    make_values: ValueMaker | None = None

    def initialize(self, layer: Any) -> None:
        """Gives a Keras dense layer its values, if the checkpoint is not to do that."""
        if self.make_values is not None:
            kernel, bias = self.make_values(tuple(layer.kernel.shape), tuple(layer.bias.shape))
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)


class ValueMaker(Protocol):
    """Makes a pooler's values."""

    def __call__(
        self, kernel_shape: tuple[int, int], bias_shape: tuple[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns float32 arrays for the kernel `[D, D]` and the bias `[D]` (D: hidden size)."""
        ...


@gin.configurable(module="exporter")
def restored_pooler() -> Pooler:
    """The encoder's own pooler as the checkpoint has it: trained or, by `BertPretrainerV2`, not."""
    return Pooler("restored_pooler")


@gin.configurable(module="exporter")
def next_sentence_pooler(head: str = "next_sentence") -> Pooler:
    """The pooler of a classification head of `BertPretrainerV2`, as in classic BERT.

    Args:
      head: The head's name in the checkpoint.
    """
    return Pooler("next_sentence_pooler", checkpoint_item=f"{head}.pooler_dense")


@gin.configurable(module="exporter")
def identity_pooler() -> Pooler:
    """The identity map: `pooled_output` is tanh of the first token's last hidden state.

    As in Google's BERT Experts of October 2020 (TF Hub, google/experts/bert).
    """

    def make_values(
        kernel_shape: tuple[int, int], bias_shape: tuple[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(*kernel_shape, dtype=np.float32), np.zeros(bias_shape, np.float32)

    return Pooler("identity_pooler", make_values=make_values)


@gin.configurable(module="exporter")
def initialized_pooler(
    initializer: Any = "truncated_normal", config: dict[str, Any] | None = None, seed: int = 0
) -> Pooler:
    """A pooler initialized anew by a Keras initializer; its bias is zero.

    Args:
      initializer: A name that `tf_keras.initializers.get` knows, or an initializer.
      config: The arguments of an initializer given by its name, for instance {"stddev": 0.02}.
      seed: Makes the values the same in each export; a seed in `config` wins.
    """

    def make_values(
        kernel_shape: tuple[int, int], bias_shape: tuple[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        try:
            function = _initializer(initializer, config, seed)
            kernel = np.asarray(function(kernel_shape), np.float32)
        except (ValueError, TypeError) as error:
            raise _no_initializer(initializer, config, str(error)) from error
        if kernel.shape != kernel_shape:
            reason = f"values of shape {kernel.shape} for a kernel of shape {kernel_shape}"
            raise _no_initializer(initializer, config, reason)
        return kernel, np.zeros(bias_shape, np.float32)

    return Pooler("initialized_pooler", make_values=make_values)


def _initializer(
    initializer: Any, config: dict[str, Any] | None, seed: int
) -> Callable[[tuple[int, int]], Any]:
    import tf_keras

    if not isinstance(initializer, str):
        return initializer
    default = tf_keras.initializers.get(initializer)
    arguments = dict(config or {})
    if "seed" in default.get_config():
        arguments = {"seed": seed, **arguments}
    return type(default)(**{**default.get_config(), **arguments})


def _no_initializer(
    initializer: Any, config: dict[str, Any] | None, reason: str
) -> errors.UserError:
    given = f" with {config}" if config else ""
    return errors.UserError(
        "initialized_pooler needs an initializer of Keras, and arguments that it has.",
        example="initialized_pooler.initializer = 'truncated_normal' and "
        "initialized_pooler.config = {'stddev': 0.02}",
        received=f"{initializer!r}{given}: {reason}",
        setting=f"initialized_pooler.{'config' if config else 'initializer'}",
    )
