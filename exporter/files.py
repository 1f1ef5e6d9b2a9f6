"""Reads the small text files that users name: YAML and JSON, never executing what they hold."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import tensorflow as tf
import yaml

from exporter import errors, ordinary_files, sharing

# What aliases of YAML may stand for altogether: configurations have some hundreds of values.
_YAML_VALUES = 100_000


class _Loader(yaml.SafeLoader):
    """The safe loader, and the one Python tag that TF-NLP's trainer writes: a tuple."""


def _construct_tuple(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _construct_tuple)


def read_bytes(
    path: str, *, setting: str, limit: int = ordinary_files.CONFIGURATION_BYTES
) -> bytes:
    """Reads a file.

    Args:
      path: A path that `tf.io.gfile` can read.
      setting: The gin name that the path was bound to, for the error.
      limit: How many bytes it may have.

    Raises:
      UserError: There is no such file, it cannot be read, is no ordinary file or too large.
    """
    try:
        if tf.io.gfile.isdir(path):
            raise errors.UserError(
                "A file is needed here, not a folder.", received=path, setting=setting
            )
        unfit = ordinary_files.why_not(path) or _too_large(path, limit)
        if unfit is not None:
            raise errors.UserError(
                "The file must be an ordinary one, and not too large for what it is.",
                received=f"{path} ({unfit})",
                setting=setting,
            )
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.NotFoundError:
        raise errors.UserError("The file must exist.", received=path, setting=setting) from None
    except tf.errors.OpError as error:
        raise errors.UserError(
            "The file must be readable.", received=f"{path} ({error.message})", setting=setting
        ) from None


def _too_large(path: str, limit: int) -> str | None:
    size = tf.io.gfile.stat(path).length
    return ordinary_files.too_large(size, limit) if size > limit else None


def read_text(path: str, *, setting: str) -> str:
    """Reads a UTF-8 text file.

    Raises:
      UserError: As `read_bytes`, or it is not text.
    """
    try:
        return read_bytes(path, setting=setting).decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.UserError(
            "The file must be text in UTF-8.", received=f"{path} ({error})", setting=setting
        ) from None


def read_yaml(path: str, *, setting: str) -> dict[str, Any]:
    """Reads a YAML file that holds one mapping.

    Raises:
      UserError: As `read_text`, or it is not valid YAML, holds tags other than python/tuple, or
        not a mapping.
    """
    key = (sharing.version(path), path, setting)
    # Nobody may change what others share.
    return copy.deepcopy(sharing.once("YAML", key, lambda: _read_yaml(path, setting)))


def _read_yaml(path: str, setting: str) -> dict[str, Any]:
    text = read_text(path, setting=setting)
    try:
        content = _yaml(text)
    # PyYAML checks neither a date's numbers nor what stands behind !!int, !!float and !!bool.
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as error:
        raise errors.UserError(
            "The file must be valid YAML.", received=f"{path}: {error}", setting=setting
        ) from None
    return _mapping(content, path, "YAML", "type: bert\nbert: {num_layers: 12}", setting)


def _yaml(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _num_values(node, {}) > _YAML_VALUES:
            raise yaml.YAMLError(
                f"more than {_YAML_VALUES:,} values, or an alias inside of what it stands for"
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _num_values(node: yaml.Node, known: dict[yaml.Node, float]) -> float:
    """Counts the values of a node, those that its aliases stand for each time anew."""
    if node not in known:
        known[node] = math.inf  # While it is counted: met again, it is inside of itself.
        parts = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        known[node] = 1 + sum(_num_values(part, known) for part in parts)
    return known[node]


def read_json(path: str, *, setting: str) -> dict[str, Any]:
    """Reads a JSON file that holds one object.

    Raises:
      UserError: As `read_text`, or it is not valid JSON or not an object.
    """
    text = read_text(path, setting=setting).removeprefix("\ufeff")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise errors.UserError(
            "The file must be valid JSON.", received=f"{path}: {error}", setting=setting
        ) from None
    return _mapping(content, path, "JSON", '{"hidden_size": 768, ...}', setting)


def _mapping(content: Any, path: str, kind: str, example: str, setting: str) -> dict[str, Any]:
    if isinstance(content, dict) and content:
        return content
    received = "nothing" if not content else type(content).__name__
    raise errors.UserError(
        f"The {kind} file must hold names with values.",
        example=example.replace("\n", "  "),
        received=f"{path} with {received}",
        setting=setting,
    )
