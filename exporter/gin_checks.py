"""Checks a whole configuration before anything heavy is imported, and finds all mistakes at once.

The checks are pure functions of what was parsed and of the names that are known.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence

from exporter import configurables, errors, flags_table, gin_macros, gin_parsing, gin_types

IGNORED_SETTING = "config.ignored_configurables"


@dataclasses.dataclass
class Findings:
    """What the checks found.

    Attributes:
      mistakes: Everything that is wrong.
      kept: The bindings to apply.
      ignored: The bindings that play no part in an export.
      notes: What is worth a line in the log.
    """

    mistakes: list[errors.UserError] = dataclasses.field(default_factory=list)
    kept: list[gin_parsing.Binding] = dataclasses.field(default_factory=list)
    ignored: list[gin_parsing.Binding] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


def check(parsed: gin_parsing.Parsed, root: configurables.Configurable) -> Findings:
    """Checks a configuration.

    Args:
      parsed: The configuration. Where it has mistakes of its own, what is missing or unused cannot
        be known and is not looked for.
      root: What will be called.
    """
    bindings = parsed.bindings
    macros = gin_macros.definitions(bindings)
    findings = Findings(list(parsed.mistakes))
    _separate(bindings, _ignored_by_user(bindings, macros), findings)
    # A file that registers names dynamically says what they are by its imports: left to gin.
    judged = [binding for binding in findings.kept if not binding.preamble]
    _check_names(judged, findings)
    findings.mistakes += gin_types.check((b for b in judged if b.macro is None), macros)
    if not parsed.mistakes:
        findings.mistakes += gin_macros.check(bindings)
        findings.mistakes += _check_required(findings.kept, root)
    return findings


def used(bindings: Iterable[gin_parsing.Binding]) -> dict[str, configurables.Configurable]:
    """Returns the configurables that are bound or referred to, by their full names.

    Those that a file registers dynamically are not among them.
    """
    names = set()
    for binding in bindings:
        if not binding.preamble:
            if binding.macro is None:
                names.add(binding.selector)
            inside = binding.inside
            names |= {item.selector for item in inside if isinstance(item, gin_parsing.Reference)}
    entries = [configurables.find_one(name) for name in sorted(names)]
    return {entry.selector: entry for entry in entries if entry is not None}


def winning(bindings: Iterable[gin_parsing.Binding]) -> dict[str, gin_parsing.Binding]:
    """Returns the last binding of each parameter and macro, by its name with all modules."""
    return {full_name(binding): binding for binding in bindings}


def full_name(binding: gin_parsing.Binding) -> str:
    """Returns what a binding binds, with all modules; a macro's name begins with "%"."""
    if binding.macro is not None:
        return f"%{binding.macro}"
    entry = configurables.find_one(binding.selector)
    scope = f"{binding.scope}/" if binding.scope else ""
    return f"{scope}{entry.selector if entry else binding.selector}.{binding.parameter}"


def _ignored_by_user(
    bindings: Iterable[gin_parsing.Binding], macros: gin_macros.Macros
) -> Sequence[str]:
    ignored: Sequence[str] = ()
    for binding in bindings:
        if binding.name in (IGNORED_SETTING, f"exporter.{IGNORED_SETTING}"):
            value = gin_macros.resolve(binding.value, macros)
            # The check of types tells it if not.
            ignored = value if gin_types.fits(value, Sequence[str]) else ()
    return ignored


def _separate(
    bindings: Iterable[gin_parsing.Binding], ignored: Sequence[str], findings: Findings
) -> None:
    """Finds the bindings that are ignored; macros that only they use go with them."""
    rest: list[gin_parsing.Binding] = []
    for binding in bindings:
        by_user = binding.selector in ignored
        only = by_user or configurables.is_training_only(binding.selector)
        skipped = binding.macro is None and only and not configurables.fits(binding.selector)
        (findings.ignored if skipped else rest).append(binding)
    needless = gin_macros.used(bindings) - gin_macros.used(rest)
    for binding in rest:
        (findings.ignored if binding.macro in needless else findings.kept).append(binding)


def _check_names(bindings: Iterable[gin_parsing.Binding], findings: Findings) -> None:
    unknown: dict[str, list[str]] = collections.defaultdict(list)
    for binding in bindings:
        if binding.macro is None:
            _check_name(binding.selector, binding.where, unknown, findings.mistakes)
            entry = configurables.find_one(binding.selector)
            if entry and not entry.accepts(binding.parameter):
                _refuse(binding, entry, findings)
        for item in binding.inside:
            if isinstance(item, gin_parsing.Reference):
                _check_name(f"@{item.selector}", binding.where, unknown, findings.mistakes)
    findings.mistakes += [_unknown_name(name, places) for name, places in unknown.items()]


def _check_name(
    name: str, where: str, unknown: dict[str, list[str]], mistakes: list[errors.UserError]
) -> None:
    """Looks up a name, which begins with "@" where it is referred to and not bound."""
    matches = configurables.fits(name.lstrip("@"))
    if not matches:
        unknown[name].append(where)
    elif len(matches) > 1:
        names = sorted(match.selector for match in matches)
        mistakes.append(
            errors.UserError(
                "The name of a configurable must fit only one.",
                example=names[0],
                received=f"{name}, which fits {', '.join(names)}",
                where=where,
            )
        )


def _unknown_name(name: str, places: Sequence[str]) -> errors.UserError:
    selector = name.lstrip("@")
    guess = configurables.suggest(selector)
    rule = "There must be a configurable of this name."
    example: str | None = f"{IGNORED_SETTING} = [{selector!r}], if only training uses it"
    if name.startswith("@"):
        example = None
    if configurables.is_training_only(selector):
        rule = "What only training uses cannot be referred to in an export."
    elif guess:
        rule += f" Did you mean {guess}?"
    else:
        rule += " If a package of yours has it, the gin file must import that."
    distinct = list(dict.fromkeys(places))
    more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
    where = ", ".join(distinct[:3]) + more
    return errors.UserError(rule, example=example, received=name, where=where)


def _refuse(
    binding: gin_parsing.Binding, entry: configurables.Configurable, findings: Findings
) -> None:
    if binding.recorded and entry.takes_any:  # The encoder was trained without it, too.
        findings.notes.append(
            f"{binding.where}: {binding.text} had no effect in pre-training, since {entry.name} "
            "drops arguments that it does not know; nor has it here."
        )
        return
    guess = configurables.closest(binding.parameter, (*entry.parameters, *entry.others))
    hint = f" Did you mean {guess}?" if guess else ""
    rule = f"The parameter must be one of {entry.name}'s: {', '.join(entry.parameters)}.{hint}"
    if entry.takes_any:
        rule += f" {entry.name} accepts any other and drops it."
        owners = configurables.owners(binding.parameter)
        if owners and not guess:
            rule += f" {binding.parameter} is a parameter of {', '.join(owners)}."
    findings.mistakes.append(errors.UserError(rule, received=binding.text, where=binding.where))


def _check_required(
    bindings: Iterable[gin_parsing.Binding], root: configurables.Configurable
) -> list[errors.UserError]:
    last = winning(bindings)
    dynamic = {binding.parameter for binding in bindings if binding.preamble}
    mistakes = [
        errors.UserError(
            f"{root.name}.{parameter} must be set.",
            example=flags_table.example(f"{root.name}.{parameter}"),
            where="(not set)",
        )
        for parameter in root.required
        if f"{root.selector}.{parameter}" not in last and parameter not in dynamic
    ]
    return mistakes + [
        errors.UserError(
            f"{binding.name} must be set.",
            example=flags_table.example(binding.name),
            received=binding.text,
            where=binding.where,
        )
        for binding in last.values()
        if gin_macros.is_required(binding.value)
    ]
