"""What is in a SavedModel's folder: which files, what they tell of a machine, which ops."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from collections.abc import Iterator

import tensorflow as tf

from exporter import contracts, errors, loaded_models, manifests, serving_ops

# What TF Hub allows in a SavedModel's folder; Keras adds metadata of its own.
_ALLOWED = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb"
    r"|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|assets/[^/]+|assets\.extra/[^/]+"
)
_REQUIRED = ("saved_model.pb", "variables/variables.index")
# Folders that no file of an export should name: absolute paths in text as it is stored, also where
# TensorFlow makes them a part of a name (`hash_table_/tmp/...`).
_PATH = re.compile(
    rb"(?<![A-Za-z0-9./:-])/(?:home|root|Users|tmp|var|mnt|work|data|usr|opt|private|cns)/[\w./+@-]{3,}"
)
_CHUNK = 1 << 24
_OVERLAP = 1 << 10
# Shorter names may be there for other reasons.
_SHORTEST_NAME = 6


def files(path: str) -> dict[str, str]:
    """Returns the files of a folder by their names relative to it, in alphabetical order."""
    found = {}
    for folder, _, names in tf.io.gfile.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            found[os.path.relpath(full, path)] = full
    return dict(sorted(found.items()))


def files_are_allowed(model: loaded_models.Model) -> str:
    """The folder has the files of a SavedModel and no others."""
    names = files(model.path)
    strays = [name for name in names if not _ALLOWED.fullmatch(name)]
    contracts.require(not strays, f"stray: {', '.join(strays)}")
    missing = [name for name in _REQUIRED if name not in names]
    contracts.require(not missing, f"missing: {', '.join(missing)}")
    return f"{len(names)} files"


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


def _chunks(path: str) -> Iterator[bytes]:
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def graph_names_no_machine(model: loaded_models.Model) -> str:
    """The graph and the names of files tell of no folder, host or user."""
    names = files(model.path)
    return _require_silent(
        {
            n: f
            for n, f in names.items()
            if not n.startswith(("variables/variables.data", "assets/"))
        },
        names,
    )


def no_file_names_a_machine(model: loaded_models.Model) -> str:
    """No file tells of a folder, host or user."""
    names = files(model.path)
    return _require_silent({n: f for n, f in names.items() if not n.startswith("assets/")}, names)


def _require_silent(read: dict[str, str], names: dict[str, str]) -> str:
    words = [word.encode() for word in _machine()]
    for name in names:
        contracts.require(not any(w in name.encode() for w in words), f"the name {name}")
    for name, full in read.items():
        previous = b""
        for chunk in _chunks(full):
            content = previous + chunk
            told = _PATH.search(content)
            # Weights may look like anything.
            if told is not None and ".data-" not in name:
                raise contracts.Broken(f"{name} has {told.group().decode(errors='replace')}")
            word = next((word for word in words if word in content), None)
            if word is not None:
                raise contracts.Broken(f"{name} has {word.decode()}")
            previous = chunk[-_OVERLAP:]
    return f"{len(read)} files read"


def _machine() -> set[str]:
    """What would tell of this machine."""
    words = {os.path.expanduser("~"), socket.gethostname()}
    with contextlib.suppress(FileNotFoundError):  # It has been removed.
        words.add(os.getcwd())
    with contextlib.suppress(KeyError, OSError):  # The user has no name.
        words.add(getpass.getuser())
    return {word for word in words if len(word) >= _SHORTEST_NAME}


def ops_can_be_served(model: loaded_models.Model) -> str:
    """TensorFlow Serving has all ops."""
    found = serving_ops.check(model.path)
    contracts.require(bool(found.passed), found.found)
    return found.found


def no_links(model: loaded_models.Model) -> str:
    """Assets are plain files, not links."""
    linked = [name for name, full in files(model.path).items() if os.path.islink(full)]
    contracts.require(not linked, f"links: {', '.join(linked)}")
    return "no links"
