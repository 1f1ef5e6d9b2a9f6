"""What a SavedModel offers for fine-tuning.

tensorflow.org/hub/reusable_saved_models: lists of variables and of regularization losses.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import contracts, encoder_calls, loaded_models

_LISTS = ("variables", "trainable_variables", "regularization_losses")
_TEXTS = ("Some text.", "Another, longer text with more words in it")


def lists(model: loaded_models.Model) -> str:
    """The root has its lists."""
    return _lists(model.loaded)


def mlm_lists(model: loaded_models.Model) -> str:
    """`.mlm` has lists of its own."""
    return _lists(model.loaded.mlm)


def _lists(part: Any) -> str:
    missing = [name for name in _LISTS if not hasattr(part, name)]
    contracts.require(not missing, f"no {', '.join(missing)}")
    return ", ".join(f"{len(getattr(part, name))} {name}" for name in _LISTS)


def trainable_are_among_all(model: loaded_models.Model) -> str:
    """`trainable_variables` are among `variables`, each once, and marked as trainable."""
    return _trainable(model.loaded)


def mlm_trainable_are_among_all(model: loaded_models.Model) -> str:
    """The same of `.mlm`."""
    return _trainable(model.loaded.mlm)


def _trainable(part: Any) -> str:
    everything, trainable = (list(getattr(part, name)) for name in _LISTS[:2])
    known, trained = _refs(everything), _refs(trainable)
    for name, variables, refs in (
        ("variables", everything, known),
        ("trainable_variables", trainable, trained),
    ):
        twice = len(variables) - len(refs)
        contracts.require(twice == 0, f"{twice} of {name} are listed twice")
    others = [v.name for v in trainable if v.ref() not in known]
    contracts.require(not others, f"not among variables: {_some(others)}")
    frozen = [v.name for v in trainable if not v.trainable]
    contracts.require(not frozen, f"not marked as trainable: {_some(frozen)}")
    marked = [v.name for v in everything if v.trainable and v.ref() not in trained]
    contracts.require(not marked, f"trainable and not among them: {_some(marked)}")
    return f"{len(trainable)} of {len(everything)}"


def variables_are_those_read(model: loaded_models.Model) -> str:
    """The root lists the variables that its call reads, and none of others' (`.mlm`'s head)."""
    return _read(model.loaded, encoder_variables(model))


def encoder_variables(model: loaded_models.Model) -> list[tf.Variable]:
    """Returns the root's variables without `do_lower_case`, which Keras puts on the list."""
    casing = getattr(model.loaded, "do_lower_case", None)
    return [variable for variable in model.loaded.variables if variable is not casing]


def mlm_variables_are_those_read(model: loaded_models.Model) -> str:
    """`.mlm` lists the variables that its call reads, the root's among them."""
    mlm = model.loaded.mlm
    own = [v.name for v in encoder_variables(model) if v.ref() not in _refs(mlm.variables)]
    contracts.require(not own, f"the root's are missing: {_some(own)}")
    return _read(mlm, list(mlm.variables))


def _read(part: Any, listed: list[tf.Variable]) -> str:
    functions = loaded_models.concrete_functions(part)
    contracts.require(bool(functions), "it cannot be called")
    read = {variable.ref() for function in functions for variable in function.graph.variables}
    idle = [variable.name for variable in listed if variable.ref() not in read]
    contracts.require(not idle, f"listed, but not read: {_some(idle)}")
    unlisted = [ref.deref().name for ref in read - _refs(listed)]
    contracts.require(not unlisted, f"read, but not listed: {_some(sorted(unlisted))}")
    return f"{len(listed)} variables"


def gradients(model: loaded_models.Model) -> str:
    """Gradients of a loss reach each trainable variable, and are finite."""
    return _gradients(lambda: model.loaded(model.batch, training=True), model.loaded)


def mlm_gradients(model: loaded_models.Model) -> str:
    """The same for a loss of `.mlm`'s logits."""
    inputs = model.mlm_inputs
    return _gradients(lambda: model.loaded.mlm(inputs, training=True), model.loaded.mlm)


def pooled_gradients(model: loaded_models.Model) -> str:
    """A loss of `pooled_output` alone reaches what one of `sequence_output` reaches."""
    _require_no_routers(model)
    loaded = model.loaded
    trained = list(loaded.trainable_variables)
    call = functools.partial(loaded, model.batch, training=True)
    return _reach(trained, _reached(call, "sequence_output", trained), call, "pooled_output")


def logits_gradients(model: loaded_models.Model) -> str:
    """A loss of `mlm_logits` alone reaches the head, and what one of `sequence_output` reaches."""
    _require_no_routers(model)
    root, mlm = model.loaded, model.loaded.mlm
    of_root, trained = list(root.trainable_variables), list(mlm.trainable_variables)
    rows, length = model.outputs["sequence_output"].shape[:2]
    everywhere = tf.tile(tf.range(length)[tf.newaxis], [rows, 1])
    masked = {**model.batch, encoder_calls.POSITIONS_NAME: everywhere}
    expected = _reached(
        functools.partial(root, model.batch, training=True), "sequence_output", of_root
    )
    expected |= _refs(trained) - _refs(of_root)
    return _reach(trained, expected, functools.partial(mlm, masked, training=True), "mlm_logits")


def _require_no_routers(model: loaded_models.Model) -> None:
    if any("/router/" in variable.name for variable in model.loaded.variables):
        raise contracts.NotChecked("experts that got no tokens get no gradients")


def _reach(
    trained: Sequence[tf.Variable],
    expected: set[Any],
    call: Callable[[], Mapping[str, Any]],
    name: str,
) -> str:
    reached = _reached(call, name, trained)
    missed = [v.name for v in trained if v.ref() in expected - reached]
    contracts.require(not missed, f"none of {name} for {_some(missed)}")
    return f"{len(reached)} variables"


def _reached(
    call: Callable[[], Mapping[str, Any]], name: str, variables: Sequence[tf.Variable]
) -> set[Any]:
    """Returns which variables a loss of one output has gradients for that are not all zero."""
    with tf.GradientTape() as tape:
        loss = _weighted_sum({name: call()[name]})
    values = tape.gradient(loss, list(variables))
    return {
        variable.ref()
        for variable, value in zip(variables, values, strict=True)
        # What is added to all keys changes no attention, but for rounding.
        if value is not None
        and "key/bias" not in variable.name
        and bool(np.any(tf.convert_to_tensor(value)))
    }


def text_gradients(model: loaded_models.Model) -> str:
    """Gradients of a loss reach the trainable variables of a model that takes text."""
    text = tf.constant(_TEXTS)
    return _gradients(
        lambda: {"vectors": model.loaded(text, training=True)}, model.loaded, few=True
    )


def _gradients(call: Callable[[], Mapping[str, Any]], part: Any, *, few: bool = False) -> str:
    """Checks gradients of a sum in which each number has a weight of its own.

    Args:
      call: Returns outputs.
      part: What has the variables.
      few: Whether only some of the outputs are there, so that some gradients are None.
    """
    with tf.GradientTape() as tape:
        loss = _weighted_sum(call())
    variables = list(part.trainable_variables)
    values = tape.gradient(loss, variables)
    pairs = list(zip(variables, values, strict=True))
    without = [v.name for v, value in pairs if value is None]
    contracts.require(
        not without if not few else len(without) < len(pairs), f"None for {_some(without)}"
    )
    dense = {v.name: np.asarray(tf.convert_to_tensor(g)) for v, g in pairs if g is not None}
    infinite = [name for name, value in dense.items() if not np.all(np.isfinite(value))]
    contracts.require(not infinite, f"NaN or infinite for {_some(infinite)}")
    # What is added to all keys changes no attention.
    zero = [name for name, v in dense.items() if not np.any(v) and "key/bias" not in name]
    contracts.require(not zero or few, f"nothing but zeros for {_some(zero)}")
    return f"{len(dense)} variables"


def _weighted_sum(outputs: Mapping[str, Any]) -> tf.Tensor:
    total = tf.constant(0.0)
    for output in tf.nest.flatten(outputs):
        counter = tf.range(tf.size(output), dtype=tf.float32)
        weights = tf.reshape(tf.cos(1.0 + counter), tf.shape(output))
        total += tf.reduce_sum(weights * output)
    return total


def regularization_losses(model: loaded_models.Model) -> str:
    """Each of `regularization_losses` is a function without arguments, of a scalar float32."""
    for loss in model.loaded.regularization_losses:
        value = loss()
        contracts.require(
            value.dtype == tf.float32 and value.shape.rank == 0,
            f"one is {value.dtype.name} {value.shape}",
        )
    return f"{len(model.loaded.regularization_losses)}"


def _refs(variables: Sequence[tf.Variable]) -> set[Any]:
    return {variable.ref() for variable in variables}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
