"""What an export's manifest says was chosen, where whoever verifies it says nothing."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any

import gin

from exporter import choices, errors, manifests, poolers, settings

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
_POOLER = "export.pooler"
_POOLERS = {
    "restored_pooler": poolers.restored_pooler,
    "next_sentence_pooler": poolers.next_sentence_pooler,
    "identity_pooler": poolers.identity_pooler,
    "initialized_pooler": poolers.initialized_pooler,
}
_PARTS = {
    "text_embedding": settings.TextEmbeddingSettings,
    "preprocessing": settings.PreprocessingSettings,
    "tokenizer": settings.TokenizerSettings,
    "encoder": settings.EncoderSettings,
    "checkpoint": settings.CheckpointSettings,
}


@dataclasses.dataclass(frozen=True)
class Reference:
    """A function as gin names it.

    Attributes:
      name: The configurable.
      arguments: What gin binds of it.
    """

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        bound = ", ".join(f"{name} = {value!r}" for name, value in self.arguments)
        return f"@{self.name}" + (f" with {bound}" if bound else "")


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
    taken: dict[str, Any] = {}
    contradictions = []
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
    pooler = said.get(_POOLER)
    if pooler is not None and pooler.name != chosen.pooler().name:
        if "pooler" in gin.get_bindings("exporter.export", resolve_references=False):
            other = Reference(chosen.pooler().name)
            contradictions.append(f"the manifest says {_POOLER} = {pooler}, not {other}")
        else:
            taken[_POOLER] = pooler
    completed = _with(chosen, taken)
    if choices.wrong(completed):  # Whoever wrote that, it was no export.
        return Completed(chosen, {}, tuple(contradictions))
    return Completed(completed, taken, tuple(contradictions))


def _with(chosen: choices.Choices, taken: Mapping[str, Any]) -> choices.Choices:
    parts: dict[str, Any] = {}
    for part in _FIELDS:
        own = [field for field in _FIELDS[part] if f"{part}.{field}" in taken]
        fields = {field: taken[f"{part}.{field}"] for field in own}
        parts[part] = dataclasses.replace(getattr(chosen, part), **fields)
    if _POOLER in taken:
        pooler = taken[_POOLER]
        parts["pooler"] = functools.partial(_POOLERS[pooler.name], **dict(pooler.arguments))
    return dataclasses.replace(chosen, **parts)


def _said(path: str) -> dict[str, Any]:
    """Returns what a manifest says by the settings' names; nothing where it cannot be read."""
    try:
        manifest = manifests.read(path)
    except errors.UserError:  # Which its own check tells.
        manifest = None
    if manifest is None:
        return {}
    bound = _bindings(manifest.get("gin"))
    known = [f"{part}.{field}" for part, fields in _FIELDS.items() for field in fields]
    said = {**_defaults(), **{n: bound[n] for n in known if bound.get(n) is not None}}
    vocabulary = manifest.get("vocabulary")
    if isinstance(vocabulary, Mapping) and type(vocabulary.get("do_lower_case")) is bool:
        said["tokenizer.do_lower_case"] = vocabulary["do_lower_case"]
    if type(manifest.get("seq_length")) is int:
        said["preprocessing.default_seq_length"] = manifest["seq_length"]
    pooler = _pooler(manifest, bound)
    if pooler is not None:
        said[_POOLER] = pooler
    return said


def _pooler(manifest: Mapping[str, Any], bound: Mapping[str, Any]) -> Reference | None:
    """Returns the pooler of an export, if it is one of the exporter's own, with plain arguments."""
    checkpoint = manifest.get("checkpoint")
    name = checkpoint.get("pooler") if isinstance(checkpoint, Mapping) else None
    if not isinstance(name, str) or name not in _POOLERS:
        return None
    start = f"{name}."
    arguments = tuple(
        (key.removeprefix(start), value) for key, value in bound.items() if key.startswith(start)
    )
    known = inspect.signature(_POOLERS[name]).parameters
    plain = all(key in known and value is not None for key, value in arguments)
    return Reference(name, arguments) if plain else None


def _defaults() -> dict[str, Any]:
    """Returns the values of what gin binds nothing for, where there is a value."""
    values = {
        f"{part}.{field.name}": field.default
        for part, of_part in _PARTS.items()
        for field in dataclasses.fields(of_part)
        if field.name in _FIELDS[part]
    }
    return {name: value for name, value in values.items() if value is not None}


def _bindings(lines: Any) -> dict[str, Any]:
    """Returns values of gin's lines by name, macros put in; None for what is not plain.

    Args:
      lines: What a manifest has as its gin text.
    """
    found: dict[str, Any] = {}
    macros: dict[str, Any] = {}
    for line in lines if isinstance(lines, list) else ():
        name, _, text = str(line).partition(" = ")
        value = macros.get(text) if text.startswith("%") else _plain(text)
        if "." in name:
            found[name.removeprefix("exporter.")] = value
        else:
            macros[f"%{name}"] = value
    return found


def _plain(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
