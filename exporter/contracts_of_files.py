"""What is in a SavedModel's folder: which files, whether they belong together, which ops."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2

from exporter import (
    canonical,
    contracts,
    errors,
    folder_entries,
    loaded_models,
    manifests,
    saved_models,
    serving_ops,
    tensor_bundles,
    warmups,
)

# What TF Hub allows in a SavedModel's folder; Keras adds metadata of its own.
_ALLOWED = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb"
    r"|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|assets/[^/]+|assets\.extra/[^/.][^/]*"
)
_FOLDERS = ("variables", "assets", "assets.extra")
_INDEX = "variables/variables.index"
_REQUIRED = ("saved_model.pb", _INDEX)
_FINGERPRINT = "fingerprint.pb"
_HASHES = (
    "saved_model_checksum",
    "graph_def_program_hash",
    "signature_def_hash",
    "saved_object_graph_hash",
    "checkpoint_hash",
)
_LISTED = 5


def files(path: str) -> dict[str, str]:
    """Returns the files of a folder by their names relative to it, in alphabetical order."""
    return {name: os.path.join(path, name) for name in folder_entries.read(path).files}


def files_are_allowed(model: loaded_models.Model) -> str:
    """The folder has the files of a SavedModel and no others, and no other folders."""
    entries = folder_entries.read(model.path)
    missing = [name for name in _REQUIRED if name not in entries.files]
    contracts.require(not missing, f"missing: {', '.join(missing)}")
    known = _assets(model.path) | _data_files(model.path)
    strays = [name for name in entries.files if not _is_known(name, known)]
    strays += [f"{name}/" for name in entries.folders if name not in _FOLDERS]
    contracts.require(not strays, f"stray: {_listed(strays)}")
    return f"{len(entries.files)} files"


def _is_known(name: str, known: set[str]) -> bool:
    """Whether a file is allowed; assets and data files are those that other files name."""
    if name.startswith(("assets/", "variables/variables.data-")):
        return name in known
    return _ALLOWED.fullmatch(name) is not None


def _assets(path: str) -> set[str]:
    graphs = saved_models.read_graph(path).meta_graphs
    return {f"assets/{asset.filename}" for graph in graphs for asset in graph.asset_file_def}


def _data_files(path: str) -> set[str]:
    prefix = os.path.join(path, _INDEX.removesuffix(".index"))
    return {os.path.relpath(file, path) for file in tensor_bundles.data_files(prefix)}


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def files_are_the_manifests(model: loaded_models.Model) -> str:
    """Sizes and digests of all files are those that the export's manifest says."""
    try:
        manifest = manifests.read(model.path)
    except errors.UserError as error:
        raise contracts.Broken(f"{error.rule} ({error.received})") from error
    if manifest is None:
        raise contracts.NotChecked(f"there is no {manifests.FILE}")
    differences = manifests.differences(model.path, manifest)
    contracts.require(not differences, "; ".join(differences))
    return f"{len(manifest['files'])} files"


def fingerprint_is_no_others(model: loaded_models.Model) -> str:
    """Something of what the fingerprint tells of the files is so."""
    agreeing, others = _compared_hashes(model.path)
    contracts.require(bool(agreeing) or not others, "nothing in it is of these files")
    return f"{len(agreeing)} of {len(_HASHES)} hashes are those of the files"


def fingerprint_is_of_files(model: loaded_models.Model) -> str:
    """All that the fingerprint tells of the files is so."""
    agreeing, others = _compared_hashes(model.path)
    contracts.require(not others, f"not of these files: {', '.join(others)}")
    return f"{len(agreeing)} hashes"


def _compared_hashes(path: str) -> tuple[list[str], list[str]]:
    """Returns which of the fingerprint's hashes are those of the files, and which are not."""
    file = os.path.join(path, _FINGERPRINT)
    if not tf.io.gfile.exists(file):
        raise contracts.NotChecked(f"there is no {_FINGERPRINT}")
    computed = canonical.fingerprint_of_files(path)
    with tf.io.gfile.GFile(file, "rb") as stream:
        stored = fingerprint_pb2.FingerprintDef.FromString(stream.read())
    if computed is None or stored.version.producer != computed.version.producer:
        raise contracts.NotChecked("it is of another version of TensorFlow")
    agreeing = [name for name in _HASHES if getattr(stored, name) == getattr(computed, name)]
    return agreeing, [name for name in _HASHES if name not in agreeing]


def warmup_can_be_answered(model: loaded_models.Model) -> str:
    """The signatures take the requests that TF Serving begins with; it fails where they do not."""
    if not tf.io.gfile.exists(os.path.join(model.path, warmups.FILE)):
        return "there are none"
    requests = list(warmups.read(model.path))
    contracts.require(bool(requests), f"{warmups.FILE} has no request")
    known = [request for request in requests if request is not None]
    smallest: dict[str, dict[str, tf.Tensor]] = {}
    for name, inputs in known:
        contracts.require(name in model.loaded.signatures, f"there is no signature {name!r}")
        for told in _misfits(model.loaded.signatures[name], inputs):
            raise contracts.Broken(f"{name}: {told}")
        if name not in smallest or _size(inputs) < _size(smallest[name]):
            smallest[name] = inputs
    for name, inputs in smallest.items():
        model.loaded.signatures[name](**inputs)
    others = len(requests) - len(known)
    return f"{len(known)} requests{f', {others} of kinds not looked at' if others else ''}"


def _misfits(
    signature: tf.types.experimental.ConcreteFunction, inputs: loaded_models.Inputs
) -> Iterator[str]:
    specs = signature.structured_input_signature[1]
    if set(inputs) != set(specs):
        yield f"{', '.join(sorted(inputs)) or 'nothing'}, not {', '.join(sorted(specs))}"
        return
    for key, tensor in inputs.items():
        if not specs[key].is_compatible_with(tensor):
            yield f"{key} is {tensor.dtype.name} {tensor.shape}"


def _size(inputs: loaded_models.Inputs) -> int:
    return sum(int(tf.size(tensor)) for tensor in inputs.values())


def ops_can_be_served(model: loaded_models.Model) -> contracts.Found:
    """TensorFlow Serving has all ops."""
    found = serving_ops.check(model.path)
    contracts.require(bool(found.passed), found.found)
    return contracts.Found(found.found, tuple(found.listed))


def no_links(model: loaded_models.Model) -> str:
    """Files and folders are plain ones, not links."""
    linked = folder_entries.read(model.path).links
    contracts.require(not linked, f"links: {_listed(linked)}")
    return "no links"
