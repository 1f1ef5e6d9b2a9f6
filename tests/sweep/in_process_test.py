"""The launcher that runs everything in its own process."""

from __future__ import annotations

import collections
import os
import pathlib
from typing import Any

import pytest
import tensorflow as tf

from exporter import encoders, saved_models
from tests.sweep import launcher_cases
from tests.sweep.launcher_cases import single_exports, sweep_once  # noqa: F401 (fixtures)

_SWEEP = """
include 'configs/sweeps/poolers_lengths.gin'
pooler/axis.values = [@restored_pooler, @identity_pooler]
length/axis.values = [16, 32]
"""
_RUN = launcher_cases.TESTDATA / "bert_tiny"


class TestInProcess(launcher_cases.LauncherTests):
    launcher = "sweep.launcher = @in_process()"


@pytest.fixture(name="counts")
def _counts(monkeypatch: pytest.MonkeyPatch) -> collections.Counter[str]:
    """How often an encoder is built and each SavedModel is loaded, by the name of its folder."""
    counts: collections.Counter[str] = collections.Counter()
    build, load = encoders.build, tf.saved_model.load

    def counted_build(*arguments: Any, **more: Any) -> encoders.Encoder:
        counts["built"] += 1
        return build(*arguments, **more)

    def counted_load(path: str) -> Any:
        counts[os.path.basename(path)] += 1
        return load(path)

    monkeypatch.setattr(encoders, "build", counted_build)
    monkeypatch.setattr(tf.saved_model, "load", counted_load)
    return counts


def _run(folder: pathlib.Path, *flags: str) -> int:
    (folder / "sweep.gin").write_text(_SWEEP)
    run = (f"--pretraining_dir={_RUN}", f"--vocab_file={_RUN}/vocab.txt", "--do_lower_case")
    return launcher_cases.run_sweep(folder, *run, *flags)


def test_what_exports_have_in_common_is_made_and_loaded_once(
    tmp_path: pathlib.Path, counts: collections.Counter[str]
) -> None:
    assert _run(tmp_path) == 0
    # A pooler's values are all that two encoders, and two text embeddings of a length, differ in.
    assert counts == {"built": 1, "encoder": 1, "preprocessing": 2, "text_embedding": 2}
    found = launcher_cases.records(tmp_path)
    assert sorted(found) == [
        *("identity_pooler-16", "identity_pooler-32"),
        *("restored_pooler-16", "restored_pooler-32"),
    ]
    assert {record["verification"] for record in found.values()} == {"passed"}
    poolers = {}
    for name in found:
        path = tmp_path / "out" / name / "text_embedding"
        variables = tf.saved_model.load(str(path)).variables
        (kernel,) = (v.numpy() for v in variables if "pooler" in v.name and "kernel" in v.name)
        poolers[name] = kernel.tolist()
    assert poolers["identity_pooler-16"] == poolers["identity_pooler-32"]
    assert poolers["restored_pooler-16"] == poolers["restored_pooler-32"]
    assert poolers["identity_pooler-16"] != poolers["restored_pooler-16"]


def test_a_wrong_value_of_one_of_them_is_found(
    tmp_path: pathlib.Path, counts: collections.Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = saved_models.complete

    def wrong(path: str, *arguments: Any) -> None:
        complete(path, *arguments)
        if "identity_pooler-16" in path:
            _add_one(f"{path}/variables")

    monkeypatch.setattr(saved_models, "complete", wrong)
    assert _run(tmp_path, "--export_type=text_embedding") == launcher_cases.INCOMPLETE
    assert counts.total() == 3  # An encoder is built, and a SavedModel of each length is loaded.
    found = launcher_cases.records(tmp_path)
    assert {name: record["status"] for name, record in found.items()} == {
        "restored_pooler-16": "succeeded",
        "restored_pooler-32": "succeeded",
        "identity_pooler-16": "failed",
        "identity_pooler-32": "succeeded",
    }
    assert "variables in the source's order" in found["identity_pooler-16"]["message"]


def _add_one(folder: str) -> None:
    """Adds 1 to the first layer's values; checksums are right."""
    reader = tf.train.load_checkpoint(f"{folder}/variables")
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    name = next(name for name in sorted(values) if "variables/7/" in name)
    values[name] = values[name] + 1
    for file in pathlib.Path(folder).iterdir():
        file.unlink()
    tf.raw_ops.SaveV2(
        prefix=f"{folder}/variables",
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(map(tf.constant, values.values())),
    )
