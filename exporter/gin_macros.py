"""What macros stand for, and which are missing or needless. Gin itself keeps silent on both."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import gin

from exporter import configurables, errors, gin_parsing

Macros = Mapping[str, gin_parsing.Binding]


def definitions(bindings: Iterable[gin_parsing.Binding]) -> dict[str, gin_parsing.Binding]:
    """Returns the definitions that win: the macro's name -> the last one."""
    return {binding.macro: binding for binding in bindings if binding.macro is not None}


def resolve(value: Any, macros: Macros) -> Any:
    """Follows macros to the value that they stand for.

    Returns:
      The value, or the last macro where that is not defined or defined by itself.
    """
    seen = set()
    while isinstance(value, gin_parsing.Macro) and value.name in macros and value.name not in seen:
        seen.add(value.name)
        value = macros[value.name].value
    return value


def places(binding: gin_parsing.Binding, macros: Macros) -> str:
    """Returns where a binding's value was said, by way of which macros."""
    where = [binding.where]
    value = binding.value
    while isinstance(value, gin_parsing.Macro) and value.name in macros and len(where) < 9:
        macro = macros[value.name]
        where.append(f"{value!r} from {macro.where}")
        value = macro.value
    return ", ".join(where)


def used(bindings: Iterable[gin_parsing.Binding]) -> set[str]:
    """Returns the macros that bindings of parameters use, directly or by way of other macros."""
    uses: dict[str | None, set[str]] = collections.defaultdict(set)
    for binding in bindings:
        uses[binding.macro] |= {name for name, _ in _inside(binding)}
    return _reached(None, uses)


def _reached(start: str | None, uses: Mapping[str | None, set[str]]) -> set[str]:
    """The macros that one uses, directly or by way of others; None stands for all parameters."""
    reached: set[str] = set()
    waiting = set(uses.get(start, ()))
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= uses.get(name, set()) - reached
    return reached


def check(bindings: Iterable[gin_parsing.Binding]) -> list[errors.UserError]:
    """Returns the mistakes in macros.

    Each that is used must be defined, each that is defined used, and none by its own definition.
    """
    bindings = list(bindings)
    defined = definitions(bindings)
    missing: dict[str, tuple[str, str]] = {}
    for binding in bindings:
        for name, text in _inside(binding):
            if name not in defined and not is_constant(name):
                missing.setdefault(name, (text, binding.where))
    reached = used(bindings)
    return [
        *(_missing(name, text, where, defined) for name, (text, where) in missing.items()),
        *(
            _needless(macro, missing)
            for name, macro in defined.items()
            if name not in reached and not macro.recorded
        ),
        *_circular({name: macro for name, macro in defined.items() if name in reached}),
    ]


def is_constant(name: str) -> bool:
    """Whether Python code has defined a constant of this name, with any modules before it."""
    return bool(gin.config._CONSTANTS.matching_selectors(name))


def is_required(value: Any) -> bool:
    """Whether a value is `%gin.REQUIRED`."""
    return isinstance(value, gin_parsing.Macro) and (
        gin.config._CONSTANTS.matching_selectors(value.name) == ["gin.REQUIRED"]
    )


def _inside(binding: gin_parsing.Binding) -> Iterator[tuple[str, str]]:
    """Yields the macros in a binding's value: name and text. `@NAME/macro()` is one, too."""
    for item in binding.inside:
        if isinstance(item, gin_parsing.Macro):
            yield item.name, repr(item)
        elif item.selector in gin_parsing.MACRO_SELECTORS:
            yield item.scope, repr(item)


def _missing(name: str, text: str, where: str, defined: Macros) -> errors.UserError:
    guess = configurables.closest(name, defined)
    return errors.UserError(
        "A macro that is used must be defined." + (f" Did you mean %{guess}?" if guess else ""),
        example=None if guess else f"{name} = 128",
        received=text,
        where=where,
    )


def _needless(macro: gin_parsing.Binding, missing: Iterable[str]) -> errors.UserError:
    guess = configurables.closest(macro.name, missing)
    return errors.UserError(
        "A macro that is defined must be used." + (f" Did you mean {guess}?" if guess else ""),
        example=None if guess else f"tokenizer.vocab_file = %{macro.macro}",
        received=macro.text,
        where=macro.where,
    )


def _circular(defined: Macros) -> Iterator[errors.UserError]:
    uses: dict[str | None, set[str]] = {
        name: {inner for inner, _ in _inside(macro)} for name, macro in defined.items()
    }
    told: set[str] = set()
    for name, macro in defined.items():
        reached = _reached(name, uses) if uses[name] else set()
        if name in reached and name not in told:
            told |= reached
            yield errors.UserError(
                "A macro must not be defined by itself, directly or by way of others.",
                example=f"{name} = 128",
                received=macro.text,
                where=macro.where,
            )
