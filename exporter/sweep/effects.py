"""Whether what a sweep varies has an effect: two names of one export, or a wrong name, are refused.

A value that another binding takes the place of would be in the export's name and nowhere else.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import gin

from exporter import config, errors, gin_checks, gin_macros, gin_parsing
from exporter.sweep import spaces, varied

# They say where and whether, not what. How it is verified counts: more than before is to be done.
_OF_THE_RUN = frozenset(
    f"exporter.export.{name}" for name in ("export_path", "overwrite", "show", "dry_run")
)
# Where the configurables are that each export asks, whatever else refers to them.
_ALWAYS_ASKED = ("exporter.settings", "exporter.export", "exporter.config")
_SHOWN = 3


def values(resolved: config.Resolved) -> dict[str, Any]:
    """Returns what says what an export is.

    Args:
      resolved: Its configuration.

    Returns:
      The values that win by their full names, macros replaced by what they stand for; what only
      says where and whether it is made is left out.
    """
    macros = gin_macros.definitions(resolved.bindings)
    return {
        name: _literal(binding.value, macros)
        for name, binding in resolved.winning.items()
        if binding.macro is None and name not in _OF_THE_RUN
    }


def mistakes(
    point: spaces.Point, own: Sequence[Sequence[gin_parsing.Statement]], resolved: config.Resolved
) -> list[errors.UserError]:
    """Returns a mistake for each value of a point that its export is not made with.

    Args:
      point: The point.
      own: What each of its values says.
      resolved: The configuration of the export.
    """
    used = gin_macros.used(resolved.winning.values())
    found = []
    for choice, statements in zip(point, own, strict=True):
        bindings = [item for item in statements if isinstance(item, gin_parsing.Binding)]
        if choice.setting == varied.GIN_FILE:
            found += [_of_sweep(binding) for binding in bindings if varied.is_of_sweeps(binding)]
            continue
        for binding in bindings:
            winner = resolved.winning.get(gin_checks.full_name(binding), binding)
            if winner is not binding and _text(winner, resolved) != _text(binding, resolved):
                found.append(_replaced(choice, winner))
            elif binding.macro is not None and binding.macro not in used:
                found.append(_unused(choice, binding.macro, resolved))
    return found


def require_different(
    names: Sequence[str], points: Sequence[spaces.Point], made_of: Sequence[Mapping[str, Any]]
) -> None:
    """Raises if two points are the same export.

    Args:
      names: The points' names.
      points: The points.
      made_of: What says what each export is, see `values`.

    Raises:
      UserError: With the names, and with what differs between these points and has no effect.
    """
    alike = collections.defaultdict(list)
    for index, one in enumerate(made_of):
        alike[repr(sorted(_with_effect(one)))].append(index)
    told = collections.defaultdict(list)
    for group in alike.values():
        if len(group) > 1:
            differing = _differing([points[index] for index in group])
            told[differing].append([names[index] for index in group])
    errors.raise_all([_same(differing, groups, points) for differing, groups in told.items()])


def _with_effect(made_of: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields what an export is made of, without what is said of parts that it has not."""
    referred = [
        item
        for value in made_of.values()
        for item in gin_parsing.walk(value)
        if isinstance(item, gin_parsing.Reference)
    ]
    for name, value in made_of.items():
        scope, _, last = name.rpartition("/")
        if not _is_idle(scope, last.rpartition(".")[0], referred):
            yield name, repr(value)


def _is_idle(scope: str, selector: str, referred: Iterable[gin_parsing.Reference]) -> bool:
    """Whether nothing that exports are made of asks for a configurable of ours in a scope."""
    entry = gin.config._REGISTRY.get(selector)
    if not selector.startswith("exporter.") or entry is None:
        return False
    if not scope and entry.wrapped.__module__ in _ALWAYS_ASKED:
        return False
    return not any(
        f"{item.scope}/".startswith(f"{scope}/" if scope else "")
        and (scope or f".{selector}".endswith(f".{item.selector}"))
        for item in referred
    )


def _differing(points: Sequence[spaces.Point]) -> tuple[str, ...]:
    found = [{choice.setting: repr(choice.value) for choice in point} for point in points]
    names = dict.fromkeys(name for one in found for name in one)
    return tuple(name for name in names if len({one.get(name) for one in found}) > 1)


def _same(
    differing: Sequence[str], groups: Sequence[Sequence[str]], points: Sequence[spaces.Point]
) -> errors.UserError:
    why = f"{' and '.join(differing)} {'have' if len(differing) > 1 else 'has'} no effect"
    shown = [" and ".join(group[:_SHOWN]) for group in groups[:_SHOWN]]
    more = f", and {len(groups) - _SHOWN} times more" if len(groups) > _SHOWN else ""
    place = next((c.where for point in points for c in point if c.setting in differing), None)
    return errors.UserError(
        "Points of a sweep must be different exports. These are the same: "
        f"{why if differing else 'their values are equal'}.",
        example="@union() in the place of @product(), where a value matters only with some others",
        received=f"{', '.join(shown)}{more}",
        where=place or points[0][0].where,
    )


def _of_sweep(binding: gin_parsing.Binding) -> errors.UserError:
    return errors.UserError(
        "A gin file that is a value of an axis must not say anything of the sweep.",
        example="the same line in the file that --gin_file names",
        received=binding.text,
        where=binding.where,
    )


def _replaced(choice: spaces.Choice, winner: gin_parsing.Binding) -> errors.UserError:
    return errors.UserError(
        f"What a sweep varies must have an effect. {choice.setting} has none here: what is bound "
        "later wins, of combined parts that of the last one.",
        example="product.parts = [@file/axis(), @length/axis()], where the files say the length",
        received=f"{winner.text} ({winner.where})",
        where=choice.where,
    )


def _unused(choice: spaces.Choice, macro: str, resolved: config.Resolved) -> errors.UserError:
    """The mistake of a macro that only bindings use that do not win."""
    users = [
        (binding, winner)
        for binding in resolved.bindings
        if binding.macro is None
        and (winner := resolved.winning[gin_checks.full_name(binding)]) is not binding
        and macro in gin_macros.used([binding, *_macros(resolved)])
    ]
    winners = {winner.name: f"{winner.text} ({winner.where})" for _, winner in users}
    return errors.UserError(
        f"What a sweep varies must have an effect. {choice.setting} has none here: what used it is "
        "bound to something else.",
        example=f"an axis over {next(iter(winners), 'what is to differ')}",
        received=", ".join(winners.values()) or None,
        where=choice.where,
    )


def _text(binding: gin_parsing.Binding, resolved: config.Resolved) -> str:
    return repr(_literal(binding.value, gin_macros.definitions(resolved.bindings)))


def _macros(resolved: config.Resolved) -> Iterable[gin_parsing.Binding]:
    return gin_macros.definitions(resolved.bindings).values()


def _literal(value: Any, macros: gin_macros.Macros) -> Any:
    value = gin_macros.resolve(value, macros)
    if isinstance(value, list | tuple):
        return type(value)(_literal(item, macros) for item in value)
    if isinstance(value, dict):
        return {_literal(key, macros): _literal(item, macros) for key, item in value.items()}
    if isinstance(value, gin_parsing.Reference) and value.selector in gin_parsing.MACRO_SELECTORS:
        return _literal(gin_parsing.Macro(value.scope), macros)
    return value
