"""A process of the launcher `ray`, on whatever node of the cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import time
from typing import Any

import tensorflow as tf

from exporter import parts, provenance, sharing
from exporter.sweep import jobs, running, states

# What an export imports, imported before the first one.
_IMPORTED = parts
# How long it may take until a folder that was just made is seen on another node, in seconds.
_PATIENCE = 5.0


@dataclasses.dataclass(frozen=True)
class Unseen:
    """A job was not begun, since this node does not see its files.

    Attributes:
      path: What is not there.
    """

    path: str


class Worker:
    """Runs jobs, and keeps what they load for the next ones.

    Args:
      folder: The launcher's working directory, for relative paths.
      shared: The folder of files that several exports have, or None.
      threads: How many threads one operation may use.
    """

    def __init__(self, folder: str, shared: str | None, threads: int) -> None:
        if os.path.isdir(folder):
            os.chdir(folder)
        gc.freeze()
        # What `tf.config.threading` sets would be written into each export.
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
        self._kept = contextlib.ExitStack()  # For as long as the process lives.
        self._kept.enter_context(sharing.results(shared))

    def packages(self) -> dict[str, Any]:
        """Returns the versions of what exports depend on."""
        return dict(provenance.packages())

    def run(self, job: jobs.Job, *, wait: bool) -> states.State | Unseen | None:
        """Makes an export, unless it is complete.

        Args:
          job: The export. The launcher has made its record's folder.
          wait: Whether to wait while another sweep makes the same one.

        Returns:
          What became of it; None if another sweep is making it.
        """
        for path in (job.record, *job.reads):
            if not _is_seen(path):
                return Unseen(path)
        return running.run(job, wait=wait)


def _is_seen(path: str) -> bool:
    """Whether there is a file or folder, now or soon: a shared file system may take its time."""
    end = time.monotonic() + _PATIENCE
    while not tf.io.gfile.exists(path):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
