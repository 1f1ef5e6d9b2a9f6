"""What gin was told of encoders, as text: equal texts build equal encoders."""

from __future__ import annotations

from collections.abc import Iterator
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
