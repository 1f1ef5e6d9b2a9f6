"""The global steps of the checkpoints that a pre-training run has saved, without TensorFlow."""

from __future__ import annotations

import re

from exporter import errors, gin_files


def steps(directory: str, where: str) -> list[int]:
    """Returns the global steps, lowest first.

    Args:
      directory: The run's directory.
      where: Where its checkpoints were asked for, for errors.

    Raises:
      UserError: There is none.
    """
    directory = directory.rstrip("/")
    files = gin_files.matching(directory, "ckpt-*.index", where) or []
    matches = (re.fullmatch(r"ckpt-(\d+)\.index", path.rpartition("/")[2]) for path in files)
    found = sorted(int(match[1]) for match in matches if match)
    if not found:
        raise errors.UserError(
            "All checkpoints of a run: there must be some, ckpt-STEP.index.",
            example="--pretraining_dir=/models/bert_run",
            received=directory,
            where=where,
        )
    return found
