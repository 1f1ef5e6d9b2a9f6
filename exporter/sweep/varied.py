"""What a sweep may vary, by its name: parameters, macros and whole gin files; and their values."""

from __future__ import annotations

import re
from typing import Any

from exporter import errors, gin_checks, gin_parsing

# What an axis over whole gin files is named.
GIN_FILE = "gin_file"
_NAME = re.compile(r"(?:[^\W\d]\w*/)*[^\W\d]\w*(?:\.[^\W\d]\w*)*")
# What the sweep itself says of each export, and what is said of the sweep.
_DECIDED = ("exporter.export.export_path", "exporter.export.dry_run")
_OF_SWEEPS = "exporter.sweep."


def full_name(setting: str) -> str:
    """Returns what is equal for two spellings of a setting: with all modules, macros after a "%".

    Args:
      setting: "preprocessing.default_seq_length", "a/axis.values", "LENGTH" or "gin_file".
    """
    if setting == GIN_FILE:
        return setting
    scope, _, last = setting.rpartition("/")
    selector, _, parameter = last.rpartition(".")
    binding = gin_parsing.Binding(scope, selector or last, parameter if selector else "", None, "")
    return gin_checks.full_name(binding)


def mistake(setting: str, where: str) -> errors.UserError | None:
    """Returns the mistake of varying what cannot be varied, or None.

    Args:
      setting: What an axis is named.
      where: Where that was said.
    """
    if not _NAME.fullmatch(setting):
        return errors.UserError(
            f"What a sweep varies must be a parameter, a macro or {GIN_FILE!r}.",
            example="axis.name = 'preprocessing.default_seq_length'",
            received=repr(setting),
            where=where,
        )
    full = full_name(setting).rpartition("/")[2]
    if full in _DECIDED or full.startswith(_OF_SWEEPS):
        return errors.UserError(
            f"A sweep must not vary {setting}: that is said once, of the sweep as a whole.",
            example=f"{setting} = ... outside of the axes",
            received=setting,
            where=where,
        )
    return None


def is_of_sweeps(binding: gin_parsing.Binding) -> bool:
    """Whether a binding says something of the sweep, which exports have no use for."""
    return gin_checks.full_name(binding).rpartition("/")[2].startswith(_OF_SWEEPS)


def label_of(setting: str) -> str:
    """Returns what an axis is called by default: the setting's last part."""
    return setting.rpartition("/")[2].rpartition(".")[2]


def plain(value: Any) -> Any:
    """Returns a parsed value as JSON knows it; what is referred to by its name."""
    if isinstance(value, gin_parsing.Reference):
        return value.selector.rpartition(".")[2]
    if isinstance(value, gin_parsing.Macro):
        return value.name
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
