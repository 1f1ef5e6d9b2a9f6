"""Finds the checkpoints of a folder, which a trainer may be writing to meanwhile.

A trainer writes a checkpoint's data, then its index, then its name into the file `checkpoint`, and
then removes the oldest one. So what that file names is complete, and anything newer may not be.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import tensorflow as tf

from exporter import findings, ordinary_files

# How often the file `checkpoint` is read again where what it names has just been removed.
_ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class Newest:
    """The newest checkpoint of a folder.

    Attributes:
      prefix: Its prefix, the path without ".index".
      found: What is to be said of how it was picked.
    """

    prefix: str
    found: tuple[findings.Finding, ...] = ()


def prefixes_in(folder: str) -> list[str]:
    """Lists the prefixes of the checkpoints in a folder, numbered ones by their numbers."""
    if not tf.io.gfile.isdir(folder):
        return []
    names = [name for name in tf.io.gfile.listdir(folder) if name.endswith(".index")]
    prefixes = [f"{folder.rstrip('/')}/{name.removesuffix('.index')}" for name in names]
    return sorted(prefixes, key=lambda prefix: (_stem(prefix), _number(prefix) or 0))


def numbered(folder: str, stem: str) -> dict[int, str]:
    """Returns the prefixes of the checkpoints named STEM-NUMBER by their numbers, lowest first."""
    there = ((_number(prefix), prefix) for prefix in prefixes_in(folder) if _stem(prefix) == stem)
    return {number: prefix for number, prefix in there if number is not None}


def newest(folder: str) -> Newest | None:
    """Picks the checkpoint that the folder's file `checkpoint` names, or else the last in number.

    Args:
      folder: A folder.

    Returns:
      None where there is no checkpoint, or several of which nothing tells the newest.
    """
    named, unfit, there = None, None, []
    for _ in range(_ATTEMPTS):
        # The name first: what it names is complete when the folder is listed.
        named, unfit = _named(folder)
        there = prefixes_in(folder)
        if named is None or named in there:
            break
    if named in there:
        return Newest(named, tuple(_newer(named, there)))
    if len({_stem(prefix) for prefix in there}) != 1:
        return None
    if named is not None:
        unfit = f"names {_name(named)}, which is not there"
    found = []
    if unfit is not None:
        text = f"{folder.rstrip('/')}/checkpoint {unfit}; taken is {_name(there[-1])}"
        found.append(findings.Finding("checkpoint", text, is_warning=True))
    return Newest(there[-1], tuple(found))


def _named(folder: str) -> tuple[str | None, str | None]:
    """Returns the prefix that the file `checkpoint` names, as it would be in this folder.

    The file may hold the path of another machine, or the one before the folder was moved.

    Returns:
      The prefix, or None, and why there is none though there is the file.
    """
    file = f"{folder.rstrip('/')}/checkpoint"
    unfit = ordinary_files.why_not(file, ordinary_files.CONFIGURATION_BYTES)
    if unfit is not None:
        return None, f"is no ordinary file ({unfit})"
    if not tf.io.gfile.exists(file) or tf.io.gfile.isdir(file):
        return None, None
    name = _stated(folder)
    if not name:
        return None, "is damaged: it names no checkpoint"
    return f"{folder.rstrip('/')}/{name}", None


def _stated(folder: str) -> str | None:
    try:
        state = tf.train.get_checkpoint_state(folder)
    except ValueError:  # It names nothing, or is no text.
        return None
    return _name(state.model_checkpoint_path) if state else None


def _newer(named: str, there: Sequence[str]) -> list[findings.Finding]:
    """Says which checkpoints of the same kind have higher numbers."""
    number = _number(named)
    if number is None:
        return []
    newer = [p for p in there if _stem(p) == _stem(named) and (_number(p) or 0) > number]
    if not newer:
        return []
    names = ", ".join(_name(prefix) for prefix in newer)
    text = f"{names} not taken: the file `checkpoint` does not name it, it may be incomplete"
    return [findings.Finding("checkpoint", text, is_warning=True)]


def _name(prefix: str) -> str:
    return prefix.rpartition("/")[2]


def _stem(prefix: str) -> str:
    return re.sub(r"-\d+$", "", _name(prefix))


def _number(prefix: str) -> int | None:
    match = re.search(r"-(\d+)$", _name(prefix))
    return int(match[1]) if match else None
