"""What is in an export's folder, and what is not."""

from __future__ import annotations

import getpass
import math
import pathlib
import re
import socket
import sys

import tensorflow as tf

from tests import testing
from tests.conformance import exports, goldens

_ALLOWED = re.compile(
    r"saved_model\.pb|fingerprint\.pb"
    r"|variables/variables\.(index|data-0000[01]-of-00002)"
    r"|assets/[^/]+|assets\.extra/export_manifest\.json"
)


def _files(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_dir()
    }


def _traces(folder: pathlib.Path) -> set[str]:
    """What would tell of the machine and of the folders where `folder` was made."""
    words = {folder.as_posix(), *folder.parts[1:], pathlib.Path.cwd().as_posix(), sys.prefix}
    words |= {pathlib.Path.home().as_posix(), getpass.getuser(), socket.gethostname()}
    # Shorter ones, and a user "root", may be there for other reasons.
    return {word for word in words if len(word) > 5}


@goldens.each(goldens.ALL)
def test_nothing_tells_of_the_machine(
    case: testing.Case, export_golden: exports.ExportCase
) -> None:
    export = export_golden(case)
    # Their names are the case's, and the export may say "bert" and "export".
    traces = _traces(export.path.parent.parent) | {str(export.path), str(export.files.folder)}
    assert any(exports.MARKER in trace for trace in traces)
    for name, content in _files(export.path).items():
        for trace in traces:
            assert trace.encode() not in content, name
            assert trace not in name


@goldens.each(goldens.ALL)
def test_files(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    names = set(_files(export.path))
    assert {name for name in names if not _ALLOWED.fullmatch(name)} == set()
    assert {"saved_model.pb", "variables/variables.index"} <= names
    assert [name for name in names if name.startswith("assets/")] == [
        f"assets/{export.files.vocabulary.name}"
    ]
    # Nothing is left beside it.
    beside = {path.name for path in export.path.parent.iterdir()}
    assert {name for name in beside if name.startswith(".")} == set()


@goldens.each(goldens.ALL)
def test_vocabulary(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    name, other = ("sp_model_file", "vocab_file")[:: 1 if case.sentencepiece else -1]
    asset = pathlib.Path(getattr(export.loaded, name).asset_path.numpy().decode())
    assert asset.read_bytes() == export.files.vocabulary.read_bytes()
    assert asset.is_relative_to(export.path)
    assert not hasattr(export.loaded, other)


@goldens.each(goldens.ALL)
def test_values_are_stored_once(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    prefix = str(export.path / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    stored = [name for name, dtype in dtypes.items() if dtype == tf.float32]
    variables = export.source.variables(with_mlm=case.has_masked_lm)

    assert sorted(shapes[name] for name in stored) == sorted(
        variable.shape.as_list() for variable in variables
    )
    weights = 4 * sum(math.prod(shapes[name]) for name in stored)
    graph = len(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    files = (export.path / "variables").glob("variables.data-*")
    length = sum(file.stat().st_size for file in files)
    # And a truth value, and what goes with a text.
    assert weights + graph <= length <= weights + graph + 64


def test_values_are_those_of_the_source_bit_by_bit(export_golden: exports.ExportCase) -> None:
    export = export_golden(goldens.named("bert"))
    reader = tf.train.load_checkpoint(str(export.path / "variables" / "variables"))
    dtypes = reader.get_variable_to_dtype_map()
    stored = sorted(
        reader.get_tensor(name).tobytes() for name, dtype in dtypes.items() if dtype == tf.float32
    )
    variables = export.source.variables(with_mlm=True)
    assert stored == sorted(variable.numpy().tobytes() for variable in variables)
