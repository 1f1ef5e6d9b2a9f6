"""Encoders of one's own: `type: any`, built by whatever a package of the user's binds.

A class of configurations is bound to what builds an encoder from them by
`official.modeling.hyperparams.base_config.bind`. A run's params.yaml has the values, not the class;
a gin file that imports the package makes it known.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any

import gin
from official.modeling.hyperparams import base_config

from exporter import errors

_SETTING = "encoder.config"
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


def configuration(given: Any, source: str, *, setting: str) -> Any:
    """Makes an empty configuration for `type: any`, to be filled from a file.

    Args:
      given: The class, as gin has it in `encoder.config`, or None: then there must be only one.
      source: The file.
      setting: The gin name that the file was bound to.

    Raises:
      UserError: The class is not known.
    """
    # Gin gives a class of its own, derived from the one that it was told of.
    known = [cls for cls in bound() if given is None or cls in (given, given.__base__)]
    if len(known) == 1:
        if given is None:
            _logger.info("The encoder of type 'any' is taken for a %s.", _full_name(known[0]))
        return known[0]()
    raise errors.UserError(
        "An encoder of type 'any' needs the class of its configuration: gin must import the "
        "package that binds a builder to it (official.modeling.hyperparams.base_config.bind) and, "
        "if there are several, name the class.",
        example="import my_package, and encoder.config = @my_package.MyEncoderConfig",
        received=f"{source}; bound are: {', '.join(map(_full_name, bound())) or 'none'}",
        setting=setting if given is None else _SETTING,
    )


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
