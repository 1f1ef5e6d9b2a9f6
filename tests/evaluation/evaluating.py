"""An export of the bundled run, and the command that evaluates it."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import launch
from tests import testing

RUN = testing.TESTDATA / "bert_tiny"
DATA = testing.TESTDATA / "sentences"
SOURCE = (f"--pretraining_dir={RUN}", f"--vocab_file={RUN}/vocab.txt", "--do_lower_case")
ALBERT = (
    f"--pretraining_dir={testing.TESTDATA}/albert_tiny",
    f"--sp_model_file={testing.TESTDATA}/spm/spm.model",
)
_QUICK = (
    "fine_tuning.train_steps = 10",
    "fine_tuning.seq_length = 24",
    "fine_tuning.learning_rate = 5e-4",
    "evaluate.seeds = [3]",
)


def export(path: pathlib.Path, *arguments: str, source: Sequence[str] = SOURCE) -> pathlib.Path:
    """Exports a bundled run, all of it unless `arguments` say otherwise."""
    command = ("launch.py", f"--export_path={path}", "--export_type=all", "--verify=off", *source)
    assert launch.run([*command, *arguments]) == 0
    return path


def arguments(
    path: pathlib.Path, output_dir: pathlib.Path, *bindings: str, source: Sequence[str] = SOURCE
) -> list[str]:
    """Returns the command that evaluates an export in ten steps of one seed."""
    files = (
        "evaluate.task = @text_files()",
        f"text_files.train_file = '{DATA}/train.tsv'",
        f"text_files.validation_file = '{DATA}/validation.tsv'",
    )
    return [
        *("launch.py", "--mode=evaluate", f"--export_path={path}", f"--output_dir={output_dir}"),
        *source,
        *(f"--gin_params={binding}" for binding in (*files, *_QUICK, *bindings)),
    ]


def results(folder: pathlib.Path) -> dict[str, Any]:
    """Returns what an evaluation found."""
    return dict(json.loads((folder / "results.json").read_text(encoding="utf-8")))


def copied(path: pathlib.Path, to: pathlib.Path) -> pathlib.Path:
    """Copies an export, or a part of it over another one."""
    return pathlib.Path(shutil.copytree(path, to, dirs_exist_ok=True))


def change_values(encoder: pathlib.Path, change: Any) -> None:
    """Changes the values of an encoder's SavedModel.

    Args:
      encoder: Its folder.
      change: Changes arrays, in place, by the variables' names.
    """
    names = [variable.name for variable in tf.saved_model.load(str(encoder)).variables]
    prefix = f"{encoder}/variables/variables"
    reader = tf.train.load_checkpoint(prefix)
    stored = {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
    places = {key: key.split("/.ATTRIBUTES")[0].split("/") for key in stored}
    by_name: dict[str, np.ndarray] = {
        names[int(place[-1])]: stored[key]
        for key, place in places.items()
        if place[-2:-1] == ["variables"] and int(place[-1]) < len(names)  # The head's follow.
    }
    change(by_name)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(stored),
        shape_and_slices=[""] * len(stored),
        tensors=list(map(tf.constant, stored.values())),
    )
