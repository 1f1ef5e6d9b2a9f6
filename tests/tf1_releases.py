"""Folders as original BERT and ALBERT were released in: TF1 checkpoints with their files."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests import numpy_bert, testing

BERT: Mapping[str, Any] = {
    "attention_probs_dropout_prob": 0.1,
    "directionality": "bidi",
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 48,
    "max_position_embeddings": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 6,
    "pooler_fc_size": 768,
    "pooler_num_attention_heads": 12,
    "pooler_num_fc_layers": 3,
    "pooler_size_per_head": 128,
    "pooler_type": "first_token_transform",
    "type_vocab_size": 2,
    "vocab_size": 360,
}
ALBERT: Mapping[str, Any] = {
    "attention_probs_dropout_prob": 0,
    "down_scale_factor": 1,
    "embedding_size": 10,
    "gap_size": 0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0,
    "hidden_size": 24,
    "initializer_range": 0.02,
    "inner_group_num": 1,
    "intermediate_size": 48,
    "max_position_embeddings": 32,
    "net_type": 0,
    "num_attention_heads": 4,
    "num_hidden_groups": 1,
    "num_hidden_layers": 6,
    "num_memory_blocks": 0,
    "type_vocab_size": 2,
    "vocab_size": 1000,
}
STEP = 1000000
Values = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Release:
    """A folder and what is in it.

    Attributes:
      folder: The folder.
      prefix: The checkpoint's prefix.
      bert: The model that it holds.
    """

    folder: pathlib.Path
    prefix: str
    bert: numpy_bert.Bert

    def flags(self, **changes: str | None) -> list[str]:
        """Returns the launcher's flags that name the files; None leaves one out."""
        flags: dict[str, Any] = {"model_checkpoint_path": self.prefix}
        if self.bert.is_albert:
            flags["bert_config_file"] = self.folder / "albert_config.json"
            flags["sp_model_file"] = self.folder / "30k-clean.model"
        else:
            flags["bert_config_file"] = self.folder / "bert_config.json"
            flags["vocab_file"] = self.folder / "vocab.txt"
        return [f"--{name}={v}" for name, v in {**flags, **changes}.items() if v is not None]


def write(
    folder: pathlib.Path,
    *,
    heads: bool = True,
    slots: Sequence[str] = ("adam_m", "adam_v"),
    capitals: bool = False,
) -> Release:
    """Writes a BERT.

    Args:
      folder: A new folder, named as releases are: `uncased_L-6_H-24_A-4`.
      heads: Whether the checkpoint has both heads of pre-training.
      slots: What the optimizer keeps of each value.
      capitals: Whether the vocabulary is cased.
    """
    values = _bert_values(BERT) | (_head_values(BERT, BERT["hidden_size"]) if heads else {})
    prefix = _write(folder, "bert_model.ckpt", values, slots)
    (folder / "bert_config.json").write_text(json.dumps(BERT, indent=2) + "\n")
    pieces = ["[PAD]", *(f"[unused{i}]" for i in range(3)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += ["hello", "world", "##s", *(["Hello"] if capitals else ["cafe"])]
    count = BERT["vocab_size"] - len(pieces)
    pieces += [f"{'Ww'[i % 2] if capitals else 'w'}ord{i}" for i in range(count)]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    return Release(folder, prefix, numpy_bert.Bert(BERT, values))


def write_albert(folder: pathlib.Path) -> Release:
    """Writes an ALBERT, with the bundled SentencePiece model as its own."""
    values = _albert_values(ALBERT) | _head_values(ALBERT, ALBERT["embedding_size"])
    prefix = _write(folder, "model.ckpt-best", values, ("lamb_m", "lamb_v"))
    (folder / "albert_config.json").write_text(json.dumps(ALBERT, indent=2) + "\n")
    shutil.copyfile(testing.TESTDATA / "spm" / "spm.model", folder / "30k-clean.model")
    return Release(folder, prefix, numpy_bert.Bert(ALBERT, values))


def _write(folder: pathlib.Path, name: str, values: Values, slots: Sequence[str]) -> str:
    """Writes the files of a checkpoint as TF1 does, `.meta` too, and returns its prefix."""
    folder.mkdir(parents=True)
    stored = dict(values)
    for key, value in values.items():
        stored |= {f"{key}/{slot}": np.zeros_like(value) for slot in slots}
    stored["global_step"] = np.array(STEP, np.int64)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.Variable(value, name=key) for key, value in stored.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables)
        # The file `checkpoint` is no part of releases.
        return saver.save(session, str(folder / name), write_state=False)


def _bert_values(config: Mapping[str, Any]) -> Values:
    random = np.random.default_rng(6)
    width, inner = config["hidden_size"], config["intermediate_size"]
    values = dict(_embeddings(random, config, width))
    for number in range(config["num_hidden_layers"]):
        layer = f"bert/encoder/layer_{number}"
        for part in ("query", "key", "value"):
            values |= _dense(random, f"{layer}/attention/self/{part}", width, width)
        values |= _dense(random, f"{layer}/attention/output/dense", width, width)
        values |= _norm(random, f"{layer}/attention/output/LayerNorm", width)
        values |= _dense(random, f"{layer}/intermediate/dense", width, inner)
        values |= _dense(random, f"{layer}/output/dense", inner, width)
        values |= _norm(random, f"{layer}/output/LayerNorm", width)
    return values | _dense(random, "bert/pooler/dense", width, width)


def _albert_values(config: Mapping[str, Any]) -> Values:
    random = np.random.default_rng(7)
    narrow, width = config["embedding_size"], config["hidden_size"]
    inner = config["intermediate_size"]
    layer = "bert/encoder/transformer/group_0/inner_group_0"
    values = dict(_embeddings(random, config, narrow))
    values |= _dense(random, "bert/encoder/embedding_hidden_mapping_in", narrow, width)
    for part in ("query", "key", "value"):
        values |= _dense(random, f"{layer}/attention_1/self/{part}", width, width)
    values |= _dense(random, f"{layer}/attention_1/output/dense", width, width)
    values |= _norm(random, f"{layer}/LayerNorm", width)
    values |= _norm(random, f"{layer}/LayerNorm_1", width)
    values |= _dense(random, f"{layer}/ffn_1/intermediate/dense", width, inner)
    values |= _dense(random, f"{layer}/ffn_1/intermediate/output/dense", inner, width)
    return values | _dense(random, "bert/pooler/dense", width, width)


def _head_values(config: Mapping[str, Any], width: int) -> Values:
    """The heads' values; `width` is that of the embeddings."""
    random = np.random.default_rng(8)
    hidden = config["hidden_size"]
    values = _dense(random, "cls/predictions/transform/dense", hidden, width)
    values |= _norm(random, "cls/predictions/transform/LayerNorm", width)
    values["cls/predictions/output_bias"] = _array(random, config["vocab_size"])
    values["cls/seq_relationship/output_weights"] = _array(random, 2, hidden)
    values["cls/seq_relationship/output_bias"] = _array(random, 2)
    return values


def _embeddings(
    random: np.random.Generator, config: Mapping[str, Any], width: int
) -> Iterator[tuple[str, np.ndarray]]:
    for name, size in (
        ("word", config["vocab_size"]),
        ("token_type", config["type_vocab_size"]),
        ("position", config["max_position_embeddings"]),
    ):
        yield f"bert/embeddings/{name}_embeddings", _array(random, size, width)
    yield from _norm(random, "bert/embeddings/LayerNorm", width).items()


def _dense(random: np.random.Generator, name: str, inputs: int, outputs: int) -> Values:
    kernel = _array(random, inputs, outputs) * np.float32(2 / np.sqrt(inputs))
    return {f"{name}/kernel": kernel, f"{name}/bias": _array(random, outputs)}


def _norm(random: np.random.Generator, name: str, width: int) -> Values:
    return {f"{name}/beta": _array(random, width), f"{name}/gamma": 1 + _array(random, width)}


def _array(random: np.random.Generator, *shape: int) -> np.ndarray:
    return (0.5 * random.normal(size=shape)).astype(np.float32)
