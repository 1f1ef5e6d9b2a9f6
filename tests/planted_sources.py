"""Pre-training results to plant mistakes in: real ones, whole and damaged."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import yaml

from tests import testing

RUN = testing.TESTDATA / "bert_tiny"
RUN_PREFIX = RUN / "ckpt-6000"
BERT: Mapping[str, Any] = {
    "vocab_size": testing.VOCABULARY_SIZE,
    "hidden_size": 8,
    "num_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "type_vocab_size": 3,
}
_MOBILEBERT: Mapping[str, Any] = {
    "word_vocab_size": testing.VOCABULARY_SIZE,
    "word_embed_size": 6,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_blocks": 2,
    "intermediate_size": 12,
    "intra_bottleneck_size": 6,
    "max_sequence_length": 16,
    "type_vocab_size": 3,
}
_SCAFFOLD = "build_encoder.encoder_cls = @EncoderScaffold"
_TRANSFORMER = "EncoderScaffold.hidden_cls = @TransformerScaffold"
TALKING_HEADS = (
    _SCAFFOLD,
    _TRANSFORMER,
    "TransformerScaffold.attention_cls = @TalkingHeadsAttention",
)
GATED = (_SCAFFOLD, _TRANSFORMER, "TransformerScaffold.feedforward_cls = @GatedFeedforward")
REZERO = (_SCAFFOLD, "EncoderScaffold.hidden_cls = @ReZeroTransformer")
CASES: Mapping[str, testing.Case] = {
    case.name: case
    for case in (
        testing.Case("bert", "bert", BERT),
        testing.Case("talking_heads", "bert", BERT, gin_bindings=TALKING_HEADS),
        testing.Case("gated", "bert", BERT, gin_bindings=GATED),
        testing.Case("rezero", "bert", BERT, gin_bindings=REZERO),
        testing.Case("projected", "bert", {**BERT, "embedding_size": 6}),
        testing.Case(
            "albert",
            "albert",
            {**BERT, "embedding_width": 6, "vocab_size": 1000},
            sentencepiece=True,
        ),
        testing.Case("mobilebert", "mobilebert", _MOBILEBERT),
        testing.Case("kernel", "kernel", BERT),
        testing.Case("encoder_only", "bert", BERT, layout="encoder"),
    )
}
Values = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Sources:
    """Pre-training results, each made when it is first asked for.

    Attributes:
      folder: Where all of them are.
    """

    folder: pathlib.Path

    @functools.cache  # noqa: B019 (as long as the tests run)
    def case(self, name: str) -> testing.SourceFiles:
        """Returns the files of one of `CASES`."""
        return testing.write_files(CASES[name], self.folder / name)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a mistake is made.

    Attributes:
      folder: An empty folder of its own.
      sources: What is shared.
    """

    folder: pathlib.Path
    sources: Sources

    def prefix(self, name: str) -> str:
        """Returns the prefix of a case's checkpoint."""
        return self.sources.case(name).prefix

    def config(self, encoder_type: str, **fields: Any) -> str:
        """Writes the configuration of an encoder and returns its path.

        Args:
          encoder_type: A name in `CASES`.
          **fields: What is other than there; None to leave it out.
        """
        case = CASES[encoder_type]
        merged = {**case.config, **fields}
        encoder = {name: value for name, value in merged.items() if value is not None}
        return self.write("encoder.yaml", yaml.safe_dump({"type": case.type, case.type: encoder}))

    def run_config(self, **fields: Any) -> str:
        """Writes the bundled run's encoder configuration, changed, and returns its path."""
        encoder = yaml.safe_load((RUN / "params.yaml").read_text())["task"]["model"]["encoder"]
        encoder["bert"].update(fields)
        return self.write("encoder.yaml", yaml.safe_dump(encoder))

    def write(self, name: str, text: str) -> str:
        """Writes a file and returns its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def vocabulary(self, change: Callable[[list[str]], Sequence[str]], of_run: bool = False) -> str:
        """Writes a changed vocabulary, the run's or that of the cases, and returns its path."""
        original = RUN / "vocab.txt" if of_run else self.sources.case("bert").vocabulary
        pieces = original.read_text(encoding="utf-8").splitlines()
        return self.write("vocab.txt", "\n".join(change(pieces)) + "\n")

    def copy_of_run(self) -> pathlib.Path:
        """Copies the bundled run to a place where it may be damaged."""
        return pathlib.Path(shutil.copytree(RUN, self.folder / "run"))

    def changed_checkpoint(self, change: Callable[[testing.Source], dict[str, Any] | None]) -> str:
        """Writes a checkpoint of "bert" with other values and returns its prefix.

        Args:
          change: Changes the values, or returns what else `tf.train.Checkpoint` is to be given.
        """
        files = self.sources.case("bert")
        try:
            items = change(files.source) or files.source.items("items")
            return str(tf.train.Checkpoint(**items).write(str(self.folder / "bert_model.ckpt")))
        finally:
            files.restore()

    def tf1_checkpoint(
        self, change: Callable[[Values], Values] = dict, albert: bool = False
    ) -> str:
        """Writes a TF1 checkpoint of the sizes of `BERT` and returns its prefix."""
        values = change(_tf1_albert_values() if albert else _tf1_values())
        prefix = str(self.folder / "model.ckpt")
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=list(values.values()),
        )
        return prefix


def _tf1_values() -> Values:
    values = _tf1_embeddings(8)
    for layer in range(3):
        values |= _tf1_layer(f"bert/encoder/layer_{layer}")
    return values | _tf1_heads()


def _tf1_albert_values() -> Values:
    values = _tf1_embeddings(6)
    values |= _dense("bert/encoder/embedding_hidden_mapping_in", 6, 8)
    prefix = "bert/encoder/transformer/group_0/inner_group_0"
    names = {
        "attention/self": "attention_1/self",
        "attention/output/dense": "attention_1/output/dense",
        "attention/output/LayerNorm": "LayerNorm",
        "intermediate/dense": "ffn_1/intermediate/dense",
        "output/dense": "ffn_1/intermediate/output/dense",
        "output/LayerNorm": "LayerNorm_1",
    }
    for name, value in _tf1_layer("layer").items():
        path = name.removeprefix("layer/")
        old = next(old for old in names if path.startswith(old))
        values[f"{prefix}/{names[old]}{path.removeprefix(old)}"] = value
    return values | _tf1_heads()


def _tf1_embeddings(width: int) -> Values:
    tables = {"word": testing.VOCABULARY_SIZE, "position": 16, "token_type": 3}
    values = {
        f"bert/embeddings/{name}_embeddings": _array(size, width) for name, size in tables.items()
    }
    return values | _norm("bert/embeddings/LayerNorm", width)


def _tf1_layer(prefix: str) -> Values:
    values: Values = {}
    for name in ("query", "key", "value"):
        values |= _dense(f"{prefix}/attention/self/{name}", 8, 8)
    values |= _dense(f"{prefix}/attention/output/dense", 8, 8)
    values |= _norm(f"{prefix}/attention/output/LayerNorm", 8)
    values |= _dense(f"{prefix}/intermediate/dense", 8, 12)
    values |= _dense(f"{prefix}/output/dense", 12, 8)
    return values | _norm(f"{prefix}/output/LayerNorm", 8)


def _tf1_heads() -> Values:
    values = _dense("bert/pooler/dense", 8, 8)
    values["cls/seq_relationship/output_weights"] = _array(2, 8)
    values["cls/seq_relationship/output_bias"] = _array(2)
    return values


def _dense(name: str, inputs: int, outputs: int) -> Values:
    return {f"{name}/kernel": _array(inputs, outputs), f"{name}/bias": _array(outputs)}


def _norm(name: str, width: int) -> Values:
    return {f"{name}/beta": _array(width), f"{name}/gamma": 1 + _array(width)}


def _array(*shape: int) -> np.ndarray:
    count = int(np.prod(shape))
    return (0.1 * np.sin(0.7 * np.arange(1, count + 1) ** 1.5)).reshape(shape).astype(np.float32)
