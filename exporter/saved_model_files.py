"""Which files of a SavedModel cannot be read, before TensorFlow reads them.

TensorFlow waits for a named pipe until somebody writes, takes as much of a device as there is
memory, and tells of a damaged file by what it stumbles over, or not at all.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator

import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2

from exporter import errors, folder_entries, manifests, ordinary_files, tensor_bundles

_GRAPH, _FINGERPRINT = "saved_model.pb", "fingerprint.pb"
_INDEX = "variables/variables.index"
_FILES = (_GRAPH, _FINGERPRINT, "keras_metadata.pb", _INDEX, manifests.FILE)
_FOLDERS = ("variables", "assets", "assets.extra")
_MEGABYTE = 1 << 20
# Of each message, Protocol Buffers read less than 2 GB; vocabularies have some megabytes.
_LIMITS = {
    _GRAPH: 2048 * _MEGABYTE - 1,
    _FINGERPRINT: _MEGABYTE,
    _INDEX: 64 * _MEGABYTE,
    manifests.FILE: _MEGABYTE,
}
_ASSET_BYTES = 512 * _MEGABYTE
# Of `inflated_files`.
_ZLIB = ".zlib"
_PLAIN_NAME = re.compile(r"(?!\.{1,2}$)[^/\0]+")


def unreadable(path: str) -> list[str]:
    """Finds the files that cannot be read, or not as what they are.

    Args:
      path: The SavedModel's folder.

    Returns:
      One line for each, with its name relative to the folder. Where a file cannot be opened, it is
      not said what else is wrong.
    """
    return list(_not_to_be_opened(path)) or [
        *_graph(path),
        *_fingerprint(path),
        *_variables(path),
        *_compressed(path),
        *_manifest(path),
    ]


def _not_to_be_opened(path: str) -> Iterator[str]:
    for name in (*_FILES, *(f"assets/{name.rstrip('/')}" for name in _listed(f"{path}/assets"))):
        if tf.io.gfile.isdir(f"{path}/{name}"):
            yield f"{name} is a folder"
    for name in _FOLDERS:
        if tf.io.gfile.exists(f"{path}/{name}") and not tf.io.gfile.isdir(f"{path}/{name}"):
            yield f"{name} is no folder"
    for name in folder_entries.read(path).files:
        full = os.path.join(path, name)
        if os.path.islink(full) and not os.path.exists(full):
            yield f"{name} is a link to nothing"
            continue
        limit = _ASSET_BYTES if name.startswith("assets") else None
        unfit = ordinary_files.why_not(full, _LIMITS.get(name, limit))
        if unfit is not None:
            yield f"{name} is no ordinary file of its kind ({unfit})"


def _listed(folder: str) -> list[str]:
    return sorted(tf.io.gfile.listdir(folder)) if tf.io.gfile.isdir(folder) else []


def _read(file: str) -> bytes:
    with tf.io.gfile.GFile(file, "rb") as stream:
        return stream.read()


def _graph(path: str) -> Iterator[str]:
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(_read(f"{path}/{_GRAPH}"))
    except message.DecodeError:
        yield f"{_GRAPH} is damaged, or no SavedModel"
        return
    if not saved_model.meta_graphs:
        yield f"{_GRAPH} is empty, or cut off"
    names = {asset.filename for graph in saved_model.meta_graphs for asset in graph.asset_file_def}
    for name in sorted(names):
        if not _PLAIN_NAME.fullmatch(name):
            yield f"{_GRAPH} names an asset outside of assets/: {name!r}"
        elif not tf.io.gfile.exists(f"{path}/assets/{name}"):
            yield f"assets/{name} is missing"


def _fingerprint(path: str) -> Iterator[str]:
    file = f"{path}/{_FINGERPRINT}"
    if not tf.io.gfile.exists(file):
        return
    try:
        if fingerprint_pb2.FingerprintDef.FromString(_read(file)).ByteSize():
            return
    except message.DecodeError:
        pass
    yield f"{_FINGERPRINT} is damaged, or no fingerprint"


def _variables(path: str) -> Iterator[str]:
    if not tf.io.gfile.exists(f"{path}/{_INDEX}"):
        return
    try:
        entries = tensor_bundles.read_entries(f"{path}/{_INDEX.removesuffix('.index')}")
    except tensor_bundles.BundleFormatError as error:
        text = str(error).replace(f"{path}/", "")
        yield text if "variables/" in text else f"{_INDEX}: {text}"
        return
    ends: dict[str, int] = {}
    for entry in entries.values():
        ends[entry.data_file] = max(ends.get(entry.data_file, 0), entry.offset + entry.size)
    for file, end in ends.items():
        length = tf.io.gfile.stat(file).length
        if length > end + _MEGABYTE:
            yield f"{file.removeprefix(f'{path}/')} has {length} bytes, of which {end} are values"


def _compressed(path: str) -> Iterator[str]:
    for name in _listed(f"{path}/assets"):
        if name.endswith(_ZLIB) and not _is_whole(_read(f"{path}/assets/{name}")):
            yield f"assets/{name} is damaged: it cannot be decompressed"


def _is_whole(data: bytes) -> bool:
    decompressor = zlib.decompressobj()
    try:
        while data and not decompressor.eof:
            decompressor.decompress(data, _MEGABYTE)
            data = decompressor.unconsumed_tail
    except zlib.error:
        return False
    return decompressor.eof


def _manifest(path: str) -> Iterator[str]:
    try:
        manifests.read(path)
    except errors.UserError as error:
        yield f"{manifests.FILE} is damaged, or of another version ({error.rule})"
