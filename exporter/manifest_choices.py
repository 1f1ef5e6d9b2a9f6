"""What an export's manifest says was chosen, where whoever verifies it says nothing."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any

import gin

from exporter import choices, errors, manifests, settings

NAME = "choices of the manifest"
# Of each part, what changes results and can be told from plain values.
_FIELDS = {
    "text_embedding": ("vector", "num_layers", "normalize"),
    "preprocessing": (
        "default_seq_length",
        "max_segments",
        "truncation",
        "head_percent",
        "pad_to_longest",
        "pack_for_xla",
    ),
    "tokenizer": ("do_lower_case", "strip_accents", "keep_special_tokens"),
    "encoder": ("pooled_output",),
    "checkpoint": ("weights",),
}
_PARTS = {
    "text_embedding": settings.TextEmbeddingSettings,
    "preprocessing": settings.PreprocessingSettings,
    "tokenizer": settings.TokenizerSettings,
    "encoder": settings.EncoderSettings,
    "checkpoint": settings.CheckpointSettings,
}


@dataclasses.dataclass(frozen=True)
class Completed:
    """Choices with those of a manifest.

    Attributes:
      chosen: All of them.
      taken: What was taken from the manifest, by name.
      contradictions: What is bound otherwise than the manifest says, in words.
    """

    chosen: choices.Choices
    taken: Mapping[str, Any]
    contradictions: tuple[str, ...] = ()


def complete(chosen: choices.Choices, path: str) -> Completed:
    """Takes from a SavedModel's manifest what gin does not bind.

    Args:
      chosen: What gin says.
      path: The SavedModel.
    """
    said = _said(path)
    taken, contradictions = {}, []
    for part, fields in _FIELDS.items():
        bound = gin.get_bindings(f"exporter.{part}", resolve_references=False)
        for field in fields:
            name, value = f"{part}.{field}", getattr(getattr(chosen, part), field)
            if name not in said or said[name] == value:
                continue
            if field in bound:
                contradictions.append(f"the manifest says {name} = {said[name]!r}, not {value!r}")
            else:
                taken[name] = said[name]
    completed = _with(chosen, taken)
    if choices.wrong(completed):  # Whoever wrote that, it was no export.
        return Completed(chosen, {}, tuple(contradictions))
    return Completed(completed, taken, tuple(contradictions))


def _with(chosen: choices.Choices, taken: Mapping[str, Any]) -> choices.Choices:
    parts = {}
    for part in _FIELDS:
        own = [field for field in _FIELDS[part] if f"{part}.{field}" in taken]
        fields = {field: taken[f"{part}.{field}"] for field in own}
        parts[part] = dataclasses.replace(getattr(chosen, part), **fields)
    return dataclasses.replace(chosen, **parts)


def _said(path: str) -> dict[str, Any]:
    """Returns what a manifest says by the settings' names; nothing where it cannot be read."""
    try:
        manifest = manifests.read(path)
    except errors.UserError:  # Which its own check tells.
        manifest = None
    if manifest is None:
        return {}
    said = {**_defaults(), **_bound(manifest.get("gin"))}
    vocabulary = manifest.get("vocabulary")
    if isinstance(vocabulary, Mapping) and type(vocabulary.get("do_lower_case")) is bool:
        said["tokenizer.do_lower_case"] = vocabulary["do_lower_case"]
    if type(manifest.get("seq_length")) is int:
        said["preprocessing.default_seq_length"] = manifest["seq_length"]
    return said


def _defaults() -> dict[str, Any]:
    """Returns the values of what gin binds nothing for, where there is a value."""
    values = {
        f"{part}.{field.name}": field.default
        for part, of_part in _PARTS.items()
        for field in dataclasses.fields(of_part)
        if field.name in _FIELDS[part]
    }
    return {name: value for name, value in values.items() if value is not None}


def _bound(lines: Any) -> dict[str, Any]:
    """Returns the plain values of gin's lines, macros among them put in."""
    known = {f"{part}.{field}" for part, fields in _FIELDS.items() for field in fields}
    found: dict[str, Any] = {}
    macros: dict[str, Any] = {}
    for line in lines if isinstance(lines, list) else ():
        name, _, text = str(line).partition(" = ")
        name = name.removeprefix("exporter.")
        value = macros.get(text) if text.startswith("%") else _plain(text)
        if name in known and value is not None:
            found[name] = value
        elif "." not in name:
            macros[f"%{name}"] = value
    return found


def _plain(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
