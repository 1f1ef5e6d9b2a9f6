"""Encoders of one's own: `type: any`, built by whatever a package of the user's binds.

A class of configurations is bound to what builds an encoder from them by
`official.modeling.hyperparams.base_config.bind`. A run's params.yaml has the values, not the class;
a gin file that imports the package makes it known.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Mapping
from typing import Any

import gin
import tf_keras
from official.modeling.hyperparams import base_config

from exporter import errors

_SETTING = "encoder.config"
_OUTPUTS = ("sequence_output", "pooled_output", "encoder_outputs")
EXAMPLE = "def build(config): return MyEncoder(...), a subclass of networks.BertEncoderV2, say"
_logger = logging.getLogger(__name__)


def bound() -> list[type]:
    """Returns the configuration classes that are bound to a builder, by their full names."""
    return sorted(base_config._BOUND, key=_full_name)  # There is no public way to list them.


def register_configurables() -> None:
    """Makes them bindable in gin by their own names, where their package has not done that."""
    registered = [entry.wrapped for _, entry in gin.config._REGISTRY.items()]
    for cls in bound():
        if not any(inspect.isclass(known) and issubclass(known, cls) for known in registered):
            gin.external_configurable(cls, module=cls.__module__)


def configuration(given: Any, content: Any, source: str, *, setting: str) -> Any:
    """Makes an empty configuration for `type: any`, to be filled from a file.

    Args:
      given: The class, as gin has it in `encoder.config`, or None: then it is the only one that is
        bound, or the only one of these with all the names in the file.
      content: What the file holds under `any`.
      source: The file.
      setting: The gin name that the file was bound to.

    Raises:
      UserError: The class is not known, or no builder is bound to it.
    """
    if given is not None:
        require(given, setting=_SETTING)
    # Gin gives a class of its own, derived from the one that it was told of.
    known = [cls for cls in bound() if given is None or cls in (given, given.__base__)]
    if len(known) > 1 and isinstance(content, Mapping):
        known = [cls for cls in known if {*content} <= {f.name for f in dataclasses.fields(cls)}]
    if len(known) == 1:
        if given is None:
            _logger.info("The encoder of type 'any' is taken for a %s.", _full_name(known[0]))
        return known[0]()
    raise errors.UserError(
        "An encoder of type 'any' needs the class of its configuration: gin must import the "
        "package that binds a builder to it (official.modeling.hyperparams.base_config.bind) and, "
        "if there are several, name the class. To export it as one of TF-NLP's types instead, set "
        "encoder.type.",
        example="import my_package, and encoder.config = @my_package.MyEncoderConfig",
        received=f"{source}; {_bound_ones()}",
        setting=setting if given is None else _SETTING,
    )


def require(given: Any, *, setting: str) -> None:
    """Raises unless a configuration, or a class of them, is bound to a builder.

    Args:
      given: The configuration or the class.
      setting: The gin name that it was bound to.

    Raises:
      UserError: It is not.
    """
    # Otherwise than the property BUILDER, the attribute is there in classes, too.
    if getattr(given, "_BUILDER", None) is not None:
        return
    cls = given if inspect.isclass(given) else type(given)
    raise errors.UserError(
        "The configuration of an encoder of type 'any' must have a BUILDER: its package binds one "
        "to the class (official.modeling.hyperparams.base_config.bind).",
        example="@base_config.bind(MyEncoderConfig) above def build(config: MyEncoderConfig)",
        received=f"{_full_name(cls)} without; {_bound_ones()}",
        setting=setting,
    )


def place(config: Any) -> str:
    """Names the BUILDER of a configuration.

    Args:
      config: The configuration.
    """
    cls = type(config)
    known: Any = next((base for base in cls.__mro__ if base in base_config._BOUND), cls)
    builder = known._BUILDER
    if inspect.isfunction(builder):  # `bind` has wrapped the user's.
        builder = inspect.getclosurevars(builder).nonlocals.get("builder", builder)
    return f"{_full_name(builder)}, the BUILDER of {_full_name(known)}"


def check_built(network: Any) -> None:
    """Raises unless what a BUILDER returned can be called as an encoder.

    Args:
      network: What it returned.

    Raises:
      TypeError: It cannot; the text says what an encoder is.
    """
    if isinstance(network, tf_keras.layers.Layer) and hasattr(network, "get_embedding_table"):
        return
    raise TypeError(
        "The BUILDER must return an encoder: a layer or model of tf_keras with "
        f"get_embedding_table(), not {_full_name(type(network))}."
    )


def check_outputs(outputs: Any) -> None:
    """Raises unless an encoder that a BUILDER returned has the outputs of one.

    Args:
      outputs: What it returns.

    Raises:
      TypeError: It has not.
    """
    names = list(outputs) if isinstance(outputs, Mapping) else []
    if not {*_OUTPUTS} <= {*names}:
        got = f"one with {', '.join(names)}" if names else f"a {type(outputs).__name__}"
        raise TypeError(
            f"The encoder of a BUILDER must return a dict with {', '.join(_OUTPUTS)}, not {got}."
        )


def _bound_ones() -> str:
    return f"bound are: {', '.join(map(_full_name, bound())) or 'none'}"


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
