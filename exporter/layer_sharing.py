"""Lets equal layers share one traced function.

A Transformer of 12 equal layers is otherwise traced 12 times, for training and for inference, and
each trace is stored in saved_model.pb. Here the first of a group of equal layers is traced once as
a function of its variables, and called with the variables of each.

The function is traced with the first layer's variables bound to the handles that come in as
arguments, which uses a private attribute of `tf.Variable`. `is_supported` says whether this
TensorFlow has it as expected; without it, layers are traced one by one as usual.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfnlp_layers

# Only classes of which all that matters in a call is in `get_config()` and in the variables.
_SHAREABLE = (tfnlp_layers.TransformerEncoderBlock,)


def is_supported() -> bool:
    """Whether `tf.Variable` keeps its handle where this module expects it."""
    variable = tf.Variable(0.0)
    return getattr(variable, "_handle", None) is variable.handle


class SharedLayers:
    """The groups of equal layers of a network.

    Attributes:
      groups: The layers, equal ones together. A layer that is called several times, as ALBERT's,
        is a group, too.
      training: Whether the network is being traced for training. Keras layers find that in the
        context of the call, so nothing but this tells a function's traces apart.
    """

    def __init__(self, network: tf_keras.layers.Layer) -> None:
        self.training = False
        by_kind: dict[str, list[tf_keras.layers.Layer]] = {}
        if is_supported():
            for layer in network.submodules:
                if type(layer) in _SHAREABLE:
                    by_kind.setdefault(_kind(layer), []).append(layer)
        self.groups = list(by_kind.values())

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """While open, a call of one of the layers in a trace calls its group's function."""
        layers = [layer for group in self.groups for layer in group]
        call = self.sharing(_own_call)
        for layer in layers:
            # Past Keras, which would track the function as a part of the layer.
            object.__setattr__(layer, "call", functools.partial(call, layer))
        try:
            yield
        finally:
            for layer in layers:
                object.__delattr__(layer, "call")

    def sharing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Lets equal layers share the traces of a function of a layer.

        Args:
          call: Takes a layer and other arguments.

        Returns:
          A function that takes and returns the same.
        """
        functions: dict[int, tuple[Callable[..., Any], list[tf.Variable]]] = {}
        for group in self.groups:
            function = _group_function(group[0], call)
            functions.update({id(layer): (function, list(layer.variables)) for layer in group})

        def shared_call(layer: tf_keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
            if id(layer) not in functions:
                return call(layer, *args, **kwargs)
            function, variables = functions[id(layer)]
            return function(variables, self.training, args, kwargs)

        return shared_call


def _own_call(layer: tf_keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
    return type(layer).call(layer, *args, **kwargs)


def _kind(layer: tf_keras.layers.Layer) -> str:
    """What must be equal in layers that share a function."""
    config = {name: value for name, value in layer.get_config().items() if name != "name"}
    variables = [(v.shape.as_list(), v.dtype.name, v.trainable) for v in layer.variables]
    return json.dumps([type(layer).__name__, config, variables], sort_keys=True, default=repr)


def _group_function(first: tf_keras.layers.Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    @tf.function(autograph=False)
    def layer_function(
        variables: list[tf.Variable], training: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        del training  # Only tells traces apart.
        # Of this trace alone: with the seed that a process may have set, all layers would drop the
        # same units.
        tf.random.set_seed(None)
        with _bound(first.variables, [variable.handle for variable in variables]):
            return call(first, *args, **kwargs)

    return layer_function


@contextlib.contextmanager
def _bound(variables: Sequence[tf.Variable], handles: Sequence[tf.Tensor]) -> Iterator[None]:
    own = [variable._handle for variable in variables]
    for variable, handle in zip(variables, handles, strict=True):
        variable._handle = handle
    try:
        yield
    finally:
        for variable, handle in zip(variables, own, strict=True):
            variable._handle = handle
