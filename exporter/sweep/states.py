"""What is known of each export of a sweep, so that a rerun makes only what is missing.

It is kept beside the export, in `NAME.record/export.json`, from when that begins. An export counts
as complete only while its files are those that were written.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from exporter import errors, folders, manifests, shared_files
from exporter.sweep import jobs, kept_texts

STARTED, SUCCEEDED, FAILED = "started", "succeeded", "failed"
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class State:
    """What became of one export.

    Attributes:
      name: Its name in the sweep.
      status: STARTED, SUCCEEDED or FAILED.
      digest: The digest of what it was made from, `jobs.Job.digest`.
      values: What it is in the sweep, by the axes' labels.
      message: Why it failed.
      seconds: How long it took.
      bytes: The size of all its files.
      saved_model_bytes: The size of its files `saved_model.pb`.
      load_seconds: How long it took to load, where it was verified, or one of equal graphs.
      verification: "passed", "failed" or "off".
      checks_passed: How many checks passed.
      max_difference: The largest difference to its source.
      step: The global step of the checkpoint, where there is one.
      scores: Its scores, where it was scored, by their names.
      files: Size and time of modification of each of its files, by relative path.
      manifests: The SHA-256 of each of its manifests, which have those of all other files, by
        relative path.
      stops: Whether it failed for want of room, so that the sweep cannot go on.
    """

    name: str
    status: str
    digest: str
    values: Mapping[str, Any]
    message: str | None = None
    seconds: float | None = None
    bytes: int | None = None
    saved_model_bytes: int | None = None
    load_seconds: float | None = None
    verification: str | None = None
    checks_passed: int | None = None
    max_difference: float | None = None
    step: int | None = None
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
    files: Mapping[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    manifests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stops: bool = False


def read(record: str) -> State | None:
    """Reads what is known of an export.

    Args:
      record: The folder beside the export.

    Returns:
      None where nothing is known, or not by this version.
    """
    path = f"{record}/{jobs.STATE_FILE}"
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as file:
        data = file.read()
    try:
        content = json.loads(data)
        if content.pop("version") != _VERSION:
            return None
        files = {name: (size, time) for name, (size, time) in content.pop("files").items()}
        return State(**content, files=files)
    except (ValueError, TypeError, LookupError, AttributeError):
        return None  # Written by nobody that is known: to be made again.


def write(record: str, state: State) -> None:
    """Keeps what is known of an export: at any moment the old text is there or the new one.

    Args:
      record: The folder beside the export.
      state: What is known.

    Raises:
      UserError: There is no room or permission.
    """
    text = json.dumps({"version": _VERSION, **dataclasses.asdict(state)}, indent=1)
    kept_texts.replace(f"{record}/{jobs.STATE_FILE}", f"{text}\n")


def why(job: jobs.Job, state: State | None) -> str | None:
    """Says why an export is to be made; None if it is complete.

    Args:
      job: The export.
      state: What is known of it.
    """
    if state is None:
        return "missing"
    if state.status == STARTED:
        return "interrupted"
    if state.digest != job.digest:
        return "changed"
    if state.status == FAILED:
        return "failed before"
    return None if is_intact(job.path, state) else "damaged"


def is_intact(path: str, state: State) -> bool:
    """Whether an export's files are those that were written.

    Files of the same size and time of modification are; others are compared with the digests in
    the manifests.

    Args:
      path: The export.
      state: What is known of it.
    """
    if not state.files:
        return False
    there = files(path)
    if there == state.files:
        return True
    if there.keys() != state.files.keys():
        return False
    try:
        if state.manifests and manifest_digests(path) != state.manifests:
            return False
        return not damages(path)
    except errors.UserError:  # A manifest is damaged itself.
        return False


def damages(path: str) -> list[str]:
    """Compares an export's files with the digests in its manifests.

    Args:
      path: The export, which is there.

    Returns:
      One line for each file that is missing, has been added or is another.

    Raises:
      UserError: A manifest is none that this version can read.
    """
    of_file = manifests.digest if folders.is_remote(path) else shared_files.digest
    found = manifests.of_export(path)
    lines = [] if found else ["there is no manifest"]
    for folder, manifest in found.items():
        part = f"{os.path.basename(folder)}/" if folder != path else ""
        lines += [f"{part}{line}" for line in manifests.differences(folder, manifest, of_file)]
    return lines


def manifest_digests(path: str) -> dict[str, str]:
    """Returns the SHA-256 of each manifest of an export, by relative path."""
    names = [f"{folder}/{manifests.FILE}"[len(path) + 1 :] for folder in manifests.of_export(path)]
    return {name: manifests.digest(f"{path}/{name}")["sha256"] for name in names}


def files(path: str) -> dict[str, tuple[int, int]]:
    """Returns size and time of modification of each file below a folder, by relative path."""
    found = {}
    for folder, _, names in tf.io.gfile.walk(path):
        for name in names:
            file = f"{folder.rstrip('/')}/{name}"
            found[file[len(path.rstrip("/")) + 1 :]] = _size_and_time(file)
    return found


def _size_and_time(file: str) -> tuple[int, int]:
    if "://" in file:
        remote = tf.io.gfile.stat(file)
        return remote.length, remote.mtime_nsec
    status = os.stat(file)  # TensorFlow gives no parts of seconds.
    return status.st_size, status.st_mtime_ns
