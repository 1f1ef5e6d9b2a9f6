"""What calls of an encoder's SavedModel take and return.

"Transformer encoders" of tensorflow.org/hub/common_saved_model_apis/text. In shapes, B is the batch
size, L the sequence length, D the hidden size, P the number of predictions, V the vocabulary size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import contracts, encoder_calls, loaded_models

OUTPUT_NAMES = ("pooled_output", "default", "sequence_output", "encoder_outputs")
POSITIONS_NAME = encoder_calls.POSITIONS_NAME
LOGITS_NAME = "mlm_logits"
# The largest difference between numbers that should be the same, but for the order of additions.
LIMIT = 1e-4


def takes_inputs(model: loaded_models.Model) -> str:
    """The root is called on a dict of three inputs and returns a dict."""
    contracts.require(
        isinstance(model.outputs, Mapping), f"returns {type(model.outputs).__name__}, not a dict"
    )
    return f"{list(model.batch['input_word_ids'].shape)} in"


def output_names(model: loaded_models.Model) -> str:
    """The outputs have their names."""
    missing = [name for name in OUTPUT_NAMES if name not in model.outputs]
    contracts.require(not missing, f"no {', '.join(missing)} among {_listed(model.outputs)}")
    layers = model.outputs["encoder_outputs"]
    contracts.require(
        isinstance(layers, list | tuple) and bool(layers), "encoder_outputs is not a list of layers"
    )
    return _listed(model.outputs)


def output_dtypes(model: loaded_models.Model) -> str:
    """All outputs are float32."""
    for name, value in named(model.outputs):
        contracts.require(value.dtype == tf.float32, f"{name} is {value.dtype.name}")
    return "float32"


def output_shapes(model: loaded_models.Model) -> str:
    """The shapes follow from the inputs', from batches of one on and at the longest length."""
    lengths = sorted({1, 2, min(16, model.longest), model.longest - 1, model.longest} - {0})
    for batch, length in [(7, min(16, model.longest)), *((1, length) for length in lengths)]:
        _check_shapes(model.loaded(model.inputs(batch, length)), batch, length)
    return f"batches of 1 and 7, lengths {', '.join(map(str, lengths))}"


def _check_shapes(outputs: Mapping[str, Any], batch: int | None, length: int | None) -> None:
    asked = f"for inputs [{_size(batch)}, {_size(length)}]"
    width = outputs["pooled_output"].shape[-1]
    pooled = [outputs["pooled_output"], outputs["default"]]
    for output in pooled:
        _require_shape("pooled_output", output, [batch, width], asked)
    sequences = [outputs["sequence_output"], *outputs["encoder_outputs"]]
    for output in sequences:
        # Funnel Transformers shorten sequences layer by layer.
        shorter = output.shape.rank == 3 and 0 < (output.shape[1] or 0) < (length or 0)
        expected = [batch, output.shape[1] if shorter else length, None]
        _require_shape("sequence_output", output, expected, asked)


def _require_shape(name: str, output: tf.Tensor, expected: list[int | None], asked: str) -> None:
    shape = output.shape.as_list()
    fits = len(shape) == len(expected) and all(
        size is None or got == size for got, size in zip(shape, expected, strict=True)
    )
    told = f"[{', '.join(_size(size) for size in expected)}]"
    contracts.require(fits, f"{name} is {shape} and not {told} {asked}")


def _size(size: int | None) -> str:
    return "?" if size is None else str(size)


def default_is_pooled(model: loaded_models.Model) -> str:
    """`default` is another name of `pooled_output`."""
    difference = largest(model.outputs["default"], model.outputs["pooled_output"])
    contracts.require(difference == 0, f"they differ by {difference:.1e}")
    return "equal"


def last_layer_is_sequence(model: loaded_models.Model) -> str:
    """`sequence_output` is the last layer's output."""
    last, sequence = model.outputs["encoder_outputs"][-1], model.outputs["sequence_output"]
    contracts.require(
        last.shape == sequence.shape and largest(last, sequence) == 0,
        "sequence_output is something else",
    )
    return "equal"


def training_is_optional(model: loaded_models.Model) -> str:
    """`training` is a keyword argument, and False where it is not given."""
    explicit = model.loaded(model.batch, training=False)
    difference = largest_of(model.outputs, explicit)
    contracts.require(difference <= LIMIT, f"without it, outputs differ by {difference:.1e}")
    model.loaded(model.batch, training=True)
    return "True, False and not given"


def all_calls_are_traced(model: loaded_models.Model) -> str:
    """Every permitted call can be made in a graph, with sizes known and not."""
    return _traced(model.loaded, encoder_calls.INPUT_NAMES, model.longest)


def mlm_calls_are_traced(model: loaded_models.Model) -> str:
    """Every permitted call of `.mlm` can be made in a graph, with sizes known and not."""
    names = (*encoder_calls.INPUT_NAMES, POSITIONS_NAME)
    return _traced(model.loaded.mlm, names, model.longest)


def _traced(call: Callable[..., Any], names: tuple[str, ...], longest: int) -> str:
    count = 0
    for training in ({}, {"training": False}, {"training": True}):
        for batch, length in ((None, None), (1, None), (7, min(16, longest))):
            specs = {
                # Fewer predictions than tokens, if the number is known.
                name: tf.TensorSpec(
                    [batch, length and 1 if name == POSITIONS_NAME else length], tf.int32
                )
                for name in names
            }
            # Only traced, not run.
            tf.function(lambda inputs, given=training: call(inputs, **given)).get_concrete_function(
                specs
            )
            count += 1
    return f"{count} calls"


def static_widths(model: loaded_models.Model) -> str:
    """The hidden size is known before anything is run, as layers on top need it."""
    specs = {name: tf.TensorSpec([None, None], tf.int32) for name in encoder_calls.INPUT_NAMES}
    function = tf.function(model.loaded.__call__).get_concrete_function(specs)
    for name, output in named(function.structured_outputs):
        shape = output.shape
        contracts.require(
            shape.rank is not None and shape[-1] is not None, f"{name} is {shape} in a graph"
        )
    return f"D = {function.structured_outputs['pooled_output'].shape[-1]}"


def mlm_outputs(model: loaded_models.Model) -> str:
    """`.mlm` returns the encoder's outputs and logits `[B, P, V]`, float32."""
    outputs = model.mlm_outputs
    contracts.require(LOGITS_NAME in outputs, f"no {LOGITS_NAME} among {_listed(outputs)}")
    missing = [name for name in OUTPUT_NAMES if name not in outputs and name != "default"]
    contracts.require(not missing, f"no {', '.join(missing)} among {_listed(outputs)}")
    logits = outputs[LOGITS_NAME]
    contracts.require(logits.dtype == tf.float32, f"{LOGITS_NAME} is {logits.dtype.name}")
    expected = [model.batch["input_mask"].shape[0], 3, model.embeddings.get("word", (None,))[0]]
    _require_shape(LOGITS_NAME, logits, expected, "for 3 positions a row")
    return f"logits {logits.shape.as_list()}"


def mlm_agrees(model: loaded_models.Model) -> str:
    """What `.mlm` returns beside the logits is what the root returns."""
    outputs = model.mlm_outputs
    names = [name for name in OUTPUT_NAMES if name in outputs]
    difference = largest_of(
        {name: outputs[name] for name in names}, {name: model.outputs[name] for name in names}
    )
    contracts.require(difference <= LIMIT, f"they differ by {difference:.1e}")
    return told(difference)


def mlm_training_is_optional(model: loaded_models.Model) -> str:
    """`training` is a keyword argument of `.mlm`, and False where it is not given."""
    explicit = model.loaded.mlm(model.mlm_inputs, training=False)
    difference = largest_of(model.mlm_outputs, explicit)
    contracts.require(difference <= LIMIT, f"without it, outputs differ by {difference:.1e}")
    return "False and not given"


def mlm_default(model: loaded_models.Model) -> str:
    """`.mlm` returns `default`, too."""
    outputs = model.mlm_outputs
    contracts.require("default" in outputs, f"only {_listed(outputs)}")
    return "there"


def mlm_positions_are_honoured(model: loaded_models.Model) -> str:
    """Logits are those of the positions asked for, in their order."""
    inputs = model.mlm_inputs
    logits = model.mlm_outputs[LOGITS_NAME]
    turned = tf.reverse(inputs[POSITIONS_NAME], axis=[1])
    again = model.loaded.mlm({**inputs, POSITIONS_NAME: turned})[LOGITS_NAME]
    difference = largest(tf.reverse(again, axis=[1]), logits)
    contracts.require(difference <= LIMIT, f"in another order they differ by {difference:.1e}")
    contracts.require(
        largest(logits[:, 0], logits[:, 1]) > LIMIT, "they are the same at all positions"
    )
    return "3 positions, in both orders"


def named(outputs: Mapping[str, Any]) -> list[tuple[str, tf.Tensor]]:
    """Returns outputs with a name for each: `encoder_outputs_0` and so on for the list."""
    flat = []
    for name in sorted(outputs):
        value = outputs[name]
        if isinstance(value, list | tuple):
            flat += [(f"{name}_{i}", part) for i, part in enumerate(value)]
        else:
            flat.append((name, value))
    return flat


def largest(one: tf.Tensor, other: tf.Tensor) -> float:
    """Returns the largest difference, relative to the largest value above 1; NaN if undefined."""
    values, others = np.asarray(one), np.asarray(other)
    if values.shape != others.shape:
        return float("nan")
    scale = max(1.0, float(np.max(np.abs(values), initial=0.0)))
    return float(np.max(np.abs(values - others), initial=0.0)) / scale


def largest_of(outputs: Mapping[str, Any], others: Mapping[str, Any]) -> float:
    """Returns the largest difference of outputs that have the same names; NaN if undefined."""
    by_name = dict(named(others))
    pairs = [(value, by_name[name]) for name, value in named(outputs)]
    return max((largest(*pair) for pair in pairs), default=0.0, key=_nan_last)


def told(difference: float) -> str:
    """Returns the largest difference in words, with the limit."""
    return f"largest difference {difference:.1e} (limit {LIMIT:.0e})"


def _nan_last(value: float) -> float:
    return float("inf") if np.isnan(value) else value


def _listed(outputs: Mapping[str, Any]) -> str:
    return ", ".join(sorted(outputs))
