"""What the shapes of an encoder's values say of its architecture, whoever holds them.

A structure is a table of paths and shapes: `_transformer_layers/0/_attention_layer/_key_dense/bias`
is how Keras objects are nested. Those of a model to be filled and of a checkpoint are read in the
same way, so that they can be compared where they differ.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from exporter import checkpoints

Shape = tuple[int, ...]

# A layer's path ends before the first of these names of its parts.
_LAYER = re.compile(
    r"(?P<layer>.*?\d)/(?P<part>(?:_attention_layer|_attention_cls|_attention_layer_norm"
    r"|_intermediate_dense|_inner_dense|_output_dense|_output_layer_norm|_feedforward_block"
    r"|_feed_forward|block_layers|rezero_alpha)(?:/.*|$))"
)
_IN_LIST = re.compile(r"_(?:transformer|hidden)_layers/(?P<index>\d+)/(?P<part>.*)")
_FUNCTIONAL = re.compile(r"layer_with_weights-(?P<index>\d+)/(?P<rest>.*)")
# Names that are only taken where there are no others, the least liked last.
_RANKS = {"layer_with_weights-": 1, "layer-": 2}
_EMBEDDINGS = ("word embeddings", "position embeddings", "type embeddings")
_EMBEDDING_NAMES = {
    "_embedding_layer/embeddings": "word embeddings",
    "_position_embedding_layer/embeddings": "position embeddings",
    "_type_embedding_layer/embeddings": "type embeddings",
    "layer_with_weights-0/word_embedding/embeddings": "word embeddings",
    "layer_with_weights-0/pos_embedding/embeddings": "position embeddings",
    "layer_with_weights-0/type_embedding/embeddings": "type embeddings",
}
# What is left of a path's names when Keras's additions are taken from them.
_WORDS = (
    (r"_attention_layer_norm", "attention norm"),
    (r"_output_layer_norm", "output norm"),
    (r"_embedding_norm_layer", "embeddings norm"),
    (r"(_embedding_layer/)?_embedding_projection", "embedding projection"),
    (r"_attention_layer|_attention_cls", "attention"),
    (r"_feedforward_block", "feed-forward"),
    (r"_(\w+?)_(dense|layer)", r"\1"),
    (r"output_bias(\.Sbias|/bias)", "output bias"),
    (r"layer_norm/", "norm "),
    (r"word_embedding_proj", "projection"),
    (r"block_layers/", ""),
    (r"masked_lm/", "MLM head: "),
    (r"/", " "),
    (r"(^| )_", r"\1"),
)

# The names of numbers in encoders' configurations, by what they are called here.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_layers", "num_blocks"),
    "hidden size": ("hidden_size",),
    "attention heads": ("num_attention_heads",),
    "inner size": ("intermediate_size", "inner_dim", "inner_size"),
    "vocabulary": ("vocab_size", "word_vocab_size"),
    "embedding size": ("embedding_size", "embedding_width", "word_embed_size"),
    "positions": ("max_position_embeddings", "max_sequence_length"),
    "types": ("type_vocab_size",),
}
_KERNELS = {
    # What is measured: (the end of a path, the dimension).
    "hidden size": (
        (r"/_query_dense/kernel", 0),
        (r"/_intermediate_dense(/0)?/kernel", 0),
        (r"word_embedding_proj/kernel", 1),
    ),
    "inner size": (
        (r"/_intermediate_dense(/0)?/kernel", 1),
        (r"/_inner_dense/kernel", 1),
        (r"/ffn/0/0/kernel", 1),
    ),
}
# Parts that only some gin files ask for, by the end of a value's path.
_PARTS = {
    "talking-heads attention": r"softmax_weight",
    "gated feed-forward": r"/_gate_dense/\d+/kernel",
    "ReZero": r"/rezero_alpha",
}


@dataclasses.dataclass(frozen=True)
class Structure:
    """An encoder's values, and possibly its head's, by path.

    Attributes:
      shapes: The shapes by path.
      known_types: The types that it can be of where the paths are not to tell.
    """

    shapes: Mapping[str, Shape]
    known_types: tuple[str, ...] = ()

    @functools.cached_property
    def layers(self) -> tuple[str, ...]:
        """The paths of the repeated layers, in their order."""
        found = {match["layer"] for path in self.shapes if (match := _LAYER.match(path))}
        return tuple(sorted(found, key=_natural))

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """What a person calls the values, by path; layers are counted from 1."""
        return {path: self._name(path) for path in self.shapes}

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """The architecture's numbers, as far as shapes tell them, by the names in `FIELDS`."""
        by_name = {name: self.shapes[path] for path, name in self.names.items()}
        numbers = {"layers": len(self.layers)} if self.layers else {}
        for name, patterns in _KERNELS.items():
            shapes = [(self._first(pattern), dimension) for pattern, dimension in patterns]
            sizes = [shape[dimension] for shape, dimension in shapes if shape is not None]
            numbers.update({name: sizes[0]} if sizes else {})
        for name, table in zip(("vocabulary", "positions", "types"), _EMBEDDINGS, strict=True):
            if table in by_name:
                numbers[name] = by_name[table][0]
        if _EMBEDDINGS[0] in by_name:
            numbers["embedding size"] = by_name[_EMBEDDINGS[0]][1]
        query = self._first(r"/_query_dense/kernel")
        if query is not None and len(query) == 3:
            numbers["attention heads"] = query[1]
        return numbers

    @functools.cached_property
    def parts(self) -> frozenset[str]:
        """Which of the parts are there that an encoder has only if a gin file asks for them."""
        return frozenset(
            name for name, pattern in _PARTS.items() if self._first(pattern) is not None
        )

    @functools.cached_property
    def types(self) -> tuple[str, ...]:
        """The types of `EncoderConfig` whose values are nested like this; empty if unknown."""
        paths = self.shapes
        if self.known_types:
            return self.known_types
        if any(path.startswith("_transformer_xl/") for path in paths):
            return ("xlnet",)
        if any("block_layers/" in path for path in paths):
            return ("mobilebert",)
        if not self.layers:
            return ()
        if self._has_shared_layer:
            return ("albert",)
        if any(path.startswith("_transformer_layers/") for path in paths):
            return self._types_of_objects()
        if self._first(r"/_value_dense/\d+/kernel") is not None:
            return ("reuse",)
        return ("bert", "kernel", "bigbird")

    @property
    def _has_shared_layer(self) -> bool:
        """Whether one layer stands behind an embedding projection with a bias, as in ALBERT."""
        is_functional = self.layers[0].startswith("layer_with_weights-")
        return (
            is_functional
            and len(self.layers) == 1
            and "embedding projection bias" in self.names.values()
        )

    def _types_of_objects(self) -> tuple[str, ...]:
        if self._first(r"/_attention_cls/\w+") is not None:
            return ("sparse_mixer",)
        if self._first(r"/_query_dense/kernel") is None:
            return ("fnet",)
        if self._first(r"_embedding_layer/_embedding_projection/kernel") is not None:
            return ("query_bert",)
        return ("bert", "bert_v2", "funnel")

    def _first(self, pattern: str) -> Shape | None:
        end = re.compile(rf".*{pattern}")
        return next((shape for path, shape in self.shapes.items() if end.fullmatch(path)), None)

    def _name(self, path: str) -> str:
        if path in _EMBEDDING_NAMES:
            return _EMBEDDING_NAMES[path]
        layer = _LAYER.match(path)
        if layer:
            number = self.layers.index(layer["layer"]) + 1
            return f"layer {number}: {_in_words(layer['part'])}"
        in_list = _IN_LIST.fullmatch(path)
        if in_list:
            return f"layer {int(in_list['index']) + 1}: {_in_words(in_list['part'])}"
        functional = _FUNCTIONAL.fullmatch(path)
        if functional:
            return self._name_by_order(int(functional["index"]), functional["rest"])
        return _in_words(path)

    def _name_by_order(self, index: int, rest: str) -> str:
        """Names a value of a functional Keras model, in which only the order tells the layers."""
        if rest == "embeddings" and index < len(_EMBEDDINGS):
            return _EMBEDDINGS[index]
        if rest in ("gamma", "beta"):
            return f"embeddings norm {rest}"
        if rest in ("kernel", "bias"):
            first = _FUNCTIONAL.match(f"{self.layers[0]}/") if self.layers else None
            is_before = first is not None and index < int(first["index"])
            return f"{'embedding projection' if is_before else 'pooler'} {rest}"
        return f"{'embeddings ' if index == 0 else ''}{_in_words(rest)}"


def of_object(trackable: Any, prefix: str = "") -> dict[str, tf.Variable]:
    """Returns an object's variables by path, each under the first path that leads there.

    Args:
      trackable: The object, for instance a Keras model.
      prefix: What all paths start with.
    """
    view = tf.train.TrackableView(trackable)
    objects = {id(trackable): trackable}

    def children(node: int) -> dict[str, int]:
        named = {} if isinstance(objects[node], tf.Variable) else view.children(objects[node])
        objects.update({id(child): child for child in named.values()})
        return {name: id(child) for name, child in named.items()}

    paths = _paths(id(trackable), children, prefix)
    found = {path: objects[node] for path, node in paths.items()}
    return {path: value for path, value in found.items() if isinstance(value, tf.Variable)}


def of_node(checkpoint: checkpoints.Checkpoint, node_id: int, prefix: str = "") -> dict[str, str]:
    """Returns the keys of a stored object's values by path, as `of_object` does with variables.

    Args:
      checkpoint: The checkpoint.
      node_id: The graph's node that stands for the object.
      prefix: What all paths start with.
    """
    paths = _paths(node_id, checkpoint.children, prefix)
    keys = {path: checkpoint.key(node) for path, node in paths.items()}
    return {path: key for path, key in keys.items() if key is not None}


def _paths(root: int, children: Callable[[int], dict[str, int]], prefix: str) -> dict[str, int]:
    """Returns all nodes of a graph by path: the shortest, but for names that only count layers.

    Functional Keras models name their layers by numbers, beside the attributes that some have.
    """
    found: dict[int, str] = {}
    queues: list[collections.deque[tuple[str, int]]] = [collections.deque() for _ in range(3)]
    queues[0].append((prefix, root))
    while any(queues):
        path, node = next(queue for queue in queues if queue).popleft()
        if node in found:
            continue
        found[node] = path.rstrip("/")
        for name, child in children(node).items():
            queues[_RANKS.get(name.rstrip("0123456789"), 0)].append((f"{path}{name}/", child))
    return {path: node for node, path in found.items()}


def _natural(path: str) -> tuple[tuple[int, str], ...]:
    """Sorts "layer-10" behind "layer-9"."""
    pieces = re.split(r"(\d+)", path)
    return tuple((int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces)


def _in_words(path: str) -> str:
    for pattern, words in _WORDS:
        path = re.sub(pattern, words, path)
    return path
