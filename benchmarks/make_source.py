"""Makes the files of one encoder: `python -m benchmarks.make_source --size=base --folder=...`."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras
import yaml
from absl import app, flags
from official.modeling import tf_utils
from official.nlp.configs import encoders
from official.nlp.modeling import layers, models

from benchmarks import sentence_encoder, sizes, sources, texts

_RUN = sources.ROOT / "tests" / "testdata" / "bert_tiny"
_RUN_CHECKPOINT = "ckpt-6000"
_SEED = 20201012

_SIZE = flags.DEFINE_enum("size", None, list(sizes.SIZES), "Which encoder.", required=True)
_SENTENCE_MODEL = flags.DEFINE_string(
    "sentence_model", None, "A folder with weights and vocabulary, see `sentence_encoder`."
)
_FOLDER = flags.DEFINE_string("folder", None, "The folder to make.", required=True)


def make(
    size: sizes.Size, folder: pathlib.Path, sentence_model: pathlib.Path | None = None
) -> None:
    """Writes an encoder's checkpoint, configuration and vocabulary.

    Args:
      size: Which encoder.
      folder: The folder to make.
      sentence_model: Where weights, vocabulary and configuration are taken from in place of random
        ones.
    """
    folder.mkdir(parents=True)
    source = sources.Source(folder)
    if size.bundled:
        params = yaml.safe_load((_RUN / "params.yaml").read_text(encoding="utf-8"))
        encoder = params["task"]["model"]["encoder"]
        shutil.copy(_RUN / "vocab.txt", source.vocabulary)
    elif sentence_model is not None:
        encoder = {"type": "bert", "bert": sentence_encoder.config(sentence_model)}
        shutil.copy(sentence_model / sentence_encoder.VOCABULARY_FILE, source.vocabulary)
    else:
        encoder = {"type": "bert", "bert": dict(size.encoder)}
        pieces = texts.wordpieces(size.encoder["vocab_size"])
        source.vocabulary.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    source.encoder_config.write_text(yaml.safe_dump(encoder), encoding="utf-8")
    pretrainer = _build(encoder)
    if size.bundled:
        _restore(pretrainer, str(_RUN / _RUN_CHECKPOINT))
    else:
        _vary(pretrainer)
    if sentence_model is not None:
        sentence_encoder.assign(pretrainer.encoder_network, sentence_model)
    _save(pretrainer, source)


def _build(encoder: dict[str, Any]) -> models.BertPretrainerV2:
    """Builds what pre-training has: the encoder and the heads of both tasks."""
    tf_keras.utils.set_random_seed(_SEED)
    config = encoders.EncoderConfig()
    config.override(encoder, is_strict=True)
    next_sentence = layers.ClassificationHead(
        inner_dim=config.get().hidden_size, num_classes=2, name="next_sentence"
    )
    pretrainer = models.BertPretrainerV2(
        encoders.build_encoder(config),
        mlm_activation=tf_utils.get_activation(config.get().hidden_activation),
        classification_heads=[next_sentence],
    )
    pretrainer.call(pretrainer.inputs)  # The heads create their variables.
    return pretrainer


def _vary(pretrainer: models.BertPretrainerV2) -> None:
    """Gives biases and norms' gammas varied values, as training does."""
    for variable in pretrainer.variables:
        variable.assign_add(tf.random.normal(variable.shape, stddev=0.01))


def _restore(pretrainer: models.BertPretrainerV2, prefix: str) -> None:
    status = tf.train.Checkpoint(**pretrainer.checkpoint_items).read(prefix)
    status.assert_existing_objects_matched().expect_partial()


def _save(pretrainer: models.BertPretrainerV2, source: sources.Source) -> None:
    # The predecessor restores a counter of saves, too, which `Checkpoint.write` does not write.
    prefix = source.checkpoint.removesuffix("-1")
    path = tf.train.Checkpoint(**pretrainer.checkpoint_items).save(prefix)
    if path != source.checkpoint:
        raise RuntimeError(f"The checkpoint must be {source.checkpoint}; it is {path}.")


def main(argv: Sequence[str]) -> None:
    """Writes what the flags ask for."""
    del argv
    model = pathlib.Path(_SENTENCE_MODEL.value) if _SENTENCE_MODEL.value else None
    make(sizes.SIZES[_SIZE.value], pathlib.Path(_FOLDER.value), model)


if __name__ == "__main__":
    app.run(main)
