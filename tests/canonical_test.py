"""Two exports of the same are equal byte by byte, whatever else their processes did."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

import launch
from exporter import canonical
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
_ALBERT = testing.TESTDATA / "albert_tiny"
_FLAGS = {
    "bert": [
        f"--pretraining_dir={_RUN}",
        f"--vocab_file={_RUN}/vocab.txt",
        "--do_lower_case",
        "--tokenize_with_offsets",
        "--export_type=all",
    ],
    "albert": [
        f"--pretraining_dir={_ALBERT}",
        f"--sp_model_file={testing.TESTDATA}/spm/spm.model",
        "--export_type=all",
    ],
}
# Makes functions, tensors and layers before, so that all counters of the process differ.
_IN_ANOTHER_PROCESS = """
import sys
import exporter, launch
import tensorflow as tf
import tf_keras
for _ in range(29):
    tf.function(lambda x: x + 1)(tf.constant(1))
tf_keras.Sequential([tf_keras.layers.Dense(3), tf_keras.layers.Dropout(0.1)])(tf.ones([1, 2]))
sys.exit(launch.run(sys.argv))
"""


def _export(path: pathlib.Path, name: str, verify: str) -> None:
    flags = [*_FLAGS[name], f"--export_path={path}", f"--verify={verify}"]
    assert launch.run(["launch.py", *flags]) == 0


def _bytes(path: pathlib.Path) -> dict[str, bytes]:
    files = (file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.fixture(name="exports", scope="module", params=_FLAGS)
def _exports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pathlib.Path]:
    """Exports of the same, made one after the other, and one in another process and folder."""
    folder = tmp_path_factory.mktemp(request.param)
    exports = {"first": folder / "first", "second": folder / "second", "other": folder / "a" / "b"}
    _export(exports["first"], request.param, "off")
    _export(exports["second"], request.param, "quick")
    flags = [*_FLAGS[request.param], f"--export_path={exports['other']}", "--verify=off"]
    subprocess.run(
        [sys.executable, "-c", _IN_ANOTHER_PROCESS, *flags],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return exports


def _assert_equal(one: pathlib.Path, other: pathlib.Path, but: str | None = None) -> None:
    expected, got = _bytes(one), _bytes(other)
    assert expected.keys() == got.keys()
    # Names, for the bytes would fill pages.
    different = {name for name in expected if expected[name] != got[name]}
    assert {name.rpartition("/")[2] for name in different} == ({but} if but else set())


def test_one_after_the_other(exports: dict[str, pathlib.Path]) -> None:
    """The second was verified, too: its encoder's values were in memory."""
    _assert_equal(exports["first"], exports["second"], but="export_manifest.json")


def test_another_process_and_folder(exports: dict[str, pathlib.Path]) -> None:
    _assert_equal(exports["first"], exports["other"])


def test_counters_that_meet(tmp_path: pathlib.Path) -> None:
    """In a process that did nothing else, functions have the numbers that variables have, too."""
    flags = [
        f"--sp_model_file={testing.TESTDATA}/spm/spm.model",
        *("--tokenize_with_offsets", "--export_type=preprocessing", "--verify=off"),
    ]
    first, other = tmp_path / "first", tmp_path / "other"
    command = [sys.executable, launch.__file__, *flags, f"--export_path={first}"]
    subprocess.run(command, check=True)
    for _ in range(29):
        tf.function(lambda: 1)()
    assert launch.run(["launch.py", *flags, f"--export_path={other}"]) == 0
    _assert_equal(first, other)


@pytest.mark.parametrize("part", ["encoder", "preprocessing", "text_embedding"])
def test_fingerprint(exports: dict[str, pathlib.Path], part: str) -> None:
    path = str(exports["first"] / part)
    got = tf.saved_model.experimental.read_fingerprint(path)
    expected = fingerprint_pb2.FingerprintDef.FromString(fingerprinting.CreateFingerprintDef(path))
    for name in (
        "saved_model_checksum",
        "graph_def_program_hash",
        "signature_def_hash",
        "saved_object_graph_hash",
        "checkpoint_hash",
    ):
        assert getattr(got, name) == getattr(expected, name)
    identifiers = {
        fingerprint_pb2.FingerprintDef.FromString(file.read_bytes()).uuid
        for file in exports["first"].rglob("fingerprint.pb")
    }
    assert len(identifiers) == 3  # Of three different models.
    assert all(0 < int(identifier) < 1 << 128 for identifier in identifiers)


def _functions(path: pathlib.Path) -> list[str]:
    saved_model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return [f.signature.name for f in saved_model.meta_graphs[0].graph_def.library.function]


def test_functions_are_in_the_order_of_their_numbers(exports: dict[str, pathlib.Path]) -> None:
    numbers = [int(name.rpartition("_")[2]) for name in _functions(exports["first"] / "encoder")]
    assert numbers == sorted(set(numbers))


def test_twice_is_once(tmp_path: pathlib.Path) -> None:
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.double = tf.function(
        lambda x: x * module.weight, input_signature=[tf.TensorSpec([], tf.float32)]
    )
    path = tmp_path / "module"
    tf.saved_model.save(module, str(path), signatures={"double": module.double})
    canonical.canonicalize(str(path))
    once = _bytes(path)
    canonical.canonicalize(str(path))
    assert _bytes(path) == once
    loaded = tf.saved_model.load(str(path))
    assert loaded.double(tf.constant(4.0)).numpy() == 8.0
    assert loaded.signatures["double"](tf.constant(4.0))["output_0"].numpy() == 8.0


def test_a_tensorflow_without_fingerprints_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "module"
    tf.saved_model.save(tf.Module(), str(path))
    assert (path / "fingerprint.pb").exists()
    monkeypatch.setattr(canonical, "fingerprinting", None)
    canonical.canonicalize(str(path))
    assert not (path / "fingerprint.pb").exists()
    tf.saved_model.load(str(path))


def test_threads_and_optimizations_of_the_process_do_not_show(tmp_path: pathlib.Path) -> None:
    def export(path: pathlib.Path) -> bytes:
        module = tf.Module()
        inner = tf.function(lambda x: x + 1)
        specification = [tf.TensorSpec([], tf.int32)]
        module.f = tf.function(lambda x: inner(inner(x)), input_signature=specification)
        tf.saved_model.save(module, str(path))
        canonical.canonicalize(str(path))
        return (path / "saved_model.pb").read_bytes()

    before = export(tmp_path / "before")
    assert b"config_proto" in before
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        assert export(tmp_path / "after") == before
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    assert tf.saved_model.load(str(tmp_path / "after")).f(tf.constant(1)).numpy() == 3
