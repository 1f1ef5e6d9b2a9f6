"""Reads the directory that a TF-NLP pre-training run leaves behind.

`python -m official.nlp.train --model_dir=DIR` writes params.yaml before training, checkpoints
`ckpt-<global step>` while it trains, and, if asked to, the best one by a metric to a subfolder, as
`best_ckpt-<save counter>` with its step and metric in info.json.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from exporter import checkpoint_folders, checkpoints, errors, files, findings, sharing

_DIRECTORY = "pretraining.pretraining_dir"
_CHECKPOINT = "pretraining.checkpoint"


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run's directory says.

    Attributes:
      directory: The directory.
      params: Its params.yaml.
    """

    directory: str
    params: Mapping[str, Any]

    @property
    def params_file(self) -> str:
        """The path of its params.yaml."""
        return f"{self.directory}/params.yaml"

    @property
    def model(self) -> Mapping[str, Any]:
        """What it trained: `task.model`, as it stands there."""
        return _mapping(_mapping(self.params, "task"), "model")

    @property
    def seq_length(self) -> int | None:
        """The sequence length of its training data, or None."""
        length = self._train_data.get("seq_length")
        return length if isinstance(length, int) and length > 0 else None

    @property
    def recorded_vocab_file(self) -> str | None:
        """The vocabulary that its training data names, wherever that is, or None."""
        path = self._train_data.get("vocab_file_path") or self._train_data.get("vocab_file")
        return path if isinstance(path, str) and path else None

    @property
    def _train_data(self) -> Mapping[str, Any]:
        return _mapping(_mapping(self.params, "task"), "train_data")

    @property
    def _trainer(self) -> Mapping[str, Any]:
        return _mapping(self.params, "trainer")

    def vocab_file(self) -> str | None:
        """Returns the vocabulary that its training data names, or None if it names none.

        A relative path was meant from the trainer's working directory, which nothing records.

        Raises:
          UserError: It is not where the path leads from here, nor in the run's directory.
        """
        recorded = self.recorded_vocab_file
        if recorded is None:
            return None
        name = recorded.rpartition("/")[2]
        places = dict.fromkeys(
            (recorded, f"{self.directory}/{recorded.lstrip('/')}", f"{self.directory}/{name}")
        )
        for path in places:
            if tf.io.gfile.exists(path):
                return path
        raise errors.UserError(
            "The vocabulary that the run recorded is not here and must be given.",
            example=f"--vocab_file=/path/to/{name}",
            received=f"{recorded} in {self.params_file}; none of {', '.join(places)} exists",
            setting="tokenizer.vocab_file",
        )

    def pick(self, which: str | int) -> checkpoint_folders.Newest:
        """Picks a checkpoint.

        Args:
          which: "latest", "best" or a global step.

        Raises:
          UserError: The run has no such checkpoint.
        """
        if which != "latest" or "://" in self.directory:  # There, folders may have no times.
            return self._pick(which)
        paths = self.directory, f"{self.directory}/checkpoint"
        key = (self.directory, *map(sharing.version, paths))
        return sharing.once("latest checkpoint", key, lambda: self._pick(which))

    def _pick(self, which: str | int) -> checkpoint_folders.Newest:
        if which == "latest":
            picked = checkpoint_folders.newest(self.directory)
        elif which == "best":
            picked = self._best()
        else:
            prefix = self._steps().get(which) if isinstance(which, int) else None
            picked = checkpoint_folders.Newest(prefix) if prefix else None
        if picked is None:
            raise self._no_such_checkpoint(which)
        text = f"{picked.prefix}, {_phrase(which)}; the run has {self._there()}"
        taken = findings.Finding("checkpoint", text)
        return checkpoint_folders.Newest(picked.prefix, (taken, *picked.found))

    def _steps(self) -> dict[int, str]:
        return checkpoint_folders.numbered(self.directory, "ckpt")

    def _best(self) -> checkpoint_folders.Newest | None:
        """Picks the best checkpoint, which stands with its info.json in a subfolder."""
        folders = list(self._best_folders())
        if len(folders) > 1:
            raise errors.UserError(
                "Best checkpoints are in several folders; name the one to take.",
                example=f"--model_checkpoint_path={folders[0]}",
                received=", ".join(folders),
                setting=_CHECKPOINT,
            )
        picked = checkpoint_folders.newest(folders[0]) if folders else None
        if picked is None:
            return None
        return checkpoint_folders.Newest(picked.prefix, (*picked.found, *self._why_best(picked)))

    def _why_best(self, best: checkpoint_folders.Newest) -> Iterator[findings.Finding]:
        """Says by what it is the best one, and whether info.json is of this one.

        The trainer writes info.json before the checkpoint.
        """
        path = f"{best.prefix.rpartition('/')[0]}/info.json"
        if not tf.io.gfile.exists(path):
            return
        info = files.read_json(path, setting=_DIRECTORY)
        metric: Any = self._trainer.get("best_checkpoint_eval_metric")
        value: Any = info
        for name in metric.split("|") if isinstance(metric, str) else ():
            value = value.get(name) if isinstance(value, Mapping) else None
        step, stored = info.get("best_ckpt_global_step"), checkpoints.read(best.prefix).stored_step
        if isinstance(value, float):
            yield findings.Finding("checkpoint", f"the best by {metric}: {value:.6g} ({path})")
        if isinstance(step, float) and stored is not None and step != stored:
            text = f"{path} is of step {step:.0f}, {best.prefix} of step {stored}"
            yield findings.Finding("checkpoint", text, is_warning=True)

    def _best_folders(self) -> Iterator[str]:
        """Yields the folder that params.yaml names, or else all that look like it."""
        named = self._trainer.get("best_checkpoint_export_subdir")
        names = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(self.directory))
        if isinstance(named, str) and named.strip("/"):
            names = [named.strip("/")]
        for name in names:
            folder = f"{self.directory}/{name}"
            if checkpoint_folders.numbered(folder, "best_ckpt"):
                yield folder

    def _there(self) -> str:
        """Names the checkpoints that are there."""
        names = [str(step) for step in self._steps()] + ["best"] * bool(list(self._best_folders()))
        return ", ".join(names) or "no checkpoint"

    def _no_such_checkpoint(self, which: str | int) -> errors.UserError:
        there = self._there().split(", ")
        steps = bool(self._steps())
        received = f"{which!r}; {self.directory} has {', '.join(there)}"
        if which == "best" and steps:
            received += " (the trainer keeps a best one with trainer.best_checkpoint_export_subdir)"
        return errors.UserError(
            "--checkpoint must be latest, best, or a global step that the run has saved.",
            example=f"--checkpoint={there[-1]}" if steps else "a run that has saved a checkpoint",
            received=received,
            setting=_CHECKPOINT if steps else _DIRECTORY,
        )


def read(pretraining_dir: str) -> Run:
    """Reads what a run's directory says.

    Args:
      pretraining_dir: The directory.

    Raises:
      UserError: It is no run's directory.
    """
    directory = pretraining_dir.rstrip("/")
    params_file = f"{directory}/params.yaml"
    if not tf.io.gfile.exists(params_file):
        raise errors.UserError(
            "A pre-training run's directory must hold params.yaml, which the trainer writes there.",
            example="--pretraining_dir=/models/bert_run",
            received=directory,
            setting=_DIRECTORY,
        )
    key = (directory, sharing.version(params_file))
    return sharing.once(
        "run", key, lambda: Run(directory, files.read_yaml(params_file, setting=_DIRECTORY))
    )


def _mapping(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, Mapping) else {}


def _phrase(which: str | int) -> str:
    return f"the {which} one" if isinstance(which, str) else f"of step {which}"
