"""Tiny source checkpoints, made by TF-NLP's own code.

The weights are no random ones: every value differs from all others and no matrix is near a singular
one, so that swapped variables, transposed kernels and shifted positions show in the outputs.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
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

from tests import source_calls

TESTDATA = pathlib.Path(__file__).parent / "testdata"
INPUT_NAMES = source_calls.INPUT_NAMES
OUTPUT_NAMES = ("pooled_output", "sequence_output", "encoder_outputs")
POSITIONS_NAME = "masked_lm_positions"
VOCABULARY_SIZE = 40
_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# What `tf.train.Checkpoint(...)` may be given, by name of the layout.
LAYOUTS = ("items", "encoder", "model", "model=pretrainer", "pretrainer")


@dataclasses.dataclass(frozen=True)
class Case:
    """A pre-trained encoder to be exported.

    Attributes:
      name: Also the name of the test.
      type: The encoder's type in `EncoderConfig`.
      config: The fields of that type's configuration.
      layout: How the checkpoint holds it, one of `LAYOUTS`.
      config_file: What describes the encoder: "encoder.yaml", "params.yaml" or "bert_config.json".
      mlm_activation: Of the head in pre-training. Only params.yaml can say it; elsewhere it is the
        encoder's own.
      sentencepiece: Whether the tokenizer is the bundled SentencePiece model.
      gin_bindings: What pre-training had in a gin file.
    """

    name: str
    type: str
    config: Mapping[str, Any] = dataclasses.field(hash=False)
    layout: str = "items"
    config_file: str = "encoder.yaml"
    mlm_activation: str = "gelu"
    sentencepiece: bool = False
    gin_bindings: tuple[str, ...] = ()

    @property
    def has_masked_lm(self) -> bool:
        """Whether the checkpoint has the masked-language-model head."""
        return self.layout not in ("encoder", "model") and self.type != "xlnet"

    def get(self, *names: str) -> Any:
        """Returns the configuration's field of the first of these names that there is."""
        config = self.encoder_config().get()
        return next(getattr(config, name) for name in names if hasattr(config, name))

    @property
    def vocab_size(self) -> int:
        """The number of rows of the word embedding table."""
        return self.get("vocab_size", "word_vocab_size")

    @property
    def type_vocab_size(self) -> int:
        """The number of types of tokens."""
        return 2 if self.type == "xlnet" else self.get("type_vocab_size")

    @property
    def max_length(self) -> int:
        """The longest sequence; for XLNet, which takes any, one of them."""
        if self.type == "xlnet":
            return 16
        return self.get("max_position_embeddings", "max_sequence_length")

    @property
    def dropout_rate(self) -> float:
        """The rate after the layers."""
        return self.get("dropout_rate", "hidden_dropout_prob")

    def encoder_config(self) -> tfnlp_encoders.EncoderConfig:
        """Returns TF-NLP's configuration."""
        config = tfnlp_encoders.EncoderConfig(type=self.type)
        config.override({self.type: dict(self.config)}, is_strict=True)
        return config


@dataclasses.dataclass(frozen=True)
class Source:
    """An encoder with its heads, as TF-NLP builds them.

    Attributes:
      network: The encoder.
      pretrainer: What it was, or is to be, pre-trained in; for XLNet without variables of its own.
      next_sentence: The head of the other task of pre-training.
    """

    network: tf_keras.layers.Layer
    pretrainer: tfnlp_models.BertPretrainerV2 | tfnlp_models.XLNetPretrainer
    next_sentence: tfnlp_layers.ClassificationHead

    @property
    def masked_lm(self) -> tfnlp_layers.MaskedLM:
        """The masked-language-model head."""
        return self.pretrainer.masked_lm

    def items(self, layout: str) -> dict[str, Any]:
        """Returns what `tf.train.Checkpoint(...)` is given for a layout."""
        return {
            "items": self.pretrainer.checkpoint_items,
            "encoder": {"encoder": self.network},
            "model": {"model": self.network},
            "model=pretrainer": {"model": self.pretrainer},
            "pretrainer": {"pretrainer": self.pretrainer},
        }[layout]

    def variables(self, *, with_mlm: bool) -> list[tf.Variable]:
        """Returns the encoder's variables, then the head's, each once."""
        head = self.masked_lm.variables if with_mlm else []
        return _once([*self.network.variables, *head])

    def trainable_variables(self, *, with_mlm: bool) -> list[tf.Variable]:
        """Returns the trainable variables of the encoder, then the head's, each once."""
        head = self.masked_lm.trainable_variables if with_mlm else []
        return _once([*self.network.trainable_variables, *head])

    def __call__(
        self, inputs: Mapping[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor | list[tf.Tensor]]:
        """Returns what the export is to return, with `mlm_logits` where there are positions."""
        encoder_inputs = {name: inputs[name] for name in INPUT_NAMES}
        raw = source_calls.call(self.network, encoder_inputs, training)
        outputs = {name: raw[name] for name in OUTPUT_NAMES}
        outputs["default"] = outputs["pooled_output"]
        if POSITIONS_NAME in inputs:
            outputs["mlm_logits"] = self.masked_lm(
                outputs["sequence_output"], masked_positions=inputs[POSITIONS_NAME]
            )
        return outputs


@dataclasses.dataclass(frozen=True)
class SourceFiles:
    """What a case's pre-training left.

    Attributes:
      case: The case.
      folder: Where all of it is.
      prefix: The checkpoint's prefix.
      source: The encoder, restored from there by `tf.train.Checkpoint`, nothing of ours used.
    """

    case: Case
    folder: pathlib.Path
    prefix: str
    source: Source

    @property
    def vocabulary(self) -> pathlib.Path:
        """The tokenizer's file."""
        return self.folder / ("spm.model" if self.case.sentencepiece else "vocab.txt")

    def flags(self) -> list[str]:
        """Returns the launcher's flags that name the files."""
        config_flag = (
            "bert_config_file" if self.case.config_file.endswith(".json") else "encoder_config_file"
        )
        vocabulary_flag = "sp_model_file" if self.case.sentencepiece else "vocab_file"
        return [
            f"--{config_flag}={self.folder / self.case.config_file}",
            f"--model_checkpoint_path={self.prefix}",
            f"--{vocabulary_flag}={self.vocabulary}",
            *(f"--gin_params={binding}" for binding in self.case.gin_bindings),
        ]

    def restore(self) -> Source:
        """Gives the source's weights back the values that are in the checkpoint."""
        for variable in self.source.pretrainer.variables:
            variable.assign(tf.zeros_like(variable))
        checkpoint = tf.train.Checkpoint(**self.source.items(self.case.layout))
        checkpoint.read(self.prefix).assert_existing_objects_matched()
        return self.source


def build(case: Case) -> Source:
    """Builds a case's encoder with the heads that pre-training had."""
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config(case.gin_bindings)
        network = tfnlp_encoders.build_encoder(case.encoder_config())
        gin.clear_config()
    next_sentence = tfnlp_layers.ClassificationHead(
        inner_dim=case.get("hidden_size"), num_classes=2, name="next_sentence"
    )
    # Makes the variables.
    example = {name: tf.ones([1, 2], tf.int32) for name in INPUT_NAMES}
    sequence_output = source_calls.call(network, example)["sequence_output"]
    next_sentence(sequence_output)
    if case.type == "xlnet":
        return Source(network, tfnlp_models.XLNetPretrainer(network), next_sentence)
    pretrainer = tfnlp_models.BertPretrainerV2(
        network,
        mlm_activation=tf_utils.get_activation(case.mlm_activation),
        classification_heads=[next_sentence],
    )
    pretrainer.masked_lm(sequence_output, masked_positions=tf.zeros([1, 1], tf.int32))
    return Source(network, pretrainer, next_sentence)


def write_files(
    case: Case, folder: pathlib.Path, *, change: Callable[[Source], None] | None = None
) -> SourceFiles:
    """Writes what pre-training leaves: checkpoint, configuration and vocabulary.

    Args:
      case: The case.
      folder: A new or empty folder.
      change: Changes the weights before they are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = build(case)
    fill(_once(source.pretrainer.variables))
    if change is not None:
        change(source)
    prefix = tf.train.Checkpoint(**source.items(case.layout)).write(str(folder / "bert_model.ckpt"))
    (folder / case.config_file).write_text(_config_text(case), encoding="utf-8")
    files = SourceFiles(case, folder, prefix, source)
    write_vocabulary(files.vocabulary, case.vocab_size)
    files.restore()
    return files


def fill(variables: Sequence[tf.Variable]) -> None:
    """Gives variables their values: a running counter through a chirp, norms' gammas around 1.

    The chirp is no plain sine: of such a matrix, only two rows would be independent.
    """
    start = 1
    for variable in variables:
        count = math.prod(variable.shape)
        counter = np.arange(start, start + count, dtype=np.float64)
        values = np.sin(0.7 * counter**1.5).reshape(variable.shape)
        name = variable.name.removesuffix(":0").rpartition("/")[2]
        if name == "gamma":
            values = 1.0 + 0.2 * values
        elif name in ("beta", "bias"):
            values = 0.2 * values
        else:
            values = 0.5 * values
        variable.assign(values.astype(np.float32))
        start += count


def write_vocabulary(path: pathlib.Path, size: int) -> None:
    """Writes a WordPiece vocabulary, or the bundled SentencePiece model where that is asked for."""
    if path.suffix == ".model":
        path.write_bytes((TESTDATA / "spm" / "spm.model").read_bytes())
        return
    # Cased: with no capital in it, the exporter would want text lower-cased.
    words = [f"{'Ww'[i % 2]}ord{i}" for i in range(size - len(_SPECIAL_TOKENS))]
    path.write_text("\n".join([*_SPECIAL_TOKENS, *words]) + "\n", encoding="utf-8")


def _config_text(case: Case) -> str:
    encoder = {"type": case.type, case.type: dict(case.config)}
    if case.config_file == "encoder.yaml":
        return yaml.safe_dump(encoder)
    if case.config_file == "params.yaml":
        model = {"encoder": encoder, "mlm_activation": case.mlm_activation}
        return yaml.safe_dump({"task": {"model": model}})
    names = {"num_hidden_layers": "num_layers", "hidden_act": "hidden_activation"}
    names |= {"hidden_dropout_prob": "dropout_rate"}
    names |= {"attention_probs_dropout_prob": "attention_dropout_rate"}
    theirs = {ours: name for name, ours in names.items()}
    return json.dumps({theirs.get(name, name): value for name, value in case.config.items()})


def _once(variables: Sequence[tf.Variable]) -> list[tf.Variable]:
    return list({id(variable): variable for variable in variables}.values())
