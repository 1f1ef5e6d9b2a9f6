"""What a preprocessing SavedModel takes and returns.

"Preprocessor" of tensorflow.org/hub/common_saved_model_apis/text. In shapes, B is the batch size
and L the sequence length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import contracts, encoder_calls, loaded_models, sample_segments, sample_texts

TEXTS = (
    "The quick brown fox didn't jump over 12,345 lazy dogs - or did it?",
    "",
    "Caf\u00e9 na\u00efve \u00dcber STRASSE stra\u00dfe",
    "unaffable hypercharacterization \U0001f600!",
    "\u4f60\u597d\uff0c\u4e16\u754c \u0441\u043b\u043e\u0432\u043e",
    "many words " * 300,
)
_LENGTHS = (3, 8, 64)


def returns_encoder_inputs(model: loaded_models.Model) -> str:
    """The root turns strings `[B]` into a dict of int32 `[B, L]`."""
    packed = model.loaded(tf.constant(TEXTS))
    contracts.require(isinstance(packed, Mapping), f"{type(packed).__name__}, not a dict")
    contracts.require(set(packed) == set(encoder_calls.INPUT_NAMES), ", ".join(sorted(packed)))
    length = packed["input_mask"].shape[1]  # That of the longest, if it is not padded to more.
    for name, value in packed.items():
        contracts.require(value.dtype == tf.int32, f"{name} is {value.dtype.name}")
        shape = value.shape.as_list()
        contracts.require(shape == [len(TEXTS), length], f"{name} is {shape}")
    return f"L = {length}"


def default_length(model: loaded_models.Model) -> int:
    """Returns the sequence length where the caller gives none, up to 600."""
    return model.loaded(tf.constant(TEXTS[-1:]))["input_mask"].shape[1]


def pads_to_longest(model: loaded_models.Model) -> bool:
    """Whether a batch is padded to its longest row and not to the sequence length."""
    return model.loaded(tf.constant([""]))["input_mask"].shape[1] != default_length(model)


def lengths_of_packing(model: loaded_models.Model) -> str:
    """`bert_pack_inputs` takes `seq_length` as an integer and as a tensor."""
    tokens = model.loaded.tokenize(tf.constant(TEXTS))
    return _lengths(lambda length: model.loaded.bert_pack_inputs([tokens], seq_length=length))


def lengths_of_root(model: loaded_models.Model) -> str:
    """The root takes `seq_length`, too."""
    return _lengths(lambda length: model.loaded(tf.constant(TEXTS), seq_length=length))


def _lengths(call: Callable[[Any], Mapping[str, tf.Tensor]]) -> str:
    for length in _LENGTHS:
        plain, tensor = call(length), call(tf.constant(length))
        for name in encoder_calls.INPUT_NAMES:
            shape = plain[name].shape.as_list()
            contracts.require(
                shape == [len(TEXTS), length], f"{name} is {shape} for seq_length={length}"
            )
            contracts.require(
                np.array_equal(plain[name], tensor[name]), f"{name} differs for a tensor"
            )
    return ", ".join(map(str, _LENGTHS))


def default_lengths_agree(model: loaded_models.Model) -> str:
    """The root and `bert_pack_inputs` have the same default `seq_length`."""
    tokens = model.loaded.tokenize(tf.constant(TEXTS[-1:]))
    packed = model.loaded.bert_pack_inputs([tokens])["input_mask"].shape[1]
    root = default_length(model)
    contracts.require(packed == root, f"bert_pack_inputs has {packed}, the root {root}")
    return str(root)


def training_changes_nothing(model: loaded_models.Model) -> str:
    """The root takes `training`, which changes nothing."""
    text = tf.constant(TEXTS)
    expected = model.loaded(text)
    for training in (True, False):
        got = model.loaded(text, training=training)
        for name, value in expected.items():
            contracts.require(np.array_equal(value, got[name]), f"{name} for training={training}")
    return "True, False and not given"


def static_shapes(model: loaded_models.Model) -> str:
    """In a graph, the sizes that are known of the inputs are known of the outputs."""
    length = None if pads_to_longest(model) else default_length(model)
    for batch in (7, None):
        spec = tf.TensorSpec([batch], tf.string)
        function = tf.function(model.loaded.__call__).get_concrete_function(spec)
        for name, value in function.structured_outputs.items():
            got = value.shape.as_list()
            contracts.require(
                got == [batch, length], f"{name} is {got} in a graph, not [{batch}, {length}]"
            )
    return f"[7, {length or '?'}] and [?, {length or '?'}]"


def root_is_tokenize_and_pack(model: loaded_models.Model) -> str:
    """The root does what `tokenize` and `bert_pack_inputs` do together, for rows of any length."""
    texts = tuple(text.encode() for text in (*sample_texts.SENTENCES, *TEXTS))
    text = tf.constant((*texts, *sample_texts.INVALID, *sample_texts.long_texts()[-4:]))
    tokens = model.loaded.tokenize(text)
    lengths: list[int | None] = [None]
    if takes_seq_length(model):
        near = {default_length(model) + i for i in (-1, 0, 1)}
        lengths += sorted(length for length in {*sample_segments.LENGTHS, *near} if length > 2)
    for length in lengths:
        # As a tensor: for each other integer, it would be traced anew.
        chosen = {} if length is None else {"seq_length": tf.constant(length)}
        expected = model.loaded.bert_pack_inputs([tokens], **chosen)
        for name, value in model.loaded(text, **chosen).items():
            same = np.array_equal(value, expected[name])
            contracts.require(same, f"{name} differs for {length or 'the default length'}")
    return f"{text.shape[0]} texts, {len(lengths)} lengths"


def takes_seq_length(model: loaded_models.Model) -> bool:
    """Whether the root takes a sequence length, which the predecessor's exports do not."""
    try:
        model.loaded(tf.constant(["text"]), seq_length=8)
    except contracts.CALL_ERRORS:
        return False
    return True


def empty_batches(model: loaded_models.Model) -> str:
    """A batch of no texts gives inputs of no rows."""
    packed = model.loaded(tf.zeros([0], tf.string))
    rows = {name: value.shape[0] for name, value in packed.items()}
    contracts.require(set(rows.values()) == {0}, str(rows))
    return "[0, L]"


def special_ids(model: loaded_models.Model) -> dict[str, int]:
    """Returns what `get_special_tokens_dict` does, as integers."""
    return {n: int(i) for n, i in model.loaded.tokenize.get_special_tokens_dict().items()}
