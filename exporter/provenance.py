"""What an export was made from, as plain data for its manifest and its model card."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from typing import Any

import gin
import tensorflow as tf

from exporter import (
    comparison,
    cross_checks,
    encoder_configs,
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
        "vocabulary": _vocabulary(plan.text),
        "verification": _verification(plan.chosen.verify, checks),
        "gin": gin_text().splitlines(),
        "packages": packages(),
    }
    if restoration is not None and plan.source is not None:
        found["checkpoint"] = _checkpoint(restoration)
        found["encoder"] = _encoder(plan.source.architecture)
    if seq_length is not None:
        found["seq_length"] = seq_length
    return found


def _checkpoint(restoration: restorations.Restoration) -> dict[str, Any]:
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


def _encoder(architecture: encoder_configs.Architecture) -> dict[str, Any]:
    # Of an encoder that gin makes, the gin text says the rest.
    return {
        "type": architecture.type,
        "config": _plain(architecture.encoder.as_dict()),
        "mlm_activation": architecture.mlm_activation,
    }


def _vocabulary(text: cross_checks.Text) -> dict[str, Any]:
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
        "checks": [check.name for check in checks],
        "limit": comparison.LIMIT,
    }


def gin_text() -> str:
    """Returns gin's bindings, one a line, without folders and what says nothing of the result."""
    text = gin.config_str(max_line_length=_ONE_LINE)
    own = re.compile(rf"(exporter\.)?export\.({'|'.join(_OF_THE_RUN)}) = ")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return "".join(f"{without_folders(line)}\n" for line in lines if not own.match(line))


def without_folders(line: str) -> str:
    """Cuts folders off the paths between quotes in a line of gin; patterns are no paths."""
    return re.sub(r"(['\"])[^'\"*+?()\[\]|\\]*/([^'\"/*+?()\[\]|\\]+)/?(?=\1)", r"\1\2", line)


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
