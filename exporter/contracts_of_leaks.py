"""What the files of a SavedModel tell of a machine: paths, the names of host and user."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from exporter import (
    contracts,
    contracts_of_files,
    leaks,
    loaded_models,
    message_texts,
    products,
    saved_models,
    tensor_bundles,
)

_GRAPH, _PREFIX = "saved_model.pb", "variables/variables"
_DATA = f"{_PREFIX}.data-"
_CHUNK = 1 << 24
_OVERLAP = 1 << 10


def graph_names_no_machine(model: loaded_models.Model) -> str:
    """The graph and the names of files and values tell of no folder, storage, host or user."""
    names = contracts_of_files.files(model.path)
    _require_silent("the name", names)
    words = leaks.machine()
    # Exports of a sweep have graphs in common.
    key = products.digest(names[_GRAPH])["sha256"], words and words.pattern
    count = products.result("silent", key, lambda: _texts_of_silent_graph(model.path))
    keys = tensor_bundles.read_entries(os.path.join(model.path, _PREFIX))
    _require_silent(f"{_PREFIX}.index has", keys)
    return f"{count} texts in the graph, {len(names)} files, {len(keys)} values"


def _texts_of_silent_graph(path: str) -> int:
    """Returns how many texts are in a graph of which none tells of the machine."""
    texts, others = message_texts.find(saved_models.read_graph(path))
    _require_silent(f"{_GRAPH} has", texts)
    _require_silent(f"{_GRAPH} has", others, only_known=True)
    return len(texts) + len(others)


def no_file_names_a_machine(model: loaded_models.Model) -> str:
    """No other file tells of a folder, storage, host or user."""
    names = contracts_of_files.files(model.path)
    others = [n for n in names if n not in (_GRAPH, f"{_PREFIX}.index") and not _is_data(n)]
    for name in others:
        of_vocabulary = name.startswith("assets/")
        data = b"".join(_chunks(names[name]))
        _require_silent(f"{name} has", _lines(data, of_vocabulary), only_known=of_vocabulary)
    texts, pieces = _stored_texts(os.path.join(model.path, _PREFIX))
    _require_silent(f"{_PREFIX} has", texts)
    _require_silent(f"{_PREFIX} has", pieces, only_known=True)
    for name in filter(_is_data, names):
        _require_no_words(name, names[name])
    return f"{len(names) - 2} files read"


def _is_data(name: str) -> bool:
    return name.startswith(_DATA)


def _require_silent(where: str, texts: Iterable[str], *, only_known: bool = False) -> None:
    """Requires that texts tell of no machine.

    Args:
      where: What has them, for the message.
      texts: The texts.
      only_known: Whether they may look like paths, as pieces of vocabularies and names do.
    """
    words = leaks.machine()
    for text in sorted(texts):
        # Pieces may be words that are names, too.
        looked_at = words if not only_known or leaks.may_have(text) else None
        word = None if looked_at is None else looked_at.search(text)
        found = leaks.find(text, only_known=only_known) or (word and word.group())
        contracts.require(not found, f"{where} {found}")


def _lines(data: bytes, of_vocabulary: bool) -> list[str]:
    """Splits a file into texts; vocabularies that are no text have none to be looked at."""
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError:
        return [] if of_vocabulary else re.split(r"[\0-\x1f]+", data.decode(errors="replace"))


def _stored_texts(prefix: str) -> tuple[set[str], set[str]]:
    """Returns the strings among the values, as `message_texts.find` does."""
    reader = tf.train.load_checkpoint(prefix)
    strings = [
        key for key, dtype in reader.get_variable_to_dtype_map().items() if dtype == tf.string
    ]
    proto = graph_pb2.GraphDef()
    for key in strings:
        value = tf.make_tensor_proto(reader.get_tensor(key))
        proto.node.add(name=key).attr["value"].tensor.CopyFrom(value)
    return message_texts.find(proto)


def _require_no_words(name: str, file: str) -> None:
    """Looks for names alone: numbers may look like anything else."""
    words = leaks.machine()
    if words is None:
        return
    pattern = re.compile(words.pattern.encode())
    previous = b""
    for chunk in _chunks(file):
        found = pattern.search(previous + chunk)
        if found is not None:
            raise contracts.Broken(f"{name} has {found.group().decode()}")
        previous = chunk[-_OVERLAP:]


def _chunks(path: str) -> Iterator[bytes]:
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
