"""What gin was told of encoders, as text: equal texts build equal encoders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gin

from exporter import pretraining_gin

_OWN = ("exporter.", "gin.")


def of_encoders() -> str:
    """Returns the bindings of TF-NLP's and a user's own configurables, one a line.

    Macros are replaced by what they stand for. With them comes what a pre-training run recorded,
    for that may be without effect.
    """
    return "\n".join(sorted({*_lines(), *pretraining_gin.applied_settings()}))


def calls() -> dict[tuple[str, str], dict[str, Any]]:
    """Returns what gin has recorded of calls of TF-NLP's and a user's own configurables.

    Returns:
      The parameters that gin gave or could have given, by scope and name.
    """
    return {
        key: dict(parameters)
        for key, parameters in gin.config._OPERATIVE_CONFIG.items()
        if not key[1].startswith(_OWN)
    }


def record(made: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
    """Adds calls to gin's records, of what was made of the same bindings before.

    Args:
      made: The calls, see `calls`.
    """
    for key, parameters in made.items():
        gin.config._OPERATIVE_CONFIG.setdefault(key, {}).update(parameters)


def _lines() -> Iterator[str]:
    # Gin has no public way to list what it was told.
    for (scope, selector), parameters in gin.config._CONFIG.items():
        if not selector.startswith(_OWN):
            for parameter, value in parameters.items():
                yield f"{scope}/{selector}.{parameter} = {_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(_text, value))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(k)}: {_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, gin.config.ConfigurableReference):
        scope, selector = value.config_key
        bound = gin.config._CONFIG.get((scope, selector), {})
        if selector == "gin.macro" and "value" in bound:
            return _text(bound["value"])
    return repr(value)
