"""Runs of TF-NLP's trainer with encoders of a user's own, as it leaves them on disk."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import hyperparams, tf_utils
from official.nlp.configs import bert
from official.nlp.configs import encoders as tfnlp_encoders
from official.nlp.modeling import layers as tfnlp_layers
from official.nlp.modeling import models as tfnlp_models

from tests import testing

SIZES: dict[str, Any] = {
    "vocab_size": testing.VOCABULARY_SIZE,
    "hidden_size": 8,
    "num_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 24,
    "type_vocab_size": 3,
    "hidden_activation": "relu",
}
_STEP = 300


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's directory.

    Attributes:
      directory: The directory.
      source: The encoder that was trained, with its heads.
      encoder: Its configuration.
    """

    directory: pathlib.Path
    source: testing.Source
    encoder: Any

    @property
    def config(self) -> tfnlp_encoders.EncoderConfig:
        """What stands in its params.yaml."""
        return _any(self.encoder)

    @property
    def prefix(self) -> str:
        """Its checkpoint's."""
        return str(self.directory / f"ckpt-{_STEP}")

    def flags(self) -> list[str]:
        """Returns the launcher's flags that name it."""
        return [
            f"--pretraining_dir={self.directory}",
            f"--vocab_file={self.directory}/vocab.txt",
            "--export_type=model_with_mlm",
        ]

    def source_as(self, encoder_type: str) -> testing.Source:
        """Restores the run's values to an encoder of another type, by TensorFlow alone."""
        names = {field.name for field in dataclasses.fields(tfnlp_encoders.BertEncoderConfig)}
        fields = {name: v for name, v in self.encoder.as_dict().items() if name in names}
        config = tfnlp_encoders.EncoderConfig(type=encoder_type)
        config.override({encoder_type: fields}, is_strict=True)
        source = _with_heads(tfnlp_encoders.build_encoder(config), self.encoder)
        saved = tf.train.Checkpoint(**source.pretrainer.checkpoint_items)
        saved.read(self.prefix).expect_partial().assert_existing_objects_matched()
        return source


def write(directory: pathlib.Path, encoder: Any) -> Run:
    """Writes params.yaml, a checkpoint and the vocabulary.

    Args:
      directory: A new folder.
      encoder: The configuration that stands under `any`.
    """
    directory.mkdir()
    config = _any(encoder)
    source = _with_heads(tfnlp_encoders.build_encoder(config), encoder)
    testing.fill(source.pretrainer.variables)
    optimizer = tf_keras.optimizers.legacy.Adam()
    model = bert.PretrainerConfig(encoder=config, mlm_activation="tanh")
    params = hyperparams.Config({"task": {"model": model.as_dict()}})
    hyperparams.save_params_dict_to_yaml(params, str(directory / "params.yaml"))
    step = tf.Variable(_STEP, dtype=tf.int64)
    items = {"optimizer": optimizer, "global_step": step, **source.pretrainer.checkpoint_items}
    saved = tf.train.Checkpoint(model=source.pretrainer, **items)
    tf.train.CheckpointManager(saved, str(directory), max_to_keep=1).save(_STEP)
    testing.write_vocabulary(directory / "vocab.txt", testing.VOCABULARY_SIZE)
    return Run(directory, source, encoder)


def _any(encoder: Any) -> tfnlp_encoders.EncoderConfig:
    config = tfnlp_encoders.EncoderConfig(type="any")
    config.any = encoder
    return config


def _with_heads(network: tf_keras.layers.Layer, encoder: Any) -> testing.Source:
    head = tfnlp_layers.ClassificationHead(encoder.hidden_size, 2, name="next_sentence")
    pretrainer = tfnlp_models.BertPretrainerV2(
        network, mlm_activation=tf_utils.get_activation("tanh"), classification_heads=[head]
    )
    symbolic = {name: tf_keras.Input([None], dtype=tf.int32) for name in testing.INPUT_NAMES}
    # Makes the variables.
    sequence_output = network(symbolic)["sequence_output"]
    pretrainer.masked_lm(sequence_output, masked_positions=symbolic["input_mask"])
    head(sequence_output)
    return testing.Source(network, pretrainer, head)
