"""The manifest inside an export: what it was made from, and the digests of its files.

`assets.extra/export_manifest.json` holds no time, no path and no name of a machine: the same inputs
give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from exporter import errors, files, folder_entries

FILE = "assets.extra/export_manifest.json"
# Of the manifest's own form; to be raised when a reader of the old one would be wrong.
_VERSION = 1
_SLICE_BYTES = 1 << 20


def write(path: str, origin: Mapping[str, Any], files: Mapping[str, Any] | None = None) -> None:
    """Adds the manifest to a SavedModel that is complete but for it.

    Args:
      path: The SavedModel's folder.
      origin: What it was made from, see `provenance.origin`.
      files: What `digests` returns for it, if that is known.
    """
    files = digests(path) if files is None else files
    manifest = {"manifest_version": _VERSION, **origin, "files": files}
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    tf.io.gfile.makedirs(f"{path}/{FILE.rpartition('/')[0]}")
    with tf.io.gfile.GFile(f"{path}/{FILE}", "w") as file:
        file.write(f"{text}\n")


def read(path: str) -> dict[str, Any] | None:
    """Reads the manifest of a SavedModel.

    Args:
      path: The SavedModel's folder.

    Returns:
      None if it has none.

    Raises:
      UserError: It is no manifest that this version can read.
    """
    file = f"{path}/{FILE}"
    if not tf.io.gfile.exists(file):
        return None
    data = files.read_bytes(file, setting="export.export_path")
    try:
        manifest = json.loads(data)
        version = manifest["manifest_version"]
        listed = manifest["files"]
        well_formed = all({"sha256", "size"} <= listed[name].keys() for name in listed)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        well_formed, version = False, f"{type(error).__name__}: {error}"
    if not well_formed or version != _VERSION:
        raise errors.UserError(
            f"An export's manifest must be of version {_VERSION}, with the digests of all files.",
            example="the file as it was exported",
            received=f"{file} ({version})",
        )
    return manifest


def of_export(path: str) -> dict[str, dict[str, Any]]:
    """Reads the manifests of an export.

    Args:
      path: A SavedModel, or the folder of several.

    Returns:
      The manifests by the SavedModels' paths.

    Raises:
      UserError: One is no manifest that this version can read.
    """
    path = path.rstrip("/")
    names = tf.io.gfile.listdir(path) if tf.io.gfile.isdir(path) else []
    folders = [path, *(f"{path}/{name.rstrip('/')}" for name in sorted(names))]
    found = {folder: read(folder) for folder in folders}
    return {folder: manifest for folder, manifest in found.items() if manifest is not None}


def digest(file: str) -> dict[str, Any]:
    """Returns size and SHA-256 of a file."""
    found, size = hashlib.sha256(), 0
    for piece in _slices(file):
        found.update(piece)
        size += len(piece)
    return {"sha256": found.hexdigest(), "size": size}


def differences(
    path: str, manifest: Mapping[str, Any], of_file: Callable[[str], dict[str, Any]] = digest
) -> list[str]:
    """Compares a SavedModel's files with the manifest.

    Args:
      path: The SavedModel's folder.
      manifest: Its manifest, as `read` returns it.
      of_file: Returns size and SHA-256 of a file.

    Returns:
      One line for each file that is missing, has been added or is another, by name.
    """
    expected, got = manifest["files"], digests(path, of_file)
    lines = []
    for name in sorted(expected.keys() | got.keys()):
        if name not in got:
            lines.append(f"{name} is missing")
        elif name not in expected:
            lines.append(f"{name} was added")
        elif got[name] != {key: expected[name][key] for key in got[name]}:
            sizes = got[name]["size"], expected[name]["size"]
            what = "has other bytes" if sizes[0] == sizes[1] else f"has {sizes[0]} bytes, not "
            lines.append(f"{name} {what}{'' if sizes[0] == sizes[1] else sizes[1]}")
    return lines


def digests(
    path: str, of_file: Callable[[str], dict[str, Any]] = digest
) -> dict[str, dict[str, Any]]:
    """Returns size and SHA-256 of each file of a SavedModel but the manifest, by relative path.

    Args:
      path: The SavedModel's folder.
      of_file: Returns them for one file.
    """
    return {
        name: of_file(f"{path}/{name}") for name in folder_entries.read(path).files if name != FILE
    }


def _slices(file: str) -> Iterator[bytes]:
    with tf.io.gfile.GFile(file, "rb") as stream:
        while piece := stream.read(_SLICE_BYTES):
            yield piece
