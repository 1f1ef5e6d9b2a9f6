"""Checks bound values against the types that settings are annotated with."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Iterable
from typing import Any, Literal

from exporter import configurables, errors, gin_macros, gin_parsing

_EXAMPLES = {str: "some text", bool: True, int: 128, float: 0.1}
_CALLABLE: Any = collections.abc.Callable
_NAMES = {
    str: "text",
    bool: "True or False",
    int: "an integer",
    float: "a number",
    type(None): "None",
    _CALLABLE: "a configurable",
    collections.abc.Sequence: "a list",
}


def check(
    bindings: Iterable[gin_parsing.Binding], macros: gin_macros.Macros
) -> list[errors.UserError]:
    """Returns a mistake for each value of the wrong type.

    Args:
      bindings: Bindings of parameters; those of configurables without known types fit.
      macros: The macros' definitions.
    """
    mistakes = []
    for binding in bindings:
        entry = configurables.find_one(binding.selector)
        if entry is None or binding.parameter not in entry.types:
            continue
        kind = entry.types[binding.parameter]
        if not fits(gin_macros.resolve(binding.value, macros), kind):
            mistakes.append(_mistake(binding, entry, kind, macros))
    return mistakes


def fits(value: Any, kind: Any) -> bool:
    """Whether a value may be bound to what is annotated as `kind`.

    What a call or a constant gives is known only later: it fits. A configurable itself is no text,
    number or truth value.
    """
    if isinstance(value, gin_parsing.Macro):
        return True
    if isinstance(value, gin_parsing.Reference):
        return value.evaluate or not set(_alternatives(kind)) <= {*_EXAMPLES, type(None)}
    return any(_fits_one(value, option) for option in _alternatives(kind))


def _fits_one(value: Any, kind: Any) -> bool:
    origin: Any = typing.get_origin(kind) or kind
    if origin is Literal:
        return value in typing.get_args(kind)
    if origin is Any or not isinstance(origin, type):
        return True
    if origin is _CALLABLE:
        return False  # No literal can be called.
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin in (list, tuple, collections.abc.Sequence):
        kinds = [item for item in typing.get_args(kind) if item is not Ellipsis]
        ordered = isinstance(value, list | tuple)
        return ordered and (len(kinds) != 1 or all(fits(item, kinds[0]) for item in value))
    return isinstance(value, origin)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    # `A | B` and `Optional[A]` are of different classes.
    union = typing.get_origin(kind) is typing.Union or type(kind).__name__ == "UnionType"
    return typing.get_args(kind) if union else (kind,)


def _mistake(
    binding: gin_parsing.Binding,
    entry: configurables.Configurable,
    kind: Any,
    macros: gin_macros.Macros,
) -> errors.UserError:
    received = binding.text
    if isinstance(binding.value, gin_parsing.Macro):
        received += f" = {gin_macros.resolve(binding.value, macros)!r}"
    options = _alternatives(kind)
    names = [_NAMES.get(typing.get_origin(option) or option, str(option)) for option in options]
    return errors.UserError(
        f"{binding.name} must be {' or '.join(names)}.",
        example=_example(binding, entry.defaults.get(binding.parameter), options),
        received=received,
        where=binding.where,
    )


def _example(binding: gin_parsing.Binding, default: Any, options: tuple[Any, ...]) -> str | None:
    if type(default) in options and default is not None:
        return f"{binding.name} = {default!r}"
    if callable(default):
        return f"{binding.name} = @{default.__name__}"
    examples = [_EXAMPLES[option] for option in options if option in _EXAMPLES]
    return f"{binding.name} = {examples[0]!r}" if examples else None
