"""What an export was made from, as plain data for its manifest and its model card."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import gin
import tensorflow as tf

from exporter import (
    choices,
    comparison,
    cross_checks,
    plans,
    reports,
    restorations,
    tensor_bundles,
)

_PACKAGES = ("gin-config", "tensorflow", "tensorflow-text", "tf-keras", "tf-models-official")
# They say where and whether, not what.
_OF_THE_RUN = ("export_path", "overwrite", "show", "dry_run", "verify")
_ONE_LINE = 1 << 20


def origin(
    kind: str,
    plan: plans.Plan,
    restoration: restorations.Restoration | None,
    checks: Iterable[reports.Check],
    *,
    seq_length: int | None = None,
) -> dict[str, Any]:
    """Describes what a SavedModel was made from.

    Args:
      kind: What it is, a value of `export.export_type` other than "all".
      plan: What it was made from.
      restoration: Where its variables' values came from, if it has any.
      checks: What was verified; all of it passed.
      seq_length: Where it takes text: the length of sequences by default.
    """
    found: dict[str, Any] = {
        "kind": kind,
        "vocabulary": vocabulary(plan.text),
        "verification": _verification(plan.chosen.verify, checks),
        "gin": gin_text(folders(plan.chosen)).splitlines(),
        "packages": packages(),
    }
    if restoration is not None and plan.source is not None:
        found["checkpoint"] = checkpoint(restoration)
        found["encoder"] = encoder(plan)
    if kind == "text_embedding":
        found["text_embedding"] = dataclasses.asdict(plan.chosen.text_embedding)
    if seq_length is not None:
        found["seq_length"] = seq_length
    return found


def folders(chosen: choices.Choices) -> tuple[str, ...]:
    """Returns the folders that were chosen.

    Args:
      chosen: The choices; a checkpoint may be a folder, or the prefix of files.
    """
    given = (chosen.pretraining.pretraining_dir, chosen.checkpoint.model_checkpoint_path)
    return tuple(path for path in given if path and tf.io.gfile.isdir(path))


def checkpoint(restoration: restorations.Restoration) -> dict[str, Any]:
    """Describes the stored values that were used.

    Args:
      restoration: Where they came from.
    """
    entries = restoration.checkpoint.entries
    used = {key: entries[key] for key in restoration.keys.values()}
    return {
        "name": _last_part(restoration.checkpoint.prefix),
        "kind": restoration.kind,
        "step": restoration.checkpoint.step,
        "weights": restoration.weights,
        "num_values": len(used),
        "values_sha256": _values_digest(used),
        "pooler": restoration.pooler.name,
    }


def _values_digest(entries: Mapping[str, tensor_bundles.Entry]) -> str:
    """A digest of keys, dtypes, shapes and the checksums that the checkpoint has of the values."""
    lines = (
        f"{key} {entry.dtype.name} {list(entry.shape)} {entry.size} {entry.checksum:08x}\n"
        for key, entry in sorted(entries.items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def encoder(plan: plans.Plan) -> dict[str, Any]:
    """Describes the architecture; of an encoder that gin makes, the gin text says the rest.

    Args:
      plan: What is exported, with an encoder.
    """
    assert plan.source is not None
    architecture = plan.source.architecture
    bypassed = plan.chosen.encoder.bypassed
    return {
        "type": architecture.type,
        "config": {} if bypassed else _plain(architecture.encoder.as_dict()),
        "mlm_activation": architecture.mlm_activation,
    }


def vocabulary(text: cross_checks.Text) -> dict[str, Any]:
    """Describes a vocabulary.

    Args:
      text: The vocabulary.
    """
    with tf.io.gfile.GFile(text.path, "rb") as stream:
        digest = hashlib.sha256(stream.read()).hexdigest()
    return {
        "name": _last_part(text.path),
        "sha256": digest,
        "num_pieces": len(text.pieces),
        "do_lower_case": text.lower_case,
        "special_tokens": text.special_ids(),
    }


def _verification(level: str, checks: Iterable[reports.Check]) -> dict[str, Any]:
    # Without the differences found, which are those of one machine.
    return {
        "level": level,
        "verdict": "not verified" if level == "off" else "passed",
        "checks": [check.name for check in checks],
        "limit": comparison.LIMIT,
    }


def gin_text(chosen: Iterable[str] = ()) -> str:
    """Returns gin's bindings, one a line, without folders and what says nothing of the result.

    Args:
      chosen: Folders of which not even the names are told.
    """
    text = gin.config_str(max_line_length=_ONE_LINE)
    own = re.compile(rf"(exporter\.)?export\.({'|'.join(_OF_THE_RUN)}) = ")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    known = tuple(chosen)
    return "".join(f"{without_folders(line, known)}\n" for line in lines if not own.match(line))


def without_folders(line: str, chosen: Collection[str] = ()) -> str:
    """Cuts folders off the paths between quotes in a line of gin; patterns and tokens are no paths.

    Args:
      line: The line.
      chosen: Of these, not even the names are told.
    """
    known = {folder.rstrip("/") for folder in chosen}

    def cut(match: re.Match[str]) -> str:
        path = match[2].rstrip("/")
        return f"{match[1]}{'.' if path in known else _last_part(path) or match[2]}"

    return re.sub(r"(['\"])([^'\"*+?()\[\]|\\<>]+)(?=\1)", cut, line)


@functools.cache
def packages() -> dict[str, str]:
    """Returns the versions of the packages that an export depends on, by name."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _plain(value: Any) -> Any:
    """Makes JSON's types of what a configuration may hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, str | int | float | bool | None):
        return value
    return getattr(value, "__qualname__", type(value).__qualname__)
