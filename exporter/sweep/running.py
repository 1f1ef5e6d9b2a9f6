"""Runs one export of a sweep: the same on every launcher."""

from __future__ import annotations

import errno
import gc
import json
import logging
import os
import time
import traceback
from typing import Any

import tensorflow as tf

from exporter import config, errors, folder_locks, folders, kept_models, manifests, sharing
from exporter.sweep import jobs, kept_texts, run_logs, states

LOG = "log.txt"
_ROOT = "exporter.export"
_GRAPH = "saved_model.pb"
# File systems that have nothing to wait for.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)
# How many files are known to be on the disk.
_KEPT = 1000
_logger = logging.getLogger(__name__)


def run(job: jobs.Job, *, wait: bool) -> states.State | None:
    """Makes an export, unless it is complete.

    Args:
      job: The export.
      wait: Whether to wait while another sweep makes the same one.

    Returns:
      What became of it, which is also written beside it, unless there is no room for that; None if
      another sweep is making it.
    """
    try:
        return _locked(job, wait=wait)
    except errors.UserError as error:  # What is known of it cannot be written.
        return states.State(
            job.name, states.FAILED, job.digest, job.values, message=error.received, stops=True
        )


def _locked(job: jobs.Job, *, wait: bool) -> states.State | None:
    """Makes an export, and no other sweep does it meanwhile.

    Raises:
      UserError: There is no room or permission for what is known of it.
    """
    held = None
    with kept_texts.telling(job.record):
        tf.io.gfile.makedirs(job.record)
        if not folders.is_remote(job.record):
            held = folder_locks.lock(job.record, wait=wait)
            if held is None:
                return None
    try:
        state = states.read(job.record)
        # Another sweep may have made it meanwhile.
        if state is not None and states.why(job, state) is None:
            return state
        states.write(job.record, states.State(job.name, states.STARTED, job.digest, job.values))
        state = _made(job)
        states.write(job.record, state)
        return state
    finally:
        if held is not None:
            os.close(held)


def _made(job: jobs.Job) -> states.State:
    start = time.perf_counter()
    status, message, stops = states.SUCCEEDED, None, False
    found: dict[str, Any] = {}
    with run_logs.opened(f"{job.record}/{LOG}"):
        try:
            _export(job)
            found = {"scores": _measured(job), **_found(job)}
            _require_lasting(job)
        except (errors.UserError, errors.VerificationError) as error:
            status, message, stops = states.FAILED, str(error), kept_texts.is_no_room(error)
            _logger.info("error: %s", error)
        except Exception as error:  # noqa: BLE001 (whatever it is, the other exports go on)
            status, message = states.FAILED, f"{type(error).__name__}: {error}"
            stops = kept_texts.is_no_room(error)
            _logger.info("%s", traceback.format_exc())
        if status == states.FAILED:
            found = {}
        # Functions and graphs are full of cycles, which would pile up; and what TensorFlow says of
        # objects when they go, belongs here, too.
        gc.collect()
    seconds = round(time.perf_counter() - start, 3)
    return states.State(
        job.name,
        status,
        job.digest,
        job.values,
        message=message,
        seconds=seconds,
        stops=stops,
        **found,
    )


def _export(job: jobs.Job) -> None:
    resolved = config.resolve(config.Config(bindings=job.bindings), _ROOT)
    resolved.apply()
    resolved.run()
    resolved.record(job.record)


def _measured(job: jobs.Job) -> dict[str, float]:
    """Measures what is asked for of an export that is complete."""
    if job.measures:
        kept_models.drop()  # What is measured is loaded once more.
    return {name: s for measure in job.measures for name, s in measure.of(job.path).items()}


def _found(job: jobs.Job) -> dict[str, Any]:
    """What is known of an export that is complete."""
    files = states.files(job.path)
    with tf.io.gfile.GFile(f"{job.record}/report.json", "r") as file:
        reports = json.load(file)
    checks = [check for report in reports for check in report["checks"]]
    differences = [c["difference"] for c in checks if c["difference"] is not None]
    loads = [report["load_seconds"] for report in reports if "load_seconds" in report]
    return {
        "bytes": sum(size for size, _ in files.values()),
        "saved_model_bytes": sum(
            size for name, (size, _) in files.items() if name.rpartition("/")[2] == _GRAPH
        ),
        "load_seconds": round(sum(loads), 3) if loads else None,
        "verification": "passed" if reports else "off",
        "checks_passed": sum(check["status"] == "passed" for check in checks),
        "max_difference": max(differences, default=None),
        "step": _step(job),
        "files": files,
        "manifests": states.manifest_digests(job.path),
    }


def _require_lasting(job: jobs.Job) -> None:
    """Checks that an export's files are those that were verified, and has them written to the disk.

    Other exports link them, and whoever writes to one of these writes to all. Without power, a file
    may have its size and time, and none of its bytes.

    Raises:
      VerificationError: They are others.
    """
    lines = states.damages(job.path)
    if lines:
        raise errors.VerificationError(
            f"What was verified has been changed meanwhile: {'; '.join(lines)}"
        )
    if not folders.is_remote(job.path):
        for name in states.files(job.path):
            _sync(f"{job.path}/{name}")


def _sync(file: str) -> None:
    status = os.stat(file)

    def sync() -> bool:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
        finally:
            os.close(descriptor)
        return True

    sharing.once("synced", (status.st_dev, status.st_ino, status.st_mtime_ns), sync, keep=_KEPT)


def _step(job: jobs.Job) -> int | None:
    for manifest in manifests.of_export(job.path).values():
        if "checkpoint" in manifest:
            return manifest["checkpoint"]["step"]
    return None
