"""A run's directory that is being written to, lacks something or names what is elsewhere."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

import pytest
import tensorflow as tf
import yaml
from official.modeling import hyperparams

from exporter import tensor_bundles
from tests import pretraining_exports as exports
from tests import pretraining_sources as sources
from tests import testing

_BEST = "best/best_ckpt-8"


@pytest.fixture
def ema_run(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the run, to be changed."""
    return shutil.copytree(sources.EMA.directory, tmp_path / "run")


_Act = Callable[..., tuple[int, str]]


@pytest.fixture
def act(ema_run: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> _Act:
    """Returns a function that exports the copy and returns the status and what was told."""

    def act(*flags: str, vocabulary: str = sources.EMA.vocabulary) -> tuple[int, str]:
        given = [f"--pretraining_dir={ema_run}", *([vocabulary] if vocabulary else []), *flags]
        status = exports.export(tmp_path / "export", *given)
        return status, capsys.readouterr().err.replace(str(tmp_path), "FOLDER")

    return act


def _copy(run: pathlib.Path, name: str, other: str) -> None:
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(run / f"{name}{suffix}", run / f"{other}{suffix}")


@pytest.mark.parametrize("cut", [".index", ".data-00000-of-00001"])
def test_one_that_is_being_written_is_not_taken(
    act: _Act, ema_run: pathlib.Path, tmp_path: pathlib.Path, cut: str
) -> None:
    _copy(ema_run, "ckpt-400", "ckpt-500")
    file = ema_run / f"ckpt-500{cut}"
    file.write_bytes(file.read_bytes()[:1000])
    status, told = act("--export_type=model_with_mlm")
    assert status == 0
    run = sources.EMA
    exports.assert_equal(run.source("ckpt-400"), run.case(), tmp_path / "export")
    assert (
        "warning: checkpoint: ckpt-500 not taken: the file `checkpoint` does not name it, it may "
        "be incomplete" in told
    )


def test_one_that_is_being_written_cannot_be_chosen(act: _Act, ema_run: pathlib.Path) -> None:
    _copy(ema_run, "ckpt-400", "ckpt-500")
    file = ema_run / "ckpt-500.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:1000])
    status, told = act("--checkpoint=500")
    assert status == 2
    assert "The checkpoint must be complete and undamaged" in told
    assert "  received: FOLDER/run/ckpt-500\n" in told


def test_a_removed_one_is_named(act: _Act, ema_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for file in ema_run.glob("ckpt-400.*"):
        file.unlink()
    status, told = act("--export_type=model_with_mlm")
    assert status == 0
    run = sources.EMA
    exports.assert_equal(run.source("ckpt-300"), run.case(), tmp_path / "export")
    assert "checkpoint names ckpt-400, which is not there" in told
    assert "weights: raw values, not averages, of step 300" in told


def test_the_named_one_is_damaged(act: _Act, ema_run: pathlib.Path) -> None:
    """An older one in its place would be a wrong export."""
    file = ema_run / "ckpt-400.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:-1000])
    status, told = act()
    assert status == 2
    assert "The checkpoint must be complete and undamaged" in told
    assert "  received: FOLDER/run/ckpt-400\n" in told


def test_removed_while_it_is_copied(
    act: _Act, ema_run: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = tensor_bundles.append

    def remove_then_append(*args: object, **kwargs: object) -> None:
        for file in ema_run.glob("ckpt-400.*"):
            file.unlink()
        append(*args, **kwargs)

    monkeypatch.setattr(tensor_bundles, "append", remove_then_append)
    status, told = act()
    assert status == 2
    assert "error: The checkpoint must stay while it is exported" in told
    assert "FOLDER/run/ckpt-400.data-00000-of-00001 gone meanwhile" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("verify", ["off", "quick"])
def test_replaced_while_it_is_copied(
    act: _Act, ema_run: pathlib.Path, monkeypatch: pytest.MonkeyPatch, verify: str
) -> None:
    """By one of the same sizes: half of each would be in the export."""
    append = tensor_bundles.append

    def replace_then_append(*args: object, **kwargs: object) -> None:
        _copy(ema_run, "ckpt-300", "ckpt-400")
        append(*args, **kwargs)

    monkeypatch.setattr(tensor_bundles, "append", replace_then_append)
    status, told = act(f"--verify={verify}")
    assert status == 2
    assert "error: The checkpoint must stay while it is exported" in told
    assert "FOLDER/run/ckpt-400.data-00000-of-00001 changed meanwhile" in told


def test_damaged_values_are_named(act: _Act, ema_run: pathlib.Path) -> None:
    entries = tensor_bundles.read_entries(str(ema_run / "ckpt-400"))
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    key = next(k for k in entries if k.startswith("encoder/") and k.endswith(f"embeddings{suffix}"))
    file = ema_run / "ckpt-400.data-00000-of-00001"
    damaged = bytearray(file.read_bytes())
    damaged[entries[key].offset] ^= 1
    file.write_bytes(damaged)
    status, told = act("--verify=quick")
    assert status == 2
    assert (
        "error: The checkpoint must be undamaged: the bytes of some values are not those that were "
        "written.\n  received: FOLDER/run/ckpt-400: position_embedding/embeddings\n"
    ) in told


def test_no_such_step(act: _Act) -> None:
    status, told = act("--checkpoint=350")
    assert status == 2
    assert told.endswith(
        "error: --checkpoint must be latest, best, or a global step that the run has saved.\n"
        "  received: 350; FOLDER/run has 300, 400, best\n"
        "  where:    --checkpoint=350\n"
        "  example:  --checkpoint=best\n",
    )


def test_no_best(act: _Act, ema_run: pathlib.Path) -> None:
    shutil.rmtree(ema_run / "best")
    status, told = act("--checkpoint=best")
    assert status == 2
    assert (
        "  received: 'best'; FOLDER/run has 300, 400 (the trainer keeps a best one with "
        "trainer.best_checkpoint_export_subdir)\n" in told
    )


def test_two_checkpoints(act: _Act, ema_run: pathlib.Path) -> None:
    status, told = act("--checkpoint=best", f"--model_checkpoint_path={ema_run}/ckpt-300")
    assert status == 2
    assert "--checkpoint=best and --model_checkpoint_path=FOLDER/run/ckpt-300" in told


def test_a_folder_of_checkpoints(act: _Act, tmp_path: pathlib.Path) -> None:
    run = sources.EMA
    config = f"--encoder_config_file={run.directory}/params.yaml"
    flags = [config, run.vocabulary, "--export_type=model_with_mlm"]
    path = tmp_path / "export"
    assert exports.export(path, *flags, f"--model_checkpoint_path={run.directory}/best") == 0
    exports.assert_equal(run.source(_BEST, averages=True), run.case(), path)


def test_tuples_in_params(act: _Act, ema_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    params = yaml.safe_load((ema_run / "params.yaml").read_text())
    optimizer = params["trainer"]["optimizer_config"]["optimizer"]["adamw"]
    optimizer["exclude_from_weight_decay"] = tuple(optimizer["exclude_from_weight_decay"])
    # As the trainer writes it.
    hyperparams.save_params_dict_to_yaml(
        hyperparams.ParamsDict(params), str(ema_run / "params.yaml")
    )
    assert "!!python/tuple" in (ema_run / "params.yaml").read_text()
    assert act("--export_type=model_with_mlm")[0] == 0
    run = sources.EMA
    exports.assert_equal(run.source("ckpt-400"), run.case(), tmp_path / "export")


def test_other_objects_in_params_are_not_made(act: _Act, ema_run: pathlib.Path) -> None:
    with (ema_run / "params.yaml").open("a") as file:
        file.write("extra: !!python/object/apply:os.mkdir [made]\n")
    status, told = act()
    assert status == 2
    assert "error: The file must be valid YAML.\n" in told


@pytest.mark.parametrize("place", ["working directory", "the run's", "beside params.yaml"])
def test_recorded_vocabulary(
    place: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pre-norm run recorded "vocabulary/vocab.txt"."""
    run = shutil.copytree(sources.PRE_NORM.directory, tmp_path / "uncased_run")
    folder = {"working directory": tmp_path / "vocabulary", "the run's": run / "vocabulary"}
    folder = folder.get(place, run)
    folder.mkdir(exist_ok=True)
    shutil.copy(testing.TESTDATA / "uncased" / "vocab.txt", folder)
    monkeypatch.chdir(tmp_path)
    flags = [f"--pretraining_dir={run}", "--export_type=preprocessing", "--do_lower_case=true"]
    assert exports.export(tmp_path / "export", *flags) == 0
    tokens = tf.saved_model.load(str(tmp_path / "export")).tokenize
    assert tokens.get_special_tokens_dict()["vocab_size"] == 766


def test_recorded_vocabulary_that_is_not_here(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = sources.PRE_NORM.directory
    assert exports.export(tmp_path / "export", f"--pretraining_dir={run}") == 2
    told = capsys.readouterr().err
    assert "error: The vocabulary that the run recorded is not here and must be given.\n" in told
    assert f"  received: vocabulary/vocab.txt in {run}/params.yaml; none of " in told
    assert "  example:  --vocab_file=/path/to/vocab.txt\n" in told


def test_no_recorded_vocabulary(act: _Act) -> None:
    status, told = act(vocabulary="")
    assert status == 2
    assert "error: Exactly one of --vocab_file and --sp_model_file is needed.\n" in told


def test_preprocessing_needs_no_checkpoint(act: _Act, ema_run: pathlib.Path) -> None:
    for file in [*ema_run.glob("ckpt-*"), ema_run / "checkpoint"]:
        file.unlink()
    assert act("--export_type=preprocessing")[0] == 0
