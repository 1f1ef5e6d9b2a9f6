"""Makes the objects that a sweep's bindings describe: spaces of points, and the launcher.

Gin itself would call what an axis's values refer to. Here these stay as they were written, since
they are to become bindings again: what is made is what gin would make otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import gin

from exporter import config, configurables, errors, gin_macros, gin_parsing


@dataclasses.dataclass(frozen=True)
class Maker:
    """Makes objects of bindings in which no mistake was found.

    Attributes:
      resolved: The bindings.
    """

    resolved: config.Resolved

    def make(self, selector: str, scope: str = "", above: tuple[str, ...] = ()) -> Any:
        """Calls a configurable with what is bound to it.

        Args:
          selector: Its name.
          scope: Scopes joined by "/", or "".
          above: What is being made of it.

        Raises:
          UserError: A parameter that must be set is not, or it is to be made of itself.
        """
        entry = gin.config._REGISTRY.get_match(selector)
        kept = as_written(entry.selector)
        own = f"@{_scoped(scope, entry.selector.rpartition('.')[2])}()"
        arguments, places = {}, []
        for binding in self._bindings(entry.selector, scope):
            if own in above:
                raise _of_itself((*above[above.index(own) :], own), binding.where)
            parameter = binding.parameter
            whole = self._literal(binding.value)
            inside = (*above, own)
            arguments[parameter] = whole if parameter in kept else self._value(whole, inside)
            places.append(binding.where)
        described = configurables.find_one(entry.selector)
        for name in described.required if described else ():
            if name not in arguments:
                raise _required(_scoped(scope, described.name if described else selector), name)
        made = entry.wrapped(**arguments)
        if places and hasattr(made, "place"):
            made.place = places[-1]
        return made

    def _bindings(self, selector: str, scope: str) -> Sequence[gin_parsing.Binding]:
        """The bindings that win, outer scopes before inner ones and in each the last one last."""
        parts = scope.split("/") if scope else []
        scopes = ["/".join(parts[:length]) for length in range(len(parts) + 1)]
        found: dict[tuple[int, str], gin_parsing.Binding] = {}
        for binding in self.resolved.bindings:
            known = binding.macro is None and configurables.find_one(binding.selector)
            if known and known.selector == selector and binding.scope in scopes:
                key = (scopes.index(binding.scope), binding.parameter)
                found.pop(key, None)
                found[key] = binding
        return [found[key] for key in sorted(found, key=lambda key: key[0])]

    def _literal(self, value: Any) -> Any:
        """The value with macros replaced by what they stand for."""
        if isinstance(value, gin_parsing.Macro):
            if gin_macros.is_constant(value.name):
                return gin.config._CONSTANTS.get_match(value.name)
            resolved = gin_macros.resolve(value, gin_macros.definitions(self.resolved.bindings))
            return resolved if isinstance(resolved, gin_parsing.Macro) else self._literal(resolved)
        if isinstance(value, list | tuple):
            return type(value)(self._literal(item) for item in value)
        if isinstance(value, dict):
            return {self._literal(key): self._literal(item) for key, item in value.items()}
        return value

    def _value(self, value: Any, above: tuple[str, ...]) -> Any:
        if isinstance(value, gin_parsing.Reference) and not value.evaluate:
            return gin.config._REGISTRY.get_match(value.selector).wrapped
        if isinstance(value, gin_parsing.Reference):
            return self.make(value.selector, value.scope, above)
        if isinstance(value, list | tuple):
            return type(value)(self._value(item, above) for item in value)
        return value


def as_written(selector: str) -> set[str]:
    """Returns the parameters of a registered configurable whose values are not called.

    Those are fields of a dataclass with `metadata={"as_written": True}`.

    Args:
      selector: Its full name.
    """
    registered = gin.config._REGISTRY.get(selector)
    target = registered.wrapped if registered is not None else None
    if not dataclasses.is_dataclass(target):
        return set()
    return {field.name for field in dataclasses.fields(target) if field.metadata.get("as_written")}


def _scoped(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name


def _required(name: str, parameter: str) -> errors.UserError:
    return errors.UserError(
        f"{name}.{parameter} must be set.",
        example=f"{name}.{parameter} = ...",
        where="(not set)",
    )


def _of_itself(chain: Sequence[str], where: str) -> errors.UserError:
    return errors.UserError(
        "A part of a sweep must not be made of itself, directly or by way of others.",
        example="product.parts = [@pooler/axis(), @length/axis()]",
        received=" -> ".join(chain),
        where=where,
    )
