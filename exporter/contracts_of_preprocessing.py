"""What a preprocessing SavedModel takes and returns.

"Preprocessor" of tensorflow.org/hub/common_saved_model_apis/text. In shapes, B is the batch size
and L the sequence length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import contracts, encoder_calls, loaded_models, saved_text

TEXTS = (
    "The quick brown fox didn't jump over 12,345 lazy dogs - or did it?",
    "",
    "Caf\u00e9 na\u00efve \u00dcber STRASSE stra\u00dfe",
    "unaffable hypercharacterization \U0001f600!",
    "\u4f60\u597d\uff0c\u4e16\u754c \u0441\u043b\u043e\u0432\u043e",
    "many words " * 300,
)
_REQUIRED_IDS = ("vocab_size", "padding_id", "start_of_sequence_id", "end_of_segment_id")
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


def tokens_are_ragged(model: loaded_models.Model) -> str:
    """`tokenize` returns ragged int32 of as many rows as texts, and none for an empty text."""
    tokens = model.loaded.tokenize(tf.constant(TEXTS))
    contracts.require(isinstance(tokens, tf.RaggedTensor), type(tokens).__name__)
    contracts.require(tokens.dtype == tf.int32, tokens.dtype.name)
    contracts.require(tokens.ragged_rank in (1, 2), f"{tokens.ragged_rank} ragged dimensions")
    contracts.require(tokens.nrows() == len(TEXTS), f"{tokens.nrows()} rows")
    contracts.require(not flat(tokens)[1], f"{flat(tokens)[1]} for an empty text")
    return f"{tokens.ragged_rank} ragged dimensions"


def flat(tokens: tf.RaggedTensor) -> list[list[int]]:
    """Returns each text's tokens, without the level of words."""
    merged = tokens.merge_dims(1, 2) if tokens.ragged_rank == 2 else tokens
    return merged.to_list()


def root_is_tokenize_and_pack(model: loaded_models.Model) -> str:
    """The root does what `tokenize` and `bert_pack_inputs` do together."""
    text = tf.constant(TEXTS)
    expected = model.loaded.bert_pack_inputs([model.loaded.tokenize(text)])
    for name, value in model.loaded(text).items():
        contracts.require(np.array_equal(value, expected[name]), f"{name} differs")
    return f"{len(TEXTS)} texts"


def empty_batches(model: loaded_models.Model) -> str:
    """A batch of no texts gives inputs of no rows."""
    packed = model.loaded(tf.zeros([0], tf.string))
    rows = {name: value.shape[0] for name, value in packed.items()}
    contracts.require(set(rows.values()) == {0}, str(rows))
    return "[0, L]"


def special_tokens(model: loaded_models.Model) -> str:
    """`get_special_tokens_dict` returns int32 scalars by their names, each an id."""
    returned = model.loaded.tokenize.get_special_tokens_dict()
    missing = [name for name in _REQUIRED_IDS if name not in returned]
    contracts.require(not missing, f"no {', '.join(missing)}")
    for name, value in returned.items():
        contracts.require(
            value.dtype == tf.int32 and value.shape.rank == 0,
            f"{name} is {value.dtype.name} {value.shape}",
        )
    ids = special_ids(model)
    size = ids.pop("vocab_size")
    outside = [name for name, i in ids.items() if not 0 <= i < size]
    contracts.require(not outside, f"not below vocab_size: {', '.join(outside)}")
    twice = len(ids) - len(set(ids.values()))
    contracts.require(not twice, f"the same id twice: {ids}")
    return ", ".join(f"{name} {value}" for name, value in sorted(special_ids(model).items()))


def special_ids(model: loaded_models.Model) -> dict[str, int]:
    """Returns what `get_special_tokens_dict` does, as integers."""
    return {n: int(i) for n, i in model.loaded.tokenize.get_special_tokens_dict().items()}


def special_tokens_are_the_vocabularys(model: loaded_models.Model) -> str:
    """Special ids are those of the pieces that the vocabulary in the SavedModel has for them."""
    text = saved_text.find(model)
    if text is None:
        raise contracts.NotChecked("the SavedModel holds no vocabulary that could be read")
    ids = special_ids(model)
    size = ids.pop("vocab_size")
    contracts.require(size == len(text.pieces), f"vocab_size {size}, {len(text.pieces)} pieces")
    for name, spellings in saved_text.SPELLINGS.items():
        known = {text.ids[piece] for piece in spellings if piece in text.ids}
        if name in ids and known:
            piece = text.pieces[ids[name]]
            contracts.require(ids[name] in known, f"{name} is {ids[name]}, which is {piece!r}")
    return f"{len(text.pieces)} pieces"


def tokens_are_the_vocabularys(model: loaded_models.Model) -> str:
    """`tokenize` gives what tensorflow_text makes of the vocabulary in the SavedModel."""
    text = saved_text.find(model)
    if text is None:
        raise contracts.NotChecked("the SavedModel holds no vocabulary that could be read")
    got = flat(model.loaded.tokenize(tf.constant(TEXTS)))
    ways = {
        (lower_case, strip_accents): text.tokenize(
            TEXTS, lower_case=lower_case, strip_accents=strip_accents
        )
        for lower_case in (True, False)
        for strip_accents in (lower_case, not lower_case)
    }
    fitting = [way for way, tokens in ways.items() if tokens == got]
    if not fitting:
        told = _first_other(list(ways.values()), got)
        raise contracts.Broken(f"neither lower-cased nor not, with accents or without: {told}")
    lower_case, strip_accents = fitting[0]
    return (
        f"{sum(map(len, got))} tokens, {'' if lower_case else 'not '}lower-cased, accents "
        f"{'stripped' if strip_accents else 'kept'}"
    )


def _first_other(ways: list[list[list[int]]], got: list[list[int]]) -> str:
    nearest = min(ways, key=lambda t: sum(a != b for a, b in zip(t, got, strict=True)))
    row = next(i for i, (a, b) in enumerate(zip(nearest, got, strict=True)) if a != b)
    return f"{got[row][:8]} and not {nearest[row][:8]} for {TEXTS[row][:20]!r}"


def lower_cases(model: loaded_models.Model) -> bool | None:
    """Whether a preprocessing lower-cases text; None where both ways give the same."""
    plain, lower = (flat(model.loaded.tokenize(tf.constant(t))) for t in (_CASED, _LOWERED))
    return None if not any(map(len, plain)) else plain == lower


_CASED = ["The Quick BROWN Fox", "A B C"]
_LOWERED = [text.lower() for text in _CASED]


def offsets_fit(model: loaded_models.Model) -> str:
    """`tokenize_with_offsets` gives the same tokens, and spans of their text."""
    if not hasattr(model.loaded, "tokenize_with_offsets"):
        raise contracts.NotChecked("there is no tokenize_with_offsets")
    text = tf.constant(TEXTS)
    tokens, starts, limits = model.loaded.tokenize_with_offsets(text)
    same = tokens.to_list() == model.loaded.tokenize(text).to_list()
    contracts.require(same, "other tokens than those of tokenize")
    for row, (begin, end) in enumerate(zip(flat(starts), flat(limits), strict=True)):
        size = len(TEXTS[row].encode())
        inside = all(0 <= a <= b <= size for a, b in zip(begin, end, strict=True))
        contracts.require(inside and begin == sorted(begin), f"spans of {TEXTS[row][:20]!r}")
    return f"{starts.flat_values.shape[0]} spans"
