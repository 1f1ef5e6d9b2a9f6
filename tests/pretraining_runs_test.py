"""Real pre-training runs, exported from their directories alone, equal what TF-NLP restores."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests import pretraining_exports as exports
from tests import pretraining_sources as sources

_LATEST = {
    sources.BERT: "ckpt-6000",
    sources.ALBERT: "ckpt-1000",
    sources.TALKING_HEADS: "ckpt-1000",
    sources.PRE_NORM: "ckpt-1000",
    sources.EMA: "ckpt-400",
}
_BEST = "best/best_ckpt-8"
_AVERAGED = "ema_checkpoints/average_weights-400"
# What of the EMA run is exported by which flags: a checkpoint, whether its slots "average" are.
_WEIGHTS = {
    "latest": (["--weights=raw"], "ckpt-400", False),
    "latest averages": (["--weights=ema"], "ckpt-400", True),
    "step's averages": (["--checkpoint=300", "--weights=ema"], "ckpt-300", True),
    "best, swapped back": (["--checkpoint=best", "--weights=raw"], _BEST, True),
    "best averages": (["--checkpoint=best", "--weights=ema"], _BEST, False),
    "another folder's averages": (
        [f"--model_checkpoint_path={sources.EMA.directory}/ema_checkpoints", "--weights=ema"],
        _AVERAGED,
        False,
    ),
}


@pytest.mark.parametrize("run", _LATEST, ids=lambda run: run.name)
def test_directory_alone(run: sources.Run, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "export"
    assert exports.export(out, *run.flags(), "--export_type=all") == 0
    exports.assert_equal(run.source(_LATEST[run]), run.case(), out / "encoder")
    preprocessing = tf.saved_model.load(str(out / "preprocessing"))
    packed = preprocessing(tf.constant(["The function returns a list."]))
    assert packed["input_word_ids"].shape == [1, 32]  # As in training.
    embedding = tf.saved_model.load(str(out / "text_embedding"))
    vectors = embedding(tf.constant(["The function returns a list.", ""]))
    assert vectors.shape == [2, run.case().get("hidden_size")]
    name = _LATEST[run]
    assert f"checkpoint: {run.directory}/{name}, the latest one; the run has " in exports.report(
        out
    )
    assert f"values of step {name.removeprefix('ckpt-')}\n" in exports.report(out).replace(
        "values, not averages, of", "values of"
    )


@pytest.mark.parametrize(("flags", "checkpoint", "slots"), _WEIGHTS.values(), ids=_WEIGHTS)
def test_weights(flags: list[str], checkpoint: str, slots: bool, tmp_path: pathlib.Path) -> None:
    out, run = tmp_path / "export", sources.EMA
    assert exports.export(out, *run.flags(), "--export_type=model_with_mlm", *flags) == 0
    exports.assert_equal(run.source(checkpoint, averages=slots), run.case(), out)
    step = "300" if "300" in checkpoint or checkpoint == _BEST else "400"
    kind = "averages" if "--weights=ema" in flags else "raw values, not averages,"
    assert f"weights: {kind} of step {step}\n" in exports.report(out)


@pytest.mark.parametrize(
    ("swapped", "step"), [(_BEST, 300), ("ema_checkpoints/average_weights-300", 300)]
)
def test_averages_change_places_where_they_are_evaluated(swapped: str, step: int) -> None:
    """What `Checkpoint.is_swapped` says of names, told by the values of the same step."""
    one = sources.stored(str(sources.EMA.directory / f"ckpt-{step}"))
    other = sources.stored(str(sources.EMA.directory / swapped))
    keys = sources.average_keys(one)
    assert len(keys) == 39
    num_different = 0
    for own, average in keys.items():
        # The trainer swaps two values by adding and subtracting them.
        np.testing.assert_allclose(other[own], one[average], rtol=0, atol=1e-6)
        np.testing.assert_allclose(other[average], one[own], rtol=0, atol=1e-6)
        num_different += np.max(np.abs(one[own] - one[average])) > 0.01
    assert num_different >= 35  # All but the pooler's and the keys' biases.


def test_the_head_has_no_averages() -> None:
    """It is built after the optimizer has made them: the trainer evaluates it as it is."""
    values = sources.stored(str(sources.EMA.directory / "ckpt-400"))
    without = {key for key in values if key.startswith("masked_lm/") and "SLOT" not in key}
    without -= sources.average_keys(values).keys()
    assert {key.split("/")[1] for key in without} == {"dense", "layer_norm", "output_bias.Sbias"}


def test_best_is_said_to_be_by_which_metric(tmp_path: pathlib.Path) -> None:
    out, run = tmp_path / "export", sources.EMA
    assert exports.export(out, *run.flags(), "--checkpoint=best") == 0
    folder = run.directory / "best"
    assert f"checkpoint: {folder}/best_ckpt-8, the best one; the run has 300, 400, best\n" in (
        exports.report(out)
    )
    assert (
        f"checkpoint: the best by validation_loss: 5.94543 ({folder}/info.json)\n"
        in exports.report(out)
    )


def test_full_verification(tmp_path: pathlib.Path) -> None:
    flags = [*sources.EMA.flags(), "--checkpoint=best", "--weights=ema"]
    assert exports.export(tmp_path / "export", *flags, verify="full") == 0
