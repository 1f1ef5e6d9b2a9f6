"""Reads the directory that a TF-NLP pre-training run leaves behind.

`python -m official.nlp.train --model_dir=DIR` writes params.yaml before training, checkpoints
`ckpt-<global step>` while it trains, and, if asked to, the best one by a metric to a subfolder, as
`best_ckpt-<save counter>` with its step and metric in info.json.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from exporter import checkpoints, errors, files, settings

_DIRECTORY = "pretraining.pretraining_dir"
_CHECKPOINT = "pretraining.checkpoint"


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run's directory says.

    Attributes:
      params_file: Its params.yaml.
      checkpoint_prefix: The chosen checkpoint.
      vocab_file: The vocabulary that its training data names, or None.
      seq_length: The sequence length of its training data, or None.
      model: What it trained: `task.model`, as it stands there.
    """

    params_file: str
    checkpoint_prefix: str
    vocab_file: str | None
    seq_length: int | None
    model: Mapping[str, Any]


def read(pretraining: settings.PretrainingSettings) -> Run:
    """Reads a run's directory and picks its checkpoint.

    Raises:
      UserError: It is no run's directory, or has no such checkpoint.
    """
    directory = (pretraining.pretraining_dir or "").rstrip("/")
    params_file = f"{directory}/params.yaml"
    if not tf.io.gfile.exists(params_file):
        raise errors.UserError(
            "A pre-training run's directory must hold params.yaml, which the trainer writes there.",
            example="--pretraining_dir=/models/bert_run",
            received=directory,
            setting=_DIRECTORY,
        )
    params = files.read_yaml(params_file, setting=_DIRECTORY)
    task = _mapping(params, "task")
    data = _mapping(task, "train_data")
    return Run(
        params_file=params_file,
        checkpoint_prefix=_checkpoint(directory, pretraining.checkpoint),
        vocab_file=_existing(data.get("vocab_file_path") or data.get("vocab_file")),
        seq_length=data.get("seq_length"),
        model=_mapping(task, "model"),
    )


def _mapping(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, Mapping) else {}


def _existing(path: Any) -> str | None:
    return path if isinstance(path, str) and path and tf.io.gfile.exists(path) else None


def _checkpoint(directory: str, which: str | int) -> str:
    steps, best = _steps(directory), _best(directory)
    prefix = None
    if which == "latest":
        prefix = tf.train.latest_checkpoint(directory)
        if prefix is None or not tf.io.gfile.exists(f"{prefix}.index"):
            prefix = steps[max(steps)] if steps else None
    elif which == "best":
        prefix = best
    elif isinstance(which, int):
        prefix = steps.get(which)
    if prefix is not None:
        return prefix
    there = [str(step) for step in sorted(steps)] + (["best"] if best else [])
    raise errors.UserError(
        "--checkpoint must be latest, best, or a global step that the run has saved.",
        example=f"--checkpoint={there[-1]}" if there else "a run that has saved a checkpoint",
        received=f"{which!r}; {directory} has {', '.join(there) or 'no checkpoint'}",
        setting=_CHECKPOINT if there else _DIRECTORY,
    )


def _steps(directory: str) -> dict[int, str]:
    """The checkpoints of a directory by global step."""
    steps = {}
    for prefix in checkpoints.prefixes_in(directory):
        match = re.fullmatch(r".*/ckpt-(\d+)", prefix)
        if match:
            steps[int(match[1])] = prefix
    return steps


def _best(directory: str) -> str | None:
    """The best checkpoint, which stands with its info.json in a subfolder."""
    for name in sorted(tf.io.gfile.listdir(directory)):
        folder = f"{directory}/{name.rstrip('/')}"
        if tf.io.gfile.isdir(folder) and tf.io.gfile.exists(f"{folder}/info.json"):
            prefix = tf.train.latest_checkpoint(folder)
            if prefix is not None and tf.io.gfile.exists(f"{prefix}.index"):
                return prefix
            there = [p for p in checkpoints.prefixes_in(folder) if "/best_ckpt-" in p]
            if there:
                return there[-1]
    return None
