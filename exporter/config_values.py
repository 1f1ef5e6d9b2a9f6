"""Names and values in an encoder's configuration, compared with its dataclass before TF-NLP's."""

from __future__ import annotations

import difflib
import numbers
import reprlib
from collections.abc import Mapping
from typing import Any

from exporter import errors

# A YAML file of ten lines can hold a list of a billion.
_short = reprlib.Repr()
_short.maxlevel = 2
_short.maxstring = _short.maxother = 100


def mistakes(
    content: Mapping[str, Any], defaults: Any, source: str, setting: str, path: str = ""
) -> list[errors.UserError]:
    """Lists the names that a configuration has not, and the values of another type than there.

    Args:
      content: Values by name; a mapping stands for a configuration inside of the configuration.
      defaults: A configuration with its defaults.
      source: The file that the values are in, for errors.
      setting: The gin name that the file was bound to.
      path: What stands before the names, with a dot at the end.
    """
    found = []
    known = defaults.as_dict()
    for name, value in content.items():
        full_name = f"{path}{name}"
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            found.append(
                errors.UserError(
                    f"Every name in the encoder's configuration must be known; {full_name} is not.",
                    example=f"did you mean {near[0]}?" if near else ", ".join(known),
                    received=f"{full_name}: {_short.repr(value)} in {source}",
                    setting=setting,
                )
            )
        elif isinstance(known[name], dict):
            if isinstance(value, Mapping):
                nested = getattr(defaults, name)
                found += mistakes(value, nested, source, setting, f"{full_name}.")
            else:
                found.append(_type_mistake(full_name, value, {}, source, setting))
        elif not _fits(name, value, known[name]):
            found.append(_type_mistake(full_name, value, known[name], source, setting))
    return found


def override_mistake(name: str, value: Any, defaults: Any, setting: str) -> errors.UserError | None:
    """Returns the mistake of a value of another type than its field in gin, or None.

    Args:
      name: The field.
      value: What gin sets it to.
      defaults: A configuration with its defaults.
      setting: The gin name of the field: "BertEncoderConfig.num_layers".
    """
    default = getattr(defaults, name)
    if _fits(name, value, default):
        return None
    return errors.UserError(
        f"{setting} must be of type {type(default).__name__}, as in the encoder's configuration.",
        example=f"{setting} = {default!r}",
        received=_short.repr(value),
        setting=setting,
    )


def _type_mistake(
    name: str, value: Any, default: Any, source: str, setting: str
) -> errors.UserError:
    kind = "mapping" if isinstance(default, dict) else type(default).__name__
    return errors.UserError(
        f"{name} in the encoder's configuration must be of type {kind}.",
        example=f"{name.rpartition('.')[2]}: {default!r}",
        received=f"{_short.repr(value)} in {source}",
        setting=setting,
    )


def _fits(name: str, value: Any, default: Any) -> bool:
    """Whether a value may stand where `default` stood; None as a default says nothing."""
    if default is None or value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int):
        return isinstance(value, int) or (
            name == "pool_stride" and isinstance(value, list | tuple)  # FunnelEncoderConfig's.
        )
    if isinstance(default, float):
        return isinstance(value, numbers.Real)
    if isinstance(default, list | tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(default))
