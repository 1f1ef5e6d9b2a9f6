"""What an evaluation was begun with: it goes on with nothing else."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import gin
import tensorflow as tf

from exporter import (
    builders,
    code_digests,
    errors,
    gin_state,
    ingredients,
    plans,
    product_keys,
    provenance,
)
from exporter.evaluation import examples, settings

_BEGUN_WITH = "begun_with.json"
_EXPORTED = ("saved_model.pb", "variables/variables.index", "assets/*")


def of_options(task: examples.Examples, options: settings.FineTuning) -> dict[str, Any]:
    """Returns what fine-tunings have in common, by name.

    Args:
      task: The examples.
      options: How both arms are fine-tuned.
    """
    steps = options.steps(len(task.train))
    found = dataclasses.asdict(options)
    del found["epochs"], found["train_steps"]  # They are the steps.
    found["validation_interval"] = options.interval(steps)
    return {"classes": list(task.classes), "metric": task.metric, "steps": steps, **found}


def of_plan(plan: plans.Plan, path: str, task: examples.Examples) -> dict[str, str]:
    """Returns digests of what can be told without building the encoder, by name.

    Folders and times do not count. Indexes of values hold the checksums of all of them.

    Args:
      plan: What the export was made from.
      path: The export.
      task: The examples.
    """
    assert plan.source is not None
    architecture = plan.source.architecture
    tokenizer = dataclasses.replace(plan.tokenizer, vocab_file=None, sp_model_file=None)
    packing = dataclasses.replace(plan.chosen.preprocessing, default_seq_length=None)
    # What encoders of a user's own are made of.
    registered = [entry.wrapped for _, entry in gin.config._REGISTRY.items()]
    modules = {made.__module__ for made in [*registered, *builders.bound()]}
    described = {
        "encoder configuration": [
            architecture.type,
            architecture.encoder.as_dict(),
            architecture.pooled_output,
            gin_state.of_encoders(),
        ],
        "casing, accents or special tokens": tokenizer,
        "truncation or padding": packing,
        "weights of the checkpoint": plan.chosen.checkpoint.weights,
        "packages": provenance.packages(),
        "code": code_digests.of_imported(sorted(modules)),
    }
    return {
        "exported encoder": _files_digest(os.path.join(path, "encoder")),
        "exported preprocessing": _files_digest(os.path.join(path, "preprocessing")),
        "checkpoint": _digest([_content(f"{plan.source.checkpoint.prefix}.index")]),
        "vocabulary": _digest([_content(plan.text.path)]),
        "examples": task.digest(),
        **{name: _digest([repr(value)]) for name, value in described.items()},
    }


def of_encoder(built: ingredients.Built) -> dict[str, str]:
    """Returns digests of what is known of an encoder once it is built, by name.

    Args:
      built: The encoder, and where its values come from.
    """
    found, layer = built.restoration, built.encoder.pooler_layer
    shape = None if layer is None else tuple(layer.kernel.shape)
    keys = [found.keys.get(variable.ref()) for variable in built.encoder.variables]
    return {
        "pooler": _digest([repr(product_keys.pooler(found.pooler, shape))]),
        "values of the checkpoint": _digest([repr((found.weights, keys))]),
    }


def is_begun(folder: str) -> bool:
    """Whether anything was trained in a folder."""
    return bool(glob.glob(os.path.join(glob.escape(folder), "seed_*")))


def require(folder: str, begun_with: Mapping[str, Any]) -> None:
    """Compares with what the evaluation in a folder was begun with, if there is one.

    Args:
      folder: The folder.
      begun_with: What is known of this evaluation, by name.

    Raises:
      UserError: Something is another.
    """
    if not is_begun(folder):
        return
    try:
        with open(os.path.join(folder, _BEGUN_WITH), encoding="utf-8") as file:
            before = json.load(file)
        others = [name for name in sorted(begun_with) if begun_with[name] != before.get(name)]
        told = f"{folder}, with another {', '.join(others)}"
    except (OSError, ValueError, AttributeError) as error:
        others, told = [_BEGUN_WITH], f"{folder}, whose {_BEGUN_WITH} cannot be read: {error}"
    if others:
        raise errors.UserError(
            "An evaluation goes on only with what it was begun with; another one needs another "
            "folder.",
            example=f"--output_dir={folder}.2",
            received=told,
            setting="evaluate.output_dir",
        )


def note(folder: str, begun_with: Mapping[str, Any]) -> None:
    """Notes what the evaluation in a folder is of, unless it was begun before.

    Args:
      folder: The folder, made where it does not exist.
      begun_with: All that `require` is to compare, by name.
    """
    if is_begun(folder):
        return
    os.makedirs(folder, exist_ok=True)
    _write(os.path.join(folder, "parsed.gin"), f"{gin.config_str().strip()}\n")
    _write(os.path.join(folder, _BEGUN_WITH), json.dumps(begun_with, indent=2))


def _write(path: str, text: str) -> None:
    """Writes a file that is there as a whole or not at all."""
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def _files_digest(path: str) -> str:
    found = [
        name for pattern in _EXPORTED for name in tf.io.gfile.glob(os.path.join(path, pattern))
    ]
    named = [os.path.relpath(name, path).encode() for name in sorted(found)]
    return _digest([*named, *map(_content, sorted(found))])


def _content(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        return bytes(file.read())


def _digest(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(b"%d\n" % len(content) + content)
    return digest.hexdigest()
