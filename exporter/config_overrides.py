"""What is set on top of an encoder's configuration that comes from a file.

The order, later ones winning: a pre-training run's params.yaml, or the file that a flag or gin
names in its place; then single fields in gin (`BertEncoderConfig.dropout_rate = 0.0`): those of gin
files in their order, and of --gin_params.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import gin
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import config_values, errors

_logger = logging.getLogger(__name__)


def as_type(content: Mapping[str, Any], encoder_type: str) -> dict[str, Any]:
    """Reads the configuration of an encoder as that of another type.

    Args:
      content: "type" and the configuration of that type.
      encoder_type: The type to read it as.

    Returns:
      The same for `encoder_type`, with the values of all fields that this has, too. The names of
      the others are logged.
    """
    before = content.get("type", "bert")
    values = content.get(before)
    if before == encoder_type or not isinstance(values, Mapping):
        return dict(content)
    wanted = type(getattr(tfnlp_encoders.EncoderConfig(), encoder_type))
    names = {field.name for field in dataclasses.fields(wanted)}
    left = sorted(str(name) for name in values if name not in names)
    _logger.info(
        "The configuration of type %r is read as one of type %r%s.",
        before,
        encoder_type,
        f", without {', '.join(left)}" if left else "",
    )
    kept = {name: value for name, value in values.items() if name in names}
    return {"type": encoder_type, encoder_type: kept}


def apply_gin(config: tfnlp_encoders.EncoderConfig) -> None:
    """Sets the fields that gin has values for, by the name of the configuration's class.

    Args:
      config: Is changed.

    Raises:
      UserError: A value is of another type than the field.
    """
    encoder = config.get()
    bound = bound_fields(encoder)
    if not bound:
        return
    selector = _selector(encoder)
    values, defaults = gin.get_bindings(selector), type(encoder)()
    found = (
        config_values.override_mistake(name, values[name], defaults, setting)
        for name, setting in bound.items()
    )
    errors.raise_all([mistake for mistake in found if mistake is not None])
    made = gin.get_configurable(selector)()  # So that gin knows that its values had an effect.
    for name in bound:
        setattr(encoder, name, getattr(made, name))


def bound_fields(encoder: Any) -> dict[str, str]:
    """Returns the fields of an encoder's configuration that gin has values for.

    Args:
      encoder: The configuration dataclass of the encoder's type.

    Returns:
      The gin names by the names of the fields: "BertEncoderConfig.dropout_rate".
    """
    selector = _selector(encoder)
    if selector is None:
        return {}
    bound = gin.get_bindings(selector, resolve_references=False)
    return {name: f"{selector.rpartition('.')[2]}.{name}" for name in bound}


def _selector(encoder: Any) -> str | None:
    """Returns the full gin name of a configuration's class, or None if gin does not know it."""
    # What gin makes is of a class that it derived from the one that it was told of.
    classes = (type(encoder), type(encoder).__base__)
    for selector, entry in gin.config._REGISTRY.items():
        if entry.wrapped in classes and entry.wrapped.__name__ == type(encoder).__name__:
            return selector
    return None
