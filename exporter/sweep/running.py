"""Runs one export of a sweep: the same on every launcher."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import time
import traceback
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from exporter import config, errors, folder_locks, folders, manifests
from exporter.sweep import jobs, states

LOG = "log.txt"
_ROOT = "exporter.export"
_GRAPH = "saved_model.pb"
_logger = logging.getLogger(__name__)


def run(job: jobs.Job, *, wait: bool) -> states.State | None:
    """Makes an export, unless it is complete.

    Args:
      job: The export.
      wait: Whether to wait while another sweep makes the same one.

    Returns:
      What became of it, which is also written beside it; None if another sweep is making it.
    """
    tf.io.gfile.makedirs(job.record)
    held = None
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
    status, message = states.SUCCEEDED, None
    scores: dict[str, float] = {}
    with _logged(f"{job.record}/{LOG}"):
        try:
            _export(job)
            for measure in job.measures:
                scores.update(measure.of(job.path))
        except (errors.UserError, errors.VerificationError) as error:
            status, message = states.FAILED, str(error)
            _logger.info("error: %s", error)
        except Exception as error:  # noqa: BLE001 (whatever it is, the other exports go on)
            status, message = states.FAILED, f"{type(error).__name__}: {error}"
            _logger.info("%s", traceback.format_exc())
    seconds = round(time.perf_counter() - start, 3)
    found = _found(job) if status == states.SUCCEEDED else {}
    return states.State(
        job.name,
        status,
        job.digest,
        job.values,
        message=message,
        seconds=seconds,
        scores=scores,
        **found,
    )


def _export(job: jobs.Job) -> None:
    resolved = config.resolve(config.Config(bindings=job.bindings), _ROOT)
    resolved.apply()
    resolved.run()
    resolved.record(job.record)


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
    }


def _step(job: jobs.Job) -> int | None:
    for manifest in manifests.of_export(job.path).values():
        if "checkpoint" in manifest:
            return manifest["checkpoint"]["step"]
    return None


class _Log(io.TextIOBase):
    """A text stream that is written to a file of `tf.io.gfile`."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, text: str) -> int:
        self._file.write(text)
        self._file.flush()  # To be read while the export runs, and after it was killed.
        return len(text)


@contextlib.contextmanager
def _logged(path: str) -> Iterator[None]:
    """While open, what is logged and printed goes to a file, and nowhere else."""
    logger = logging.getLogger("exporter")
    handlers, level, propagates = logger.handlers, logger.level, logger.propagate
    with tf.io.gfile.GFile(path, "w") as file:
        stream = _Log(file)
        logger.handlers = [logging.StreamHandler(stream)]
        logger.setLevel(min(level or logging.INFO, logging.INFO))
        logger.propagate = False  # Or the root's handlers would say it once more.
        try:
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                yield
        finally:
            logger.handlers = handlers
            logger.setLevel(level)
            logger.propagate = propagates
