"""An export and the encoder that TF-NLP's code builds make the same of texts, without training."""

from __future__ import annotations

import dataclasses
import gc
import os
import pathlib

import gin
import numpy as np
import pytest
import tensorflow as tf

import launch
from exporter import choices, loaded_models, plans, settings
from exporter.evaluation import frozen_arms, methods
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
_TEXTS = [
    ("The function returns a list of the names that are in the file.",),
    ("Return.",),
    ("If the value is not found, an error is raised and the program ends.",),
    ("You can use this method to read the data from the other end of the line.",),
]
_PAIRS = [("Is it a list?", "The method returns a list."), ("Return.", "Raise an error.")]
_SEQ_LENGTH = 24


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("export") / "all"
    status = launch.run(
        [
            "launch.py",
            f"--pretraining_dir={_RUN}",
            f"--vocab_file={_RUN}/vocab.txt",
            "--do_lower_case=True",
            "--export_type=all",
            "--gin_params=text_embedding.vector = 'mean'\ntext_embedding.normalize = True",
            "--verify=off",
            f"--export_path={path}",
        ]
    )
    assert status == 0
    return path


@pytest.fixture(scope="module")
def exported(path: pathlib.Path) -> frozen_arms.Arm:
    return frozen_arms.exported(str(path), _SEQ_LENGTH)


@pytest.fixture(scope="module")
def baseline() -> frozen_arms.Arm:
    chosen = dataclasses.replace(
        choices.from_gin("all", "off"),
        encoder=settings.EncoderSettings(encoder_config_file=f"{_RUN}/params.yaml"),
        checkpoint=settings.CheckpointSettings(model_checkpoint_path=str(_RUN)),
        tokenizer=settings.TokenizerSettings(vocab_file=f"{_RUN}/vocab.txt", do_lower_case=True),
        text_embedding=settings.TextEmbeddingSettings(vector="mean", normalize=True),
    )
    return frozen_arms.baseline(plans.plan(chosen), _SEQ_LENGTH, trims=True)


@pytest.mark.parametrize("texts", [_TEXTS, _PAIRS], ids=["single", "pairs"])
def test_both_arms_make_the_same_vectors(
    exported: frozen_arms.Arm, baseline: frozen_arms.Arm, texts: frozen_arms.Texts
) -> None:
    for kind in methods.VECTORS:
        ours, theirs = (arm.vectors(texts, kind) for arm in (exported, baseline))
        size = 64 * 4 if kind == "text_embedding" and texts is _PAIRS else 64
        assert ours.shape == theirs.shape == (len(texts), size), kind
        np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=kind)
        assert np.ptp(ours, axis=0).max() > 0.01, kind


def test_vectors_are_in_the_order_of_the_texts(
    path: pathlib.Path, exported: frozen_arms.Arm
) -> None:
    preprocess, encoder, embed = (
        tf.saved_model.load(str(path / name))
        for name in ("preprocessing", "encoder", "text_embedding")
    )
    for row, (text,) in enumerate(_TEXTS):
        inputs = preprocess(tf.constant([text]), seq_length=_SEQ_LENGTH)
        outputs = encoder(inputs)
        count = int(tf.reduce_sum(inputs["input_mask"]))
        tokens = outputs["sequence_output"][0].numpy()
        for kind, expected in {
            "pooled_output": outputs["pooled_output"][0].numpy(),
            "first_token": tokens[0],
            "mean": tokens[:count].mean(axis=0),
            "text_embedding": embed(tf.constant([text]))[0].numpy(),
        }.items():
            found = exported.vectors(_TEXTS, kind)[row]
            np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=f"{kind} of {text}")


def test_what_is_bound_of_text_embeddings_is_theirs(exported: frozen_arms.Arm) -> None:
    expected = exported.vectors(_TEXTS, "mean")
    gin.parse_config("exporter.text_embedding.normalize = True")
    np.testing.assert_array_equal(exported.vectors(_TEXTS, "mean"), expected)


def test_the_two_vectors_of_a_pair(exported: frozen_arms.Arm) -> None:
    first, second = (
        exported.vectors([(pair[i],) for pair in _PAIRS], "text_embedding") for i in (0, 1)
    )
    found = exported.vectors(_PAIRS, "text_embedding")
    expected = np.hstack([first, second, abs(first - second), first * second])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padding_that_changes_nothing_is_cut_off(exported: frozen_arms.Arm) -> None:
    assert exported.trims
    assert exported.inputs([("Return.",)])["input_word_ids"].shape == (1, 4)
    assert exported.inputs(_PAIRS)["input_type_ids"].shape == (2, 14)


def test_both_arms_guess_the_same(exported: frozen_arms.Arm, baseline: frozen_arms.Arm) -> None:
    ours, theirs = (arm.guesses(_TEXTS, seed=1) for arm in (exported, baseline))

    assert ours.ranks.tolist() == theirs.ranks.tolist()
    np.testing.assert_allclose(ours.losses, theirs.losses, atol=1e-4)
    # 15% of 14, 2, 15 and 17 tokens, shorter texts first.
    assert ours.texts.tolist() == [1, 0, 0, 2, 2, 3, 3, 3]
    # The bundled run has learned something: 3391 tokens to choose from.
    assert ours.scores()["pseudo_perplexity"] < 1000


def test_special_tokens_and_the_unknown_one_are_kept(
    exported: frozen_arms.Arm, baseline: frozen_arms.Arm
) -> None:
    lines = (_RUN / "vocab.txt").read_text().splitlines()
    names = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert exported.tokens is not None
    assert exported.tokens.mask_id == lines.index("[MASK]")
    assert exported.tokens.kept == {lines.index(name) for name in names}
    assert baseline.tokens == exported.tokens


def test_tables_are_freed_with_an_arm(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = []

    def release(model: loaded_models.Model) -> None:
        released.append(os.path.basename(model.path))

    monkeypatch.setattr(loaded_models, "release", release)
    arm = frozen_arms.exported(str(path), _SEQ_LENGTH)
    arm.vectors(_TEXTS, "text_embedding")
    gc.collect()
    assert released == []
    del arm
    gc.collect()
    assert sorted(released) == ["preprocessing", "text_embedding"]
