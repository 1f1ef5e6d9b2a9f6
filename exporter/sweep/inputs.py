"""What an export is made from, as digests: whether it is to be made again is decided by them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import tensorflow as tf

from exporter import (
    code_digests,
    config,
    gin_checks,
    gin_macros,
    gin_parsing,
    plans,
    provenance,
    sharing,
)

# They say where and whether, not what. How it is verified counts: more than before is to be done.
_OF_THE_RUN = {
    f"exporter.export.{name}" for name in ("export_path", "overwrite", "show", "dry_run")
}
# No part of what the encoder is built from.
_NOT_OF_ENCODERS = ("export", "preprocessing", "text_embedding", "tokenizer", "warmup", "checks")


def digest(resolved: config.Resolved, plan: plans.Plan) -> str:
    """Returns a digest of a point's configuration, of the files that it names and of code.

    Code is that of modules of a user's own that gin imports, with what they import of that kind.
    Folders do not count, nor how macros are called.

    Args:
      resolved: The configuration.
      plan: The files that it names, read.
    """
    described: dict[str, Any] = {
        "gin": _lines(resolved),
        "packages": provenance.packages(),
        "vocabulary": _file_digest(plan.text.path),
        "seq_length": plan.chosen.preprocessing.default_seq_length,
    }
    imported = _imported(resolved)
    code = sharing.once("code", imported, lambda: code_digests.of_imported(imported))
    if code is not None:
        described["code"] = code
    if plan.source is not None:
        architecture = plan.source.architecture
        described["encoder"] = [architecture.type, repr(architecture.encoder.as_dict())]
        described["head"] = [plan.source.with_mlm, architecture.mlm_activation]
        described["checkpoint"] = _file_digest(f"{plan.source.checkpoint.prefix}.index")
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def group(resolved: config.Resolved, plan: plans.Plan) -> str:
    """Returns a text that is equal for exports with the same encoder and checkpoint."""
    if plan.source is None:
        return plan.text.path
    left_out = tuple(f"exporter.{name}." for name in _NOT_OF_ENCODERS)
    lines = [line for line in _lines(resolved) if not line.startswith(left_out)]
    prefix = plan.source.checkpoint.prefix
    return "\n".join([repr(plan.source.architecture.encoder.as_dict()), *lines, prefix])


def weights(plan: plans.Plan) -> int:
    """Returns the size of the checkpoint's values in bytes, or 0."""
    if plan.source is None:
        return 0
    return sum(entry.size for entry in plan.source.checkpoint.entries.values())


def files(plan: plans.Plan) -> tuple[str, ...]:
    """Returns the vocabulary's path, and that of the checkpoint's index if there is one."""
    index = () if plan.source is None else (f"{plan.source.checkpoint.prefix}.index",)
    return (plan.text.path, *index)


def _imported(resolved: config.Resolved) -> tuple[str, ...]:
    """The modules that gin imports, also for the names of single files."""
    found = [item for item in resolved.statements if isinstance(item, gin_parsing.Import)]
    preambles = {binding.preamble for binding in resolved.bindings}
    named = (re.findall(r"^(?:import|from)\s+([\w.]+)", text, re.MULTILINE) for text in preambles)
    return tuple(sorted({item.module for item in found}.union(*named)))


def _lines(resolved: config.Resolved) -> list[str]:
    """The bindings that win, macros replaced by what they stand for."""
    macros = gin_macros.definitions(resolved.bindings)
    return sorted(
        provenance.without_folders(f"{name} = {_literal(binding.value, macros)!r}")
        for name, binding in gin_checks.winning(resolved.bindings).items()
        if binding.macro is None and name not in _OF_THE_RUN
    )


def _literal(value: Any, macros: gin_macros.Macros) -> Any:
    value = gin_macros.resolve(value, macros)
    if isinstance(value, list | tuple):
        return type(value)(_literal(item, macros) for item in value)
    if isinstance(value, dict):
        return {_literal(key, macros): _literal(item, macros) for key, item in value.items()}
    if isinstance(value, gin_parsing.Reference) and value.selector in gin_parsing.MACRO_SELECTORS:
        return _literal(gin_parsing.Macro(value.scope), macros)
    return value


def _file_digest(path: str) -> str:
    return sharing.once("digest", sharing.version(path), lambda: _read_digest(path), keep=1000)


def _read_digest(path: str) -> str:
    with tf.io.gfile.GFile(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
