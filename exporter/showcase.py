"""Loads what was exported, as its users will, and prints what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the ops of preprocessing)

SENTENCES = ("The function returns a list of names.", "This method gives the names as a list.")


def show(path: str) -> str:
    """Describes an export.

    Args:
      path: A SavedModel, or a folder of `encoder`, `preprocessing`, ...

    Returns:
      Some lines of text: sizes, shapes, an embedding of two sentences where both an encoder and
      its preprocessing are there, and commands to try next.
    """
    parts = [path] if _is_saved_model(path) else _parts(path)
    loaded = {part: tf.saved_model.load(part) for part in parts}
    lines = ["", *(line for part in parts for line in _describe(part, loaded[part]))]
    preprocess = next((model for model in loaded.values() if _is_preprocessing(model)), None)
    encoder = next((model for model in loaded.values() if _name(model) == "encoder"), None)
    if preprocess is not None and encoder is not None:
        lines += _embedding(preprocess, encoder)
    lines += ["", "Try next:", *(f"  {command}" for command in _commands(parts, loaded))]
    return "\n".join(lines)


def _is_saved_model(path: str) -> bool:
    return tf.io.gfile.exists(os.path.join(path, "saved_model.pb"))


def _parts(path: str) -> list[str]:
    names = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(path))
    folders = [os.path.join(path, name) for name in names]
    return [folder for folder in folders if _is_saved_model(folder)]


def _is_preprocessing(model: Any) -> bool:
    return hasattr(model, "bert_pack_inputs")


def _name(model: Any) -> str:
    if _is_preprocessing(model):
        return "preprocess"
    inputs = model.signatures["serving_default"].structured_input_signature[1]
    return "embed" if "sentences" in inputs else "encoder"


def _describe(path: str, model: Any) -> Iterator[str]:
    sizes = {
        os.path.join(folder, name): tf.io.gfile.stat(os.path.join(folder, name)).length
        for folder, _, names in tf.io.gfile.walk(path)
        for name in names
    }
    graph = sizes[os.path.join(path, "saved_model.pb")]
    yield f"{path}: {sum(sizes.values()) / 1e6:.2f} MB, saved_model.pb {graph / 1e6:.2f} MB"
    if not _is_preprocessing(model):
        count = sum(int(np.prod(variable.shape)) for variable in model.variables)
        yield f"  {len(model.variables)} variables, {count:,} values"
    for name, signature in model.signatures.items():
        inputs = signature.structured_input_signature[1]
        yield f"  {name}: " + ", ".join(f"{n} {_shape(inputs[n])}" for n in sorted(inputs))
        for output, spec in sorted(signature.structured_outputs.items()):
            yield f"    -> {output} {_shape(spec)}"


def _shape(spec: tf.TensorSpec) -> str:
    return f"{spec.dtype.name}{['?' if size is None else size for size in spec.shape]}".replace(
        "'", ""
    )


def _embedding(preprocess: Any, encoder: Any) -> Iterator[str]:
    inputs = preprocess(tf.constant(SENTENCES))
    vectors = encoder(inputs)["pooled_output"].numpy()
    yield ""
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        head = " ".join(f"{value:+.3f}" for value in vector[:5])
        yield f"{sentence!r} -> [{head} ...] ({len(vector)} values)"
    cosine = np.dot(*vectors) / np.prod([np.linalg.norm(vector) for vector in vectors])
    yield f"cosine similarity {cosine:.3f}"


def _commands(parts: list[str], loaded: dict[str, Any]) -> Iterator[str]:
    for part in parts:
        yield f"{_name(loaded[part])} = tensorflow_hub.load({part!r})"
    yield f"saved_model_cli show --all --dir {parts[0]}"
    yield "python launch.py --help"
