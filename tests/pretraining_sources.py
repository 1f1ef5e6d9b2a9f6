"""Pre-training runs among the test data as TF-NLP itself restores them: nothing of ours is used."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import gin
import numpy as np
import tensorflow as tf
import tf_keras
import yaml
from official.modeling import tf_utils
from official.nlp.configs import encoders as tfnlp_encoders
from official.nlp.modeling import layers as tfnlp_layers
from official.nlp.modeling import models as tfnlp_models

from tests import testing

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_AVERAGE = "/.OPTIMIZER_SLOT/optimizer/average"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run among the test data.

    Attributes:
      name: Its directory.
      vocabulary: The flag that names its vocabulary.
      others: Other flags that it needs.
    """

    name: str
    vocabulary: str = f"--vocab_file={testing.TESTDATA}/uncased/vocab.txt"
    others: tuple[str, ...] = ()

    @property
    def directory(self) -> pathlib.Path:
        """Where it is."""
        return testing.TESTDATA / self.name

    def flags(self) -> list[str]:
        """Returns the launcher's flags that name it."""
        return [f"--pretraining_dir={self.directory}", self.vocabulary, *self.others]

    def case(self) -> testing.Case:
        """Returns its encoder's configuration."""
        model = yaml.safe_load((self.directory / "params.yaml").read_text())["task"]["model"]
        encoder = model["encoder"]
        config = encoder[encoder["type"]]
        return testing.Case(
            self.name, encoder["type"], config, mlm_activation=model["mlm_activation"]
        )

    def source(self, checkpoint: str, *, averages: bool = False) -> testing.Source:
        """Builds the run's model, with its gin file, and gives it the values of a checkpoint.

        Args:
          checkpoint: The prefix below the run's directory.
          averages: Whether the variables get, in place of their own values, those that the
            optimizer keeps in their slots "average". Variables without this slot keep their own.
        """
        prefix = str(self.directory / checkpoint)
        source = _build(self.case(), next(self.directory.glob("operative_config.*.gin")))
        saved = tf.train.Checkpoint(**source.pretrainer.checkpoint_items)
        saved.read(prefix).expect_partial().assert_existing_objects_matched()
        if averages:
            _take_slots(source, prefix)
        return source


# No "uncased" in the path tells the casing of this vocabulary.
BERT = Run(
    "bert_tiny",
    f"--vocab_file={testing.TESTDATA}/bert_tiny/vocab.txt",
    ("--do_lower_case=true",),
)
ALBERT = Run("albert_tiny", f"--sp_model_file={testing.TESTDATA}/spm/spm.model")
TALKING_HEADS = Run("talking_heads_tiny")
PRE_NORM = Run("pre_norm_tiny")
EMA = Run("ema_tiny")


def _build(case: testing.Case, gin_file: pathlib.Path) -> testing.Source:
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config_file(str(gin_file), skip_unknown=True)
        network = tfnlp_encoders.build_encoder(case.encoder_config())
        gin.clear_config()
    head = tfnlp_layers.ClassificationHead(case.get("hidden_size"), 2, name="next_sentence")
    pretrainer = tfnlp_models.BertPretrainerV2(
        network,
        mlm_activation=tf_utils.get_activation(case.mlm_activation),
        classification_heads=[head],
    )
    symbolic = {name: tf_keras.Input([None], dtype=tf.int32) for name in testing.INPUT_NAMES}
    # Makes the heads' variables.
    sequence_output = network(symbolic)["sequence_output"]
    pretrainer.masked_lm(sequence_output, masked_positions=symbolic["input_mask"])
    head(sequence_output)
    return testing.Source(network, pretrainer, head)


def _take_slots(source: testing.Source, prefix: str) -> None:
    """Gives variables what is stored in their slots, found by the values that they have now."""
    values = stored(prefix)
    slots = {key: key.replace(_VALUE, f"{_AVERAGE}{_VALUE}") for key in values}
    num_taken = 0
    for variable in source.variables(with_mlm=True):
        own = variable.numpy()
        keys = [key for key in values if _AVERAGE not in key and _same(values[key], own)]
        found = [values[slots[key]] for key in keys if slots[key] in values]
        # Where several variables have equal values, they must have equal averages as well.
        assert all(_same(found[0], other) for other in found)
        if found:
            variable.assign(found[0])
            num_taken += 1
    assert num_taken == sum(_AVERAGE in key for key in values)


def stored(prefix: str) -> dict[str, np.ndarray]:
    """Returns a checkpoint's floating-point values by their keys."""
    reader = tf.train.load_checkpoint(prefix)
    types = reader.get_variable_to_dtype_map()
    return {key: reader.get_tensor(key) for key in types if types[key] == tf.float32}


def average_keys(values: dict[str, Any]) -> dict[str, str]:
    """Returns the keys of averages by the keys of the values that they are averages of."""
    slots = {key.replace(_AVERAGE, ""): key for key in values if _AVERAGE in key}
    return {key: slot for key, slot in slots.items() if key in values}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.all(one == other))
