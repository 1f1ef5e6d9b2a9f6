"""What an export is made from, as digests: whether it is to be made again is decided by them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from exporter import (
    code_digests,
    config,
    gin_parsing,
    plans,
    provenance,
    sharing,
)

# No part of what the encoder is built from.
_NOT_OF_ENCODERS = (
    "export.",
    "preprocessing.",
    "text_embedding.",
    "tokenizer.",
    "warmup.",
    "checks.",
)
# Of which checkpoint the values are, the group says.
_NOT_OF_GRAPHS = (
    "export.pooler",
    "export.verify",
    "checks.",
    "checkpoint.",
    "pretraining.checkpoint",
)
_POOLER = "exporter.export.pooler = @"
_OF_POOLERS = re.compile(r"([^ =]*/)?exporter\.\w+_pooler\.")


def lines(made_of: Mapping[str, Any]) -> list[str]:
    """Returns what says what an export is as lines of gin, without folders; see `effects.values`"""
    return sorted(provenance.without_folders(f"{n} = {value!r}") for n, value in made_of.items())


def digest(resolved: config.Resolved, said: Sequence[str], plan: plans.Plan) -> str:
    """Returns a digest of a point's configuration, of the files that it names and of code.

    Code is that of modules of a user's own that gin imports, with what they import of that kind.
    Folders do not count, nor how macros are called.

    Args:
      resolved: The configuration.
      said: What it says of the export, see `lines`.
      plan: The files that it names, read.
    """
    described: dict[str, Any] = {
        "gin": list(said),
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


def group(said: Sequence[str], plan: plans.Plan) -> str:
    """Returns a text that is equal for exports with the same encoder and checkpoint."""
    if plan.source is None:
        return plan.text.path
    kept = _without(_NOT_OF_ENCODERS, said)
    prefix = plan.source.checkpoint.prefix
    return "\n".join([repr(plan.source.architecture.encoder.as_dict()), *kept, prefix])


def graphs(said: Sequence[str]) -> str:
    """Returns a text that is equal for exports of an encoder that differ in values alone."""
    return "\n".join(_without(_NOT_OF_GRAPHS, said))


def _without(left_out: Sequence[str], said: Sequence[str]) -> list[str]:
    """Leaves out lines that begin so, and those that say something of poolers.

    These are the exporter's own, whichever of them the export has, for other points may have the
    others; and the one that it has.
    """
    parts = tuple(f"exporter.{name}" for name in left_out)
    poolers = [line.removeprefix(_POOLER) for line in said if line.startswith(_POOLER)]
    of_pooler = [f".{name.rpartition('/')[2].rpartition('.')[2]}." for name in poolers]
    return [
        line
        for line in said
        if not line.startswith(parts)
        and not _OF_POOLERS.match(line)
        and not any(name in line.partition(" = ")[0] for name in of_pooler)
    ]


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


def _file_digest(path: str) -> str:
    return sharing.once("digest", sharing.version(path), lambda: _read_digest(path), keep=1000)


def _read_digest(path: str) -> str:
    with tf.io.gfile.GFile(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
