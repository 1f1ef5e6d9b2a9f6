"""What a manifest says is compared with the SavedModel, and with its source where that is given."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import launch
from exporter import contracts, contracts_of_manifests, loaded_models, manifests
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
_SOURCE = (f"--pretraining_dir={_RUN}", f"--vocab_file={_RUN}/vocab.txt", "--do_lower_case")
_NAMES = ("encoder", "preprocessing", "text_embedding")


@pytest.fixture(name="exports", scope="module")
def _exports(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("exports") / "all"
    command = ("launch.py", f"--export_path={path}", "--export_type=all", "--verify=off")
    assert launch.run([*command, *_SOURCE]) == 0
    return path


@pytest.fixture(name="models", scope="module")
def _models(exports: pathlib.Path) -> Mapping[str, loaded_models.Model]:
    return {name: loaded_models.load(str(exports / name)) for name in _NAMES}


def _changed(path: pathlib.Path, place: str, value: object) -> None:
    """Changes what the manifest says in one place."""
    file = path / manifests.FILE
    manifest = part = json.loads(file.read_text(encoding="utf-8"))
    *parents, name = place.split(".")
    for parent in parents:
        part = part[parent]
    assert part[name] != value
    part[name] = value
    file.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture(name="broken")
def _broken(
    models: Mapping[str, loaded_models.Model], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str, object], str]:
    def broken(name: str, place: str, value: object) -> str:
        """Returns what is told of a model whose manifest says something else."""
        manifest: Any = manifests.read(models[name].path)
        part = manifest
        *parents, last = place.split(".")
        for parent in parents:
            part = part[parent]
        assert part[last] != value
        part[last] = value
        monkeypatch.setattr(manifests, "read", lambda path: manifest)
        with pytest.raises(contracts.Broken) as raised:
            contracts_of_manifests.describes_the_model(models[name])
        return str(raised.value)

    return broken


@pytest.mark.parametrize("name", _NAMES)
def test_what_is_so(name: str, models: Mapping[str, loaded_models.Model]) -> None:
    assert contracts_of_manifests.describes_the_model(models[name]).startswith("a ")


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("kind", "all", "kind is 'all', this is "),
        ("verification.level", "full", "verification is 'full', with 0 checks"),
        ("verification.verdict", "passed", "the verdict is 'passed' of level 'off'"),
        ("packages.tensorflow", "1.15.0", "tensorflow is 1.15.0, the graph was written by "),
        ("vocabulary.sha256", "0" * 64, "vocabulary.sha256 is of no vocabulary in it"),
        ("vocabulary.num_pieces", 5, "vocabulary.num_pieces is 5, there are 3391"),
        ("vocabulary.special_tokens.vocab_size", 5, "vocabulary.special_tokens "),
        ("vocabulary.special_tokens.mask_id", 4000, ""),
    ],
)
def test_what_is_not_so(
    name: str, place: str, value: object, told: str, broken: Callable[[str, str, object], str]
) -> None:
    assert broken(name, place, value).startswith(told)


@pytest.mark.parametrize(
    ("name", "place", "value", "told"),
    [
        ("encoder", "vocabulary.do_lower_case", False, "vocabulary.do_lower_case is False, "),
        ("preprocessing", "vocabulary.do_lower_case", False, "vocabulary.do_lower_case is "),
        ("preprocessing", "seq_length", 64, "seq_length is 64, the default is 32"),
        ("encoder", "encoder.config.num_layers", 24, "encoder.config.num_layers is 24, not 2"),
        ("encoder", "encoder.config.hidden_size", 8, "encoder.config.hidden_size is 8, not 64"),
        ("text_embedding", "encoder.config.vocab_size", 8, "encoder.config.vocab_size is 8, "),
        ("encoder", "checkpoint.num_values", 99, "checkpoint.num_values is 99, of 44 "),
        ("encoder", "checkpoint.weights", "best", "the checkpoint's step is 6000, its weights "),
    ],
)
def test_what_is_not_so_of_some(
    name: str, place: str, value: object, told: str, broken: Callable[[str, str, object], str]
) -> None:
    assert broken(name, place, value).startswith(told)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("checkpoint.values_sha256", "0" * 64),
        ("checkpoint.step", 1),
        ("checkpoint.weights", "ema"),
        ("encoder.config.dropout_rate", 0.5),
        (None, None),
    ],
)
def test_of_a_source(
    place: str | None,
    value: object,
    exports: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = shutil.copytree(exports / "encoder", tmp_path / "encoder")
    if place is not None:
        _changed(path, place, value)
    flags = ("--mode=verify", "--verify=quick", f"--export_path={path}", *_SOURCE)
    assert launch.run(["launch.py", *flags]) == (0 if place is None else 3)
    (line,) = (
        line for line in capsys.readouterr().out.splitlines() if "manifest: of this source" in line
    )
    if place is None:
        assert line.strip().startswith("ok ")
    else:
        assert f"{place} is {value!r}, the source's is " in line
