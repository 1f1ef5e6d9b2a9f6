"""Original BERT and ALBERT (TF1), exported by one command and compared with plain NumPy."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 (the ops of preprocessing)

import launch
from exporter import errors
from tests import tf1_releases
from tests.conformance import comparison

LIMIT = 1e-4
SHAPES = ((1, 1), (3, 7), (2, 32))


@dataclasses.dataclass(frozen=True)
class Exported:
    """A release that was exported by one command.

    Attributes:
      release: What was exported.
      path: The folder of the exports.
      log: What was said meanwhile.
    """

    release: tf1_releases.Release
    path: pathlib.Path
    log: str

    def load(self, name: str) -> Any:
        """Loads one of the exports."""
        return tf.saved_model.load(str(self.path / name))

    def record(self, name: str) -> str:
        """Returns a file of the export's record."""
        return pathlib.Path(f"{self.path}.record", name).read_text(encoding="utf-8")


def _launch(path: pathlib.Path, *flags: str) -> int:
    return launch.run(["launch.py", f"--export_path={path}", *flags])


def _export_all(release: tf1_releases.Release, verify: str) -> Exported:
    """Exports all of a release by one command."""
    path = release.folder.parent / "exports" / "it"
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("exporter").addHandler(handler)
    try:
        assert _launch(path, *release.flags(), "--export_type=all", f"--verify={verify}") == 0
    finally:
        logging.getLogger("exporter").removeHandler(handler)
    return Exported(release, path, "\n".join(lines))


@pytest.fixture(scope="module", name="bert")
def _bert(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("bert") / "uncased_L-6_H-24_A-4"
    return _export_all(tf1_releases.write(folder), "full")


@pytest.fixture(scope="module", name="albert")
def _albert(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("albert") / "albert_base"
    return _export_all(tf1_releases.write_albert(folder), "off")


@pytest.fixture(scope="module", name="headless")
def _headless(tmp_path_factory: pytest.TempPathFactory) -> tf1_releases.Release:
    """A checkpoint of a cased encoder alone."""
    folder = tmp_path_factory.mktemp("headless") / "cased_L-6_H-24_A-4"
    return tf1_releases.write(folder, heads=False, slots=(), capitals=True)


def _inputs(release: tf1_releases.Release, batch: int, length: int) -> dict[str, np.ndarray]:
    """Makes inputs of rows of all lengths; a row without a token has no defined output."""
    random = np.random.default_rng([batch, length])
    lengths = np.array([length, *random.integers(1, length + 1, batch)])[:batch]
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    config = release.bert.config
    ids = random.integers(1, config["vocab_size"], [batch, length])
    types = random.integers(0, config["type_vocab_size"], [batch, length])
    return {
        "input_word_ids": (ids * mask).astype(np.int32),
        "input_mask": mask,
        "input_type_ids": (types * mask).astype(np.int32),
    }


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array) for name, array in arrays.items()}


def _assert_near(expected: dict[str, Any], got: dict[str, Any]) -> None:
    expected, got = comparison.flat(expected), comparison.flat(got)
    assert set(expected) == set(got)
    for name, value in expected.items():
        assert got[name].dtype == np.float32, name
        np.testing.assert_allclose(got[name], value, rtol=0, atol=LIMIT, err_msg=name)


@pytest.mark.parametrize(("batch", "length"), SHAPES)
@pytest.mark.parametrize("name", ["bert", "albert"])
def test_equals_numpy(name: str, batch: int, length: int, request: pytest.FixtureRequest) -> None:
    exported: Exported = request.getfixturevalue(name)
    encoder = exported.load("encoder")
    inputs = _inputs(exported.release, batch, length)
    expected = exported.release.bert(inputs)
    assert len(expected["encoder_outputs"]) == 6
    _assert_near(expected, encoder(_tensors(inputs)))
    positions = np.random.default_rng(length).integers(0, length, [batch, 3]).astype(np.int32)
    with_positions = {**inputs, "masked_lm_positions": positions}
    _assert_near(exported.release.bert(with_positions), encoder.mlm(_tensors(with_positions)))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("cls/predictions/output_bias", "mlm_logits"),
        ("bert/pooler/dense/bias", "pooled_output"),
        ("bert/encoder/layer_5/output/LayerNorm/gamma", "encoder_outputs_5"),
        ("bert/encoder/layer_0/attention/self/key/kernel", "encoder_outputs_0"),
    ],
)
def test_numpy_model_shows_a_changed_value(bert: Exported, change: str, name: str) -> None:
    inputs = _inputs(bert.release, 2, 5)
    inputs["masked_lm_positions"] = np.array([[0, 1], [0, 0]], np.int32)
    model = bert.release.bert
    changed = dataclasses.replace(
        model, values={**model.values, change: 1.1 * model.values[change]}
    )
    before, after = comparison.flat(model(inputs)), comparison.flat(changed(inputs))
    assert np.abs(before[name] - after[name]).max() > 10 * LIMIT


def test_texts_become_vectors(bert: Exported) -> None:
    """Preprocessing takes the release's casing from its folder's name."""
    preprocess, embed = bert.load("preprocessing"), bert.load("text_embedding")
    texts = tf.constant(["HELLO worlds", "Caf\u00e9 word9!"])
    inputs = preprocess(texts, seq_length=8)
    assert inputs["input_word_ids"].numpy().tolist() == [
        [5, 8, 9, 10, 6, 0, 0, 0],
        [5, 11, 21, 4, 6, 0, 0, 0],
    ]
    assert bert.load("encoder").do_lower_case.numpy() == np.True_
    expected = bert.release.bert({name: value.numpy() for name, value in inputs.items()})
    _assert_near({"vectors": expected["pooled_output"]}, {"vectors": embed(texts)})


def test_account_of_bert(bert: Exported) -> None:
    assert (
        "108 values restored (TF1); ignored: 220 optimizer slot, 2 classification head, not "
        "exported, 1 step counter\n"
    ) in bert.log
    report = bert.record("report.txt")
    assert "\nweights: raw values of step 1000000\n" in report
    assert "\npooler: the encoder's own, trained\n" in report
    assert "FAILED" not in report
    account = bert.record("accounting.tsv").splitlines()
    assert len(account) == 1 + 108 + 220 + 2 + 1
    for line in (
        (
            "used\ttransformer/layer_5/self_attention/query/kernel\t24x4x6\tfloat32\t"
            "bert/encoder/layer_5/attention/self/query/kernel"
        ),
        "used\tcls/predictions/output_bias/bias\t360\tfloat32\tcls/predictions/output_bias",
        "ignored: optimizer slot\t\t24x24\tfloat32\tbert/pooler/dense/kernel/adam_m",
        "ignored: optimizer slot\t\t2\tfloat32\tcls/seq_relationship/output_bias/adam_v",
        (
            "ignored: classification head, not exported\t\t2x24\tfloat32\t"
            "cls/seq_relationship/output_weights"
        ),
        "ignored: step counter\t\tscalar\tint64\tglobal_step",
    ):
        assert line in account


def test_account_of_albert(albert: Exported) -> None:
    assert (
        "30 values restored (TF1); ignored: 64 optimizer slot, 2 classification head, not "
        "exported, 1 step counter\n"
    ) in albert.log
    account = albert.record("accounting.tsv").splitlines()
    group = "bert/encoder/transformer/group_0/inner_group_0"
    for line in (
        (
            "used\tembedding_projection/kernel\t10x24\tfloat32\t"
            "bert/encoder/embedding_hidden_mapping_in/kernel"
        ),
        "used\ttransformer/output_layer_norm/gamma\t24\tfloat32\t" + f"{group}/LayerNorm_1/gamma",
        f"ignored: optimizer slot\t\t48\tfloat32\t{group}/ffn_1/intermediate/dense/bias/lamb_v",
    ):
        assert line in account


def test_encoder_alone_leaves_the_head_out(
    bert: Exported, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a directory for the checkpoint, read as the other class of BERT that TF-NLP has."""
    flags = bert.release.flags(model_checkpoint_path=str(bert.release.folder))
    assert _launch(tmp_path / "it", *flags, "--gin_params=encoder.type = 'bert_v2'") == 0
    assert (
        "103 values restored (TF1); ignored: 220 optimizer slot, 5 masked-language-model head, "
        "not exported, 2 classification head, not exported, 1 step counter\n"
    ) in capsys.readouterr().err
    encoder = tf.saved_model.load(str(tmp_path / "it"))
    assert not hasattr(encoder, "mlm")
    inputs = _inputs(bert.release, 2, 9)
    _assert_near(bert.release.bert(inputs), encoder(_tensors(inputs)))


def test_model_with_mlm_and_a_new_pooler(bert: Exported, tmp_path: pathlib.Path) -> None:
    flags = [*bert.release.flags(), "--export_type=model_with_mlm", "--verify=off"]
    assert _launch(tmp_path / "it", *flags, "--gin_params=export.pooler = @identity_pooler") == 0
    inputs = _inputs(bert.release, 2, 9)
    inputs["masked_lm_positions"] = np.array([[3], [0]], np.int32)
    loaded = tf.saved_model.load(str(tmp_path / "it"))
    expected = bert.release.bert(inputs)
    pooled = np.tanh(expected["sequence_output"][:, 0])
    _assert_near(
        {**expected, "pooled_output": pooled, "default": pooled}, loaded.mlm(_tensors(inputs))
    )


def test_encoder_without_a_head(headless: tf1_releases.Release, tmp_path: pathlib.Path) -> None:
    """All is exported but `.mlm`; the newest of several checkpoints is taken."""
    folder = tmp_path / "run"
    folder.mkdir()
    for file in headless.folder.glob("bert_model.ckpt.*"):
        for step in (20, 100):
            (folder / f"model.ckpt-{step}{file.suffix}").write_bytes(file.read_bytes())
    (folder / "model.ckpt-20.index").write_bytes(b"")
    flags = headless.flags(model_checkpoint_path=str(folder))
    assert _launch(tmp_path / "it", *flags, "--export_type=all", "--verify=off") == 0
    encoder = tf.saved_model.load(str(tmp_path / "it" / "encoder"))
    assert not hasattr(encoder, "mlm")
    assert encoder.do_lower_case.numpy() == np.False_
    inputs = _inputs(headless, 2, 9)
    _assert_near(headless.bert(inputs), encoder(_tensors(inputs)))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ["--export_type=model_with_mlm"],
            (
                "error: The checkpoint must be that of the configured encoder, value by value: the "
                "encoder fits, the masked-language-model head does not.\n"
                "  received: {prefix}: 5 configured without a value\n"
                "            value                   configured  checkpoint\n"
                "            MLM head: output bias   (360,)      -\n"
                "            MLM head: dense kernel  (24, 24)    -\n"
                "            MLM head: dense bias    (24,)       -\n"
                "            MLM head: norm gamma    (24,)       -\n"
                "            MLM head: norm beta     (24,)       -\n"
                "  where:    --model_checkpoint_path={prefix}\n"
                "  example:  --export_type=model exports the encoder alone\n"
            ),
        ),
        (
            ["--copy_pooler_dense_to_encoder"],
            (
                "error: The pooler is part of a TF1 checkpoint's encoder; there is no other to "
                "copy.\n"
                "  received: {prefix} (TF1)\n"
                "  where:    --copy_pooler_dense_to_encoder=true\n"
                "  example:  leave --copy_pooler_dense_to_encoder unset\n"
            ),
        ),
        (
            ["--do_lower_case=True", "--export_type=all"],
            (
                "error: Text must not be lower-cased for a vocabulary with upper-case or accented "
                "pieces, which would never be used. If it is meant, checks.allow_unlikely_casing = "
                "True allows it.\n"
                "  received: 175 such pieces in {folder}/vocab.txt, as Word100, Word102, Word104, "
                "Word106\n"
                "  where:    --do_lower_case=True\n"
                "  example:  --do_lower_case=false\n"
            ),
        ),
        (
            ["--default_seq_length=64", "--export_type=all"],
            (
                "error: --default_seq_length must not be longer than the sequences that the "
                "encoder has position embeddings for.\n"
                "  received: 64, with 32 positions\n"
                "  where:    --default_seq_length=64\n"
                "  example:  --default_seq_length=32\n"
            ),
        ),
    ],
    ids=["no head", "pooler to copy", "casing", "length"],
)
def test_refused(
    headless: tf1_releases.Release,
    flags: list[str],
    told: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = _launch(tmp_path / "it", *headless.flags(), *flags)
    error = capsys.readouterr().err
    error = error[error.index("error: ") :]
    assert error == told.format(prefix=headless.prefix, folder=headless.folder)
    assert status == errors.EXIT_USER_ERROR
    assert not list(tmp_path.iterdir())
