"""Divides a sweep's configuration: what says which exports and where, and what they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import gin

from exporter import config, configurables, errors, gin_macros, gin_parsing
from exporter.sweep import objects, spaces

_OWN = "exporter.sweep."


@dataclasses.dataclass(frozen=True)
class Divided:
    """A sweep's configuration in two parts.

    Attributes:
      sweep: What is bound of the sweep, its axes and its launcher.
      exports: Everything else, which each point's values are appended to.
    """

    sweep: gin_parsing.Parsed
    exports: gin_parsing.Parsed


def divide(parsed: gin_parsing.Parsed) -> Divided:
    """Divides a configuration without mistakes of its own.

    Macros go to where they are used; those that nothing uses to the exports, whose checks tell so.

    Args:
      parsed: The configuration.

    Raises:
      UserError: What gin imports cannot be imported, or an axis or combination is described that
        nothing refers to.
    """
    if parsed.imports:  # They may register launchers.
        parsed = config.imported(parsed)
    bindings = parsed.bindings
    own = _own_selectors(bindings)
    of_sweep = [b for b in bindings if b.macro is None and _full(b.selector) in own]
    of_exports = [b for b in bindings if b.macro is None and _full(b.selector) not in own]
    macros = [binding for binding in bindings if binding.macro is not None]
    errors.raise_all(_unused([*of_sweep, *macros]))
    used_here = gin_macros.used([*macros, *of_sweep])
    only_here = used_here - gin_macros.used([*macros, *of_exports])
    sweep_ids = {id(b) for b in of_sweep} | {id(b) for b in macros if b.macro in used_here}
    exports_ids = {id(b) for b in of_exports} | {id(b) for b in macros if b.macro not in only_here}
    return Divided(_part(parsed, sweep_ids), _part(parsed, exports_ids))


def sources(statements: Iterable[gin_parsing.Statement]) -> tuple[gin_parsing.Source, ...]:
    """Returns statements as text that knows where it was said, to be parsed elsewhere."""
    return tuple(
        gin_parsing.Source(
            f"{item.preamble}{item.text}" if isinstance(item, gin_parsing.Binding) else item.text,
            item.where,
        )
        for item in statements
    )


def _part(parsed: gin_parsing.Parsed, chosen: set[int]) -> gin_parsing.Parsed:
    statements = [
        item
        for item in parsed.statements
        if isinstance(item, gin_parsing.Import) or id(item) in chosen
    ]
    return gin_parsing.Parsed(statements)


def _own_selectors(bindings: Iterable[gin_parsing.Binding]) -> set[str]:
    """The sweep's own configurables, and those of others that they are made of."""
    bindings = list(bindings)
    macros = gin_macros.definitions(bindings)
    own = {full for full, _ in gin.config._REGISTRY.items() if full.startswith(_OWN)}
    waiting = list(own)
    while waiting:
        selector = waiting.pop()
        for binding in bindings:
            if binding.macro is None and _full(binding.selector) == selector:
                found = set(_made_of(binding, macros)) - own
                own |= found
                waiting += found
    return own


def _made_of(binding: gin_parsing.Binding, macros: gin_macros.Macros) -> Iterator[str]:
    """Yields the configurables that a binding's value is made of; what is varied is not made."""
    entry = configurables.find_one(binding.selector)
    if entry is None or binding.parameter in objects.as_written(entry.selector):
        return
    for item in gin_parsing.walk(gin_macros.resolve(binding.value, macros)):
        if isinstance(item, gin_parsing.Reference):
            yield _full(item.selector)


def _unused(bindings: Sequence[gin_parsing.Binding]) -> list[errors.UserError]:
    """Returns a mistake for each axis or combination that nothing refers to.

    A binding that another one takes the place of refers to it, too: who chooses other axes by a
    flag need not take the rest out of a file.
    """
    references: set[tuple[str, str]] = set()
    described: dict[tuple[str, str], gin_parsing.Binding] = {}
    for binding in bindings:
        entry = configurables.find_one(binding.selector) if binding.macro is None else None
        if entry is None or binding.parameter not in objects.as_written(entry.selector):
            for item in binding.inside:
                if isinstance(item, gin_parsing.Reference):
                    references.add((item.scope, _full(item.selector)))
        if entry is not None and _is_space(entry.selector):
            described.setdefault((binding.scope, entry.selector), binding)
    return [
        _needless(scope, selector, binding, references)
        for (scope, selector), binding in described.items()
        if not any(
            selector == other and (not scope or f"{inner}/".startswith(f"{scope}/"))
            for inner, other in references
        )
    ]


def _needless(
    scope: str, selector: str, binding: gin_parsing.Binding, references: Iterable[tuple[str, str]]
) -> errors.UserError:
    name = _name(scope, selector)
    guess = configurables.closest(name, [_name(*other) for other in references])
    return errors.UserError(
        f"There must be something that uses {name}." + (f" Did you mean {guess}?" if guess else ""),
        example=f"product.parts = [@{name}(), ...]",
        received=binding.text,
        where=binding.where,
    )


def _name(scope: str, selector: str) -> str:
    return f"{scope}/{selector.rpartition('.')[2]}".lstrip("/")


def _is_space(selector: str) -> bool:
    registered = gin.config._REGISTRY.get(selector)
    target = None if registered is None else registered.wrapped
    return isinstance(target, type) and issubclass(target, spaces.Space)


def _full(selector: str) -> str:
    entry = configurables.find_one(selector)
    return entry.selector if entry else selector
