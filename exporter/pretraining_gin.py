"""The gin configuration that a pre-training run was made with, as the run recorded it.

When training ends normally, `python -m official.nlp.train --mode=MODE --model_dir=DIR` writes
DIR/operative_config.MODE.gin: every parameter that gin gave or could have given, defaults too. A
run that was stopped leaves none. It is applied before a user's own gin files, which win.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from exporter import (
    configurables,
    errors,
    gin_checks,
    gin_files,
    gin_macros,
    gin_parsing,
    sharing,
)

SETTING = "pretraining.pretraining_dir"
ALLOWED = "pretraining.allow_overrides"
# The modes of the trainer, in the order in which their records are preferred.
_MODES = (
    *("train", "train_and_eval", "continuous_train_and_eval", "train_and_post_eval"),
    *("train_and_validate", "eval", "continuous_eval"),
)
# What gin may set of an encoder. The head has its own settings here.
_ENCODERS = (
    *("encoders.", "official.nlp.configs.", "official.nlp.modeling.layers."),
    "official.nlp.modeling.networks.",
)
_applied: set[str] = set()  # Beside gin's own global configuration.


@dataclasses.dataclass(frozen=True)
class Record:
    """What a run's directory says of its gin configuration.

    Attributes:
      parsed: Its statements, which come before all others.
      note: One line to log: which file it is, or that there is none.
    """

    parsed: gin_parsing.Parsed
    note: str


def read(bindings: Iterable[gin_parsing.Binding]) -> Record | None:
    """Reads the record of the run that a configuration names.

    Args:
      bindings: What the user said.

    Returns:
      None where no run is named, or no folder is there by that name.

    Raises:
      UserError: The folder cannot be read.
    """
    named = bound(bindings, SETTING)
    directory = named.value.rstrip("/") if named and isinstance(named.value, str) else ""
    if named is None or not directory:
        return None
    record = read_folder(directory, named.where)
    if record is not None and not record.parsed.statements:
        note = (
            f"{directory} has no operative_config.*.gin, for a run that is stopped leaves none. If "
            "it was trained with gin files, name them by --gin_file."
        )
        return dataclasses.replace(record, note=record.note or note)
    return record


def read_folder(directory: str, where: str) -> Record | None:
    """Reads the record in a run's directory.

    Args:
      directory: The directory.
      where: Where it was named, for errors.

    Returns:
      None where there is no such folder; without statements and note where it has no record.

    Raises:
      UserError: The folder cannot be read.
    """
    paths = gin_files.matching(directory, "operative_config.*.gin", where)
    if not paths:
        return None if paths is None else Record(gin_parsing.Parsed(), "")
    path = min(paths, key=_preference)
    return sharing.once("record of gin", (sharing.version(path), path), lambda: _read(path))


def _read(path: str) -> Record:
    parsed = gin_parsing.parse([path], [])
    marked = [dataclasses.replace(statement, recorded=True) for statement in parsed.statements]
    return Record(gin_parsing.Parsed(marked, parsed.mistakes), f"Applied first: {path}")


def check(bindings: Sequence[gin_parsing.Binding]) -> list[errors.UserError]:
    """Returns a mistake for each parameter that is bound otherwise than in pre-training.

    Args:
      bindings: The run's record and what the user said, in that order.
    """
    recorded = [binding for binding in bindings if binding.recorded]
    before, after = gin_macros.definitions(recorded), gin_macros.definitions(bindings)
    last = gin_checks.winning(bindings)
    allowed = allowed_overrides(bindings)
    mistakes = []
    for name, binding in gin_checks.winning(recorded).items():
        same = _plain(binding.value, before) == _plain(last[name].value, after)
        if not (same or binding.macro is not None or is_allowed(binding.name, allowed)):
            mistakes.append(_override(binding, last[name], before, after))
    return mistakes


def check_unapplied(
    recorded: Iterable[gin_parsing.Binding],
    applied: Iterable[gin_parsing.Binding],
    allowed: Iterable[str],
) -> list[errors.UserError]:
    """Returns a mistake for each parameter of an encoder that is not bound as in pre-training.

    Args:
      recorded: The record of a run that the user did not name, though the checkpoint is of it.
      applied: What is applied.
      allowed: Names of what may differ.
    """
    recorded, applied, allowed = list(recorded), list(applied), list(allowed)
    before, after = gin_macros.definitions(recorded), gin_macros.definitions(applied)
    now = gin_checks.winning(applied)
    mistakes = []
    for name, binding in gin_checks.winning(recorded).items():
        harmless = _is_default(binding) or not name.rpartition("/")[2].startswith(_ENCODERS)
        if harmless or is_allowed(binding.name, allowed):
            continue
        if name not in now:
            mistakes.append(_forgotten(binding))
        elif _plain(binding.value, before) != _plain(now[name].value, after):
            mistakes.append(_override(binding, now[name], before, after))
    return mistakes


def remember(bindings: Iterable[gin_parsing.Binding]) -> None:
    """Keeps in mind what of the configuration that is now applied was recorded by a run.

    Args:
      bindings: All that is applied, later ones winning.
    """
    last = gin_checks.winning(bindings)
    _applied.clear()
    _applied.update(name for name, binding in last.items() if binding.recorded)


def applied_settings() -> frozenset[str]:
    """Returns what a run recorded of what is applied: parameters with all modules before them."""
    return frozenset(_applied)


def without_defaults(
    statements: Iterable[gin_parsing.Statement],
) -> tuple[gin_parsing.Statement, ...]:
    """Leaves out what the run recorded and is so anyway.

    Of most runs nothing is left then, and nothing of TF-NLP need be imported to apply it.
    """
    return tuple(item for item in statements if not (item.recorded and _is_default(item)))


def allowed_overrides(bindings: Iterable[gin_parsing.Binding]) -> list[str]:
    """Returns the value of `pretraining.allow_overrides`."""
    given = bound(bindings, ALLOWED)
    names = given.value if given and isinstance(given.value, list | tuple) else ()
    return [name for name in names if isinstance(name, str)]


def is_allowed(name: str, allowed: Iterable[str]) -> bool:
    """Whether a parameter may be another one than in pre-training.

    Args:
      name: The parameter, with what it is a parameter of: "TransformerScaffold.norm_first".
      allowed: Names, with as much before the last dot as one likes: "norm_first".
    """
    return any(f".{name}".endswith(f".{short}") for short in allowed)


def bound(bindings: Iterable[gin_parsing.Binding], setting: str) -> gin_parsing.Binding | None:
    """Returns the binding that decides a setting of ours, macros resolved; None if nothing does."""
    bindings = list(bindings)
    macros = gin_macros.definitions(bindings)
    last = None
    for binding in bindings:
        if binding.name in (setting, f"exporter.{setting}"):
            value = gin_macros.resolve(binding.value, macros)
            last = dataclasses.replace(binding, value=value)
    return last


def _preference(path: str) -> tuple[int, str]:
    mode = path.rpartition("/")[2].split(".")[1]
    return (_MODES.index(mode) if mode in _MODES else len(_MODES), mode)


def _is_default(statement: gin_parsing.Statement) -> bool:
    if isinstance(statement, gin_parsing.Import) or statement.macro is not None:
        return False
    entry = configurables.find_one(statement.selector)
    if entry is None or statement.parameter not in entry.defaults:
        return False
    return repr(entry.defaults[statement.parameter]) == repr(statement.value)


def _plain(value: Any, macros: gin_macros.Macros) -> Any:
    """What is equal for values that mean the same."""
    value = gin_macros.resolve(value, macros)
    if isinstance(value, gin_parsing.Reference):
        entry = configurables.find_one(value.selector)
        selector = entry.selector if entry else value.selector
        return dataclasses.replace(value, selector=selector)
    if isinstance(value, list | tuple):
        return [_plain(item, macros) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, macros) for key, item in value.items()}
    return value


def _override(
    trained: gin_parsing.Binding,
    now: gin_parsing.Binding,
    before: gin_macros.Macros,
    after: gin_macros.Macros,
) -> errors.UserError:
    values = [gin_macros.resolve(trained.value, before), gin_macros.resolve(now.value, after)]
    where = gin_macros.places(now, after)
    return override(trained.name, values[0], trained.where, values[1], where)


def _forgotten(trained: gin_parsing.Binding) -> errors.UserError:
    path = trained.where.rpartition(":")[0]
    return errors.UserError(
        "An encoder must be built as it was trained, unless the difference is allowed by name.",
        example=f"--gin_file={path}, or {ALLOWED} = [{trained.name!r}]",
        received=f"{trained.name} is not set, trained with {trained.value!r} ({trained.where})",
        where="--gin_file (not given)",
    )


def override(
    name: str, trained: Any, recorded: str, now: Any, where: str | None = None
) -> errors.UserError:
    """Returns the mistake of building an encoder otherwise than it was trained.

    Args:
      name: What differs.
      trained: Its value in pre-training.
      recorded: Where the run says so.
      now: Its value now.
      where: Where that was said, if it is known.
    """
    return errors.UserError(
        "An encoder must be built as it was trained, unless the difference is allowed by name.",
        example=f"{ALLOWED} = [{name!r}]",
        received=f"{name} = {now!r}, trained with {trained!r} ({recorded})",
        where=where,
    )
