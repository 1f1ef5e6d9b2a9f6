"""Reads the small text files that users name: YAML and JSON, never executing what they hold."""

from __future__ import annotations

import json
from typing import Any

import tensorflow as tf
import yaml

from exporter import errors


class _Loader(yaml.SafeLoader):
    """The safe loader, and the one Python tag that TF-NLP's trainer writes: a tuple."""


def _construct_tuple(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _construct_tuple)


def read_text(path: str, *, setting: str) -> str:
    """Reads a UTF-8 text file.

    Args:
      path: A path that `tf.io.gfile` can read.
      setting: The gin name that the path was bound to, for the error.

    Raises:
      UserError: There is no such file, it cannot be read or is not text.
    """
    try:
        if tf.io.gfile.isdir(path):
            raise errors.UserError(
                "A file is needed here, not a folder.", received=path, setting=setting
            )
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read().decode("utf-8")
    except tf.errors.NotFoundError:
        raise errors.UserError("The file must exist.", received=path, setting=setting) from None
    except tf.errors.OpError as error:
        raise errors.UserError(
            "The file must be readable.", received=f"{path} ({error.message})", setting=setting
        ) from None
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
    text = read_text(path, setting=setting)
    try:
        content = yaml.load(text, Loader=_Loader)
    # PyYAML checks neither a date's numbers nor what stands behind !!int, !!float and !!bool.
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as error:
        raise errors.UserError(
            "The file must be valid YAML.", received=f"{path}: {error}", setting=setting
        ) from None
    return _mapping(content, path, "YAML", "type: bert\nbert: {num_layers: 12}", setting)


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
