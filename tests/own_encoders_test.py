"""Encoders of a user's own package (`type: any`), exported through their BUILDER or as a BERT."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Callable, Iterator

import gin
import pytest
import tensorflow as tf
from official.modeling.hyperparams import base_config
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import errors
from tests import own_encoder_mistakes as mistakes
from tests import own_encoder_runs as runs
from tests import own_encoders, testing
from tests import pretraining_exports as exports

_CASE = testing.Case("own", "bert", runs.SIZES)
_IMPORT = "import tests.own_encoders\n"
_BOUND = "tests.own_encoders.GainConfig, tests.own_encoders.TokenDroppingConfig"


@pytest.fixture(scope="module", name="gain")
def _gain(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    folder = tmp_path_factory.mktemp("runs")
    return runs.write(folder / "gain", own_encoders.GainConfig(**runs.SIZES, initial_gain=2.5))


@pytest.fixture(scope="module", name="dropping")
def _dropping(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    folder = tmp_path_factory.mktemp("runs")
    config = own_encoders.TokenDroppingConfig(
        **runs.SIZES, token_keep_k=5, token_allow_list=(1, 2, 3, 4)
    )
    return runs.write(folder / "dropping", config)


@pytest.fixture(name="package")
def _package(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Returns a function that writes a module; what it binds is forgotten after the test."""
    monkeypatch.setattr(base_config, "_BOUND", set())
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")

    return write


@contextlib.contextmanager
def _strength(run: runs.Run, value: float) -> Iterator[None]:
    """While open, the source is what it would be with that value in gin."""
    run.source.network._strength = value
    try:
        yield
    finally:
        run.source.network._strength = 1.0


def _export(tmp_path: pathlib.Path, run: runs.Run, text: str, *flags: str) -> int:
    """Exports a run with a gin file of that text."""
    gin_file = tmp_path / "export.gin"
    gin_file.write_text(text, encoding="utf-8")
    return exports.export(tmp_path / "out", *run.flags(), f"--gin_file={gin_file}", *flags)


def test_through_its_builder(gain: runs.Run, tmp_path: pathlib.Path) -> None:
    """The only class with the names that the run recorded is found; all is compared in full."""
    assert _export(tmp_path, gain, _IMPORT, "--verify=full") == 0
    exports.assert_equal(gain.source, _CASE, tmp_path / "out")
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    assert len(loaded.variables) == len(gain.source.network.variables) == 72
    account = (tmp_path / "out.record" / "accounting.tsv").read_text()
    assert "/gain\t8\tfloat32\tencoder/gain\n" in account


def test_directory_alone(gain: runs.Run, tmp_path: pathlib.Path) -> None:
    """The gin configuration that a run records imports what it was trained with."""
    gin.parse_config(f"{_IMPORT}GainEncoder.strength = 0.5")
    encoder = tfnlp_encoders.build_encoder(gain.config)
    recorded = gin.operative_config_str()
    assert recorded.startswith(_IMPORT)
    assert encoder._strength == 0.5
    gin.clear_config()
    run = shutil.copytree(gain.directory, tmp_path / "run")
    (run / "operative_config.train.gin").write_text(recorded, encoding="utf-8")
    flags = [f"--pretraining_dir={run}", f"--vocab_file={run}/vocab.txt"]
    assert exports.export(tmp_path / "out", *flags, "--export_type=model_with_mlm") == 0
    with _strength(gain, 0.5):
        exports.assert_equal(gain.source, _CASE, tmp_path / "out")


def test_named_class_and_what_gin_says_of_the_encoder(
    gain: runs.Run, tmp_path: pathlib.Path
) -> None:
    text = f"{_IMPORT}encoder.config = @tests.own_encoders.GainConfig\n"
    text += "GainEncoder.strength = 0.5\nGainConfig.attention_dropout_rate = 0.0\n"
    text += "pretraining.allow_overrides = ['attention_dropout_rate']\n"
    assert _export(tmp_path, gain, text) == 0
    with _strength(gain, 0.5):
        exports.assert_equal(gain.source, _CASE, tmp_path / "out")


def test_whole_configuration_from_gin(gain: runs.Run, tmp_path: pathlib.Path) -> None:
    text = f"{_IMPORT}encoder.type = 'any'\nencoder.config = @GainConfig()\n"
    text += "".join(f"GainConfig.{name} = {value!r}\n" for name, value in runs.SIZES.items())
    text += "GainConfig.initial_gain = 2.5\n"
    assert _export(tmp_path, gain, text) == 0
    exports.assert_equal(gain.source, _CASE, tmp_path / "out")


def test_token_dropping_as_bert(
    dropping: runs.Run, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the user's package is needed then."""
    text = "encoder.type = 'bert_v2'\nBertEncoderConfig.dropout_rate = 0.0\n"
    text += "pretraining.allow_overrides = ['dropout_rate']\n"
    assert _export(tmp_path, dropping, text, "--verify=full") == 0
    exports.assert_equal(dropping.source_as("bert_v2"), _CASE, tmp_path / "out")
    told = capsys.readouterr().err
    assert (
        "The configuration of type 'any' is read as one of type 'bert_v2', without "
        "token_allow_list, token_deny_list, token_keep_k, token_loss_beta, token_loss_init_value.\n"
    ) in told
    assert ", 1 importance of tokens, for training only" in told
    assert len(tf.saved_model.load(str(tmp_path / "out")).variables) == 71


def test_token_dropping_through_its_builder(dropping: runs.Run, tmp_path: pathlib.Path) -> None:
    assert _export(tmp_path, dropping, _IMPORT) == 0
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    inputs = {name: tf.constant([[1, 2, 7, 8, 9, 1, 1]]) for name in testing.INPUT_NAMES}
    inputs["input_type_ids"] = tf.zeros_like(inputs["input_type_ids"])
    expected, got = dropping.source.network(inputs), loaded(inputs)
    assert [x.shape[1] for x in got["encoder_outputs"]] == [7, 5, 5, 7]
    tf.debugging.assert_near(got["sequence_output"], expected["sequence_output"], atol=1e-5)


@pytest.mark.parametrize(("text", "told"), mistakes.OF_PACKAGES.values(), ids=mistakes.OF_PACKAGES)
def test_mistakes_of_packages(
    gain: runs.Run,
    package: Callable[[str, str], None],
    text: str,
    told: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, content in mistakes.PACKAGES.items():
        package(name, content)
    _assert_refused(tmp_path, gain, text, told, capsys)


@pytest.mark.parametrize(
    ("lines", "told"), mistakes.OF_OVERRIDES.values(), ids=mistakes.OF_OVERRIDES
)
def test_mistakes_of_overrides(
    gain: runs.Run,
    lines: str,
    told: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _assert_refused(tmp_path, gain, _IMPORT + lines, told, capsys)


def test_classes_that_fit_equally_must_be_named(
    tmp_path: pathlib.Path, dropping: runs.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "encoder.yaml"
    config.write_text("type: any\nany: {num_layers: 4}\n")
    told = (
        f"{mistakes.NEEDS_CLASS}"
        f"  received: {{folder}}/encoder.yaml; bound are: {_BOUND}\n"
        "  where:    --encoder_config_file={folder}/encoder.yaml\n"
        "  example:  import my_package, and encoder.config = @my_package.MyEncoderConfig\n"
    )
    flag = f"--encoder_config_file={config}"
    _assert_refused(tmp_path, dropping, _IMPORT, told, capsys, flag)


def test_an_encoder_for_some_lengths_only(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More tokens are kept than there are: what is exported would fail on short texts."""
    sizes = {**runs.SIZES, "max_position_embeddings": 64}
    config = own_encoders.TokenDroppingConfig(
        **sizes, token_keep_k=25, token_allow_list=(1, 2, 3, 4)
    )
    told = (
        "error: An encoder must take sequences of any length up to its longest. The source itself "
        "fails at length 16; it says: Expected size[1] in [0, 16], but got 25.\n"
        "  received: an encoder of type 'any' of {run}/params.yaml\n"
        "  example:  encoder.type = 'bert_v2', if it is a plain BERT after training\n"
    )
    run = runs.write(tmp_path / "run", config)
    _assert_refused(tmp_path, run, _IMPORT, told, capsys, "--verify=quick")


def _assert_refused(
    tmp_path: pathlib.Path,
    run: runs.Run,
    text: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    *flags: str,
) -> None:
    assert _export(tmp_path, run, text, *flags) == errors.EXIT_USER_ERROR
    error = capsys.readouterr().err
    error = error[error.index("error: ") :].replace(str(run.directory), "{run}")
    assert error.replace(str(tmp_path), "{folder}") == told
    assert not (tmp_path / "out").exists()
