"""Preprocessing and text embeddings that are wrong for some texts, lengths or words alone."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from exporter import packing
from tests import testing, written_models
from tests.planted_defects import (
    EMBEDDING,
    PREPROCESSING,
    VOCABULARY,
    Defect,
    Plant,
    Right,
    changed,
)
from tests.planted_defects_of_text import Packed, changed_packing, root_call

_IDS, _MASK, _TYPES = testing.INPUT_NAMES


def _text(change: Callable[[tf.Tensor], tf.Tensor]) -> Plant:
    """Changes text before it is tokenized, and packed."""

    def edit(module: Any) -> None:
        right, pack = module.tokenize.__dict__["__call__"], module.bert_pack_inputs

        def tokenize(text: tf.Tensor, training: bool | tf.Tensor = False) -> Any:
            return right(change(text), training)

        module.tokenize.__call__ = tf.function(tokenize, autograph=False)
        module.__call__ = root_call(tokenize, pack)

    return changed(PREPROCESSING, edit)


def _replaced(pattern: str, by: str) -> Plant:
    return _text(lambda text: tf.strings.regex_replace(text, pattern, by))


def _short_segments(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
    """Takes no more than forty tokens of a segment."""
    flat = [packing.flatten(segment) for segment in inputs]
    return right([segment[:, :40] for segment in flat], seq_length)


def _at_most_a_hundred(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
    """Fills no more than a hundred positions of a row."""
    packed = right(inputs, tf.minimum(seq_length, 100))
    rest = [[0, 0], [0, tf.maximum(seq_length - 100, 0)]]
    return {name: tf.pad(value, rest) for name, value in packed.items()}


def _types_of_overfull_rows(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
    packed = right(inputs, seq_length)
    is_full = tf.reduce_all(packed[_MASK] > 0, axis=1, keepdims=True) & (seq_length > 50)
    return {**packed, _TYPES: tf.where(is_full, 0, packed[_TYPES])}


def _other_lines_swapped(right: Right, path: pathlib.Path) -> None:
    """Swaps two pieces in the file alone; what tokenizes reads another one."""
    lines = VOCABULARY.read_text(encoding="utf-8").split("\n")
    lines[3000], lines[3001] = lines[3001], lines[3000]
    swapped = right.folder / "swapped" / "vocab.txt"
    swapped.parent.mkdir(exist_ok=True)
    swapped.write_text("\n".join(lines), encoding="utf-8")
    module: Any = right.preprocessing()
    module.read_instead = module.vocab_file
    module.vocab_file = tf.saved_model.Asset(str(swapped))
    written_models.write(module, str(path))


def _shouting(right: Right, path: pathlib.Path) -> None:
    module: Any = right.preprocessing()
    put_together = module.detokenize.__dict__["__call__"]
    module.detokenize.__call__ = tf.function(
        lambda tokens: tf.strings.upper(put_together(tokens)), autograph=False
    )
    written_models.write(module, str(path))


def _word_changed(right: Right, path: pathlib.Path) -> None:
    """Changes the values of one word, which no text has that is tried."""
    shutil.copytree(right.path(EMBEDDING), path)
    prefix = f"{path}/variables/variables"
    reader = tf.train.load_checkpoint(prefix)
    stored = {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
    for value in stored.values():
        if getattr(value, "shape", ())[:1] == (3391,):
            value[3000] += 0.5
    keys, values = list(stored), list(map(tf.constant, stored.values()))
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=keys, shape_and_slices=[""] * len(keys), tensors=values
    )


_TOKENS, _KNOWN = "tokenize: tokens of the vocabulary", "packing: truncation in a known way"
_WITH_SOURCE = (
    ("text after a line feed lost", _replaced(r"(?s)\n.*", ""), "tokens"),
    ("digits made zeros", _replaced("[6-9]", "0"), "tokens"),
)
_THOROUGHLY = (
    ("a script lost", _replaced(r"\p{Armenian}", ""), "tokens of every character"),
    ("detokenize shouts", _shouting, "detokenized texts"),
    ("at most 40 of a text", changed_packing(_short_segments), "packed inputs of other lengths"),
)
_ALONE = (
    ("no room above 100 positions", changed_packing(_at_most_a_hundred), _KNOWN),
    ("at most 40 of a segment", changed_packing(_short_segments), _KNOWN),
    (
        "types lost of full rows",
        changed_packing(_types_of_overfull_rows),
        "packing: mask and types when truncated",
    ),
    ("addresses lost", _replaced(r"https?://\S+", ""), _TOKENS),
    ("vocabulary's other lines swapped", _other_lines_swapped, "vocab: pieces and ids"),
)

DEFECTS = (
    *(Defect(*row[:1], PREPROCESSING, *row[1:], with_source=True) for row in _WITH_SOURCE),
    *(
        Defect(*row[:1], PREPROCESSING, *row[1:], with_source=True, full=True)
        for row in _THOROUGHLY
    ),
    *(Defect(*row[:1], PREPROCESSING, *row[1:]) for row in _ALONE),
    Defect(
        "a word's values (embedding)",
        EMBEDDING,
        _word_changed,
        "variables in the source's order",
        with_source=True,
    ),
)
