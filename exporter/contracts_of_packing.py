"""How `bert_pack_inputs` packs segments, against a few lines of Python that do the same.

[CLS], each segment followed by [SEP], [PAD]; where there is too little room, segments are truncated
in one of the ways of TensorFlow Text, of which that to equal sizes is the common one.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter import contracts, encoder_calls, loaded_models, packing_reference
from exporter.contracts_of_preprocessing import default_length, pads_to_longest, special_ids

_WORD_IDS, _MASK, _TYPE_IDS = encoder_calls.INPUT_NAMES
# Numbers of tokens of the segments of each row, with and without room for all in 12 positions.
_COUNTS = ((1, 1), (0, 3), (3, 0), (0, 0), (9, 2), (2, 9), (8, 8), (8, 7), (20, 1), (1, 20), (4, 5))
_SHORT, _VERY_SHORT, _HUNDRED = 12, 4, 100
_MOST = 3  # Segments.
_WAYS = ("equal_size", "longest_first", "first_only", "waterfall", "head_and_tail")


def special_places(model: loaded_models.Model) -> str:
    """[CLS] is first, [SEP] after each segment, [PAD] in the rest."""
    return _compare(model, _WORD_IDS, default_length(model))


def mask(model: loaded_models.Model) -> str:
    """`input_mask` is 1 for tokens and 0 for padding."""
    return _compare(model, _MASK, default_length(model))


def types(model: loaded_models.Model) -> str:
    """`input_type_ids` count segments, from 0 for the first and 0 for padding."""
    return _compare(model, _TYPE_IDS, default_length(model))


def truncation(model: loaded_models.Model) -> str:
    """Too long segments are truncated in a way that is known."""
    return _truncation(model)


def truncation_is_common(model: loaded_models.Model) -> str:
    """Too long segments are truncated to equal sizes."""
    way = _truncation(model)
    contracts.require(way == _WAYS[0], way)
    return way


def truncated_types(model: loaded_models.Model) -> str:
    """Of truncated segments, mask and types are right, too."""
    way = _truncation(model)
    _compare(model, _MASK, _SHORT, way)
    return _compare(model, _TYPE_IDS, _SHORT, way)


def very_short(model: loaded_models.Model) -> str:
    """With hardly any room, special tokens stay where they fit."""
    way = _truncation(model)
    _compare(model, _MASK, _VERY_SHORT, way)
    return _compare(model, _WORD_IDS, _VERY_SHORT, way)


def _truncation(model: loaded_models.Model) -> str:
    """Returns the way in which segments are truncated."""
    found = {way: _mismatch(model, _WORD_IDS, _SHORT, way) for way in _WAYS}
    fitting = [way for way in _WAYS if found[way] is None]
    contracts.require(bool(fitting), f"in none of the known ways: {found[_WAYS[0]]}")
    return fitting[0]


def words_or_not(model: loaded_models.Model) -> str:
    """Segments may have a dimension of words, or not."""
    for segments in _segments(special_ids(model), _max_segments(model)):
        grouped = [_grouped(segment) for segment in segments]
        flat, deep = (
            model.loaded.bert_pack_inputs(s, seq_length=_SHORT) for s in (segments, grouped)
        )
        for name, value in flat.items():
            contracts.require(np.array_equal(value, deep[name]), f"{name} with words differs")
    return f"up to {_max_segments(model)} segments"


def _grouped(segment: tf.RaggedTensor) -> tf.RaggedTensor:
    """Returns a segment `[B, (tokens)]` as words of two tokens, `[B, (words), (tokens)]`."""
    rows = [[row[i : i + 2] for i in range(0, len(row), 2)] for row in segment.to_list()]
    return tf.ragged.constant(rows, tf.int32, ragged_rank=2, inner_shape=())


def _compare(model: loaded_models.Model, name: str, length: int, way: str = _WAYS[0]) -> str:
    mismatch = _mismatch(model, name, length, way)
    contracts.require(mismatch is None, mismatch or "")
    return f"{len(_COUNTS)} rows in {length} positions"


def _mismatch(model: loaded_models.Model, name: str, length: int, way: str) -> str | None:
    """Returns the first row that is packed otherwise, in words; None if there is none."""
    ids = special_ids(model)
    cut = pads_to_longest(model)
    percent = _head_percent(model, ids) if way == "head_and_tail" else 100
    for segments in _segments(ids, _max_segments(model)):
        got = model.loaded.bert_pack_inputs(segments, seq_length=length)[name].numpy().tolist()
        expected = _packed(segments, length, ids, (way, percent))
        longest = max(map(sum, expected[_MASK])) if cut else length
        for row, values in enumerate(expected[name]):
            if got[row] != values[:longest]:
                counts = " and ".join(str(len(segment[row])) for segment in segments)
                return f"{got[row][:16]} and not {values[:16]} for {counts} tokens in {length}"
    return None


def _max_segments(model: loaded_models.Model) -> int:
    """How many segments `bert_pack_inputs` was traced for, at most as many as are tried."""
    functions = loaded_models.concrete_functions(model.loaded.bert_pack_inputs)
    taken = [function.structured_input_signature[0][0] for function in functions]
    return min(max(map(len, taken), default=_MOST), _MOST)


def _segments(ids: dict[str, int], most: int) -> list[list[tf.RaggedTensor]]:
    """Returns one, two, ... segments of rows of tokens that are no special ones."""
    plain = _plain(ids)
    parts = []
    for segment in range(most):
        counts = [count[segment % 2] for count in _COUNTS]
        rows = [[plain[(7 * segment + i) % len(plain)] for i in range(count)] for count in counts]
        parts.append(tf.ragged.constant(rows, tf.int32, ragged_rank=1))
    return [parts[:number] for number in range(1, most + 1)]


def _plain(ids: dict[str, int]) -> list[int]:
    """Returns the ids that are no special tokens."""
    special = {value for name, value in ids.items() if name != "vocab_size"}
    return [i for i in range(ids["vocab_size"]) if i not in special]


def _head_percent(model: loaded_models.Model, ids: dict[str, int]) -> int:
    """Returns how many of a hundred tokens that are kept of a segment are from its start."""
    plain = _plain(ids)[:_HUNDRED]
    # So many that those from the end are others than those that they take the place of.
    number = 2 * _HUNDRED + (_HUNDRED % len(plain) == 0)
    tokens = [plain[i % len(plain)] for i in range(number)]
    segment = tf.ragged.constant([tokens], tf.int32, ragged_rank=1)
    packed = model.loaded.bert_pack_inputs([segment], seq_length=_HUNDRED + 2)
    kept = packed[_WORD_IDS][0, 1:-1].numpy().tolist()
    same = [one == other for one, other in zip(kept, tokens, strict=False)]
    return [*same, False].index(False)


def _packed(
    segments: list[tf.RaggedTensor], length: int, ids: dict[str, int], way: tuple[str, int]
) -> dict[str, list[list[int]]]:
    """Packs segments in plain Python; only what is left of them is asked of TensorFlow Text."""
    budget = length - len(segments) - 1
    kept = packing_reference.trim(segments, budget, *way)
    rows = zip(*(segment.to_list() for segment in kept), strict=True)
    packed: dict[str, list[list[int]]] = {name: [] for name in encoder_calls.INPUT_NAMES}
    for row in rows:
        words, types = [ids["start_of_sequence_id"]], [0]
        for index, tokens in enumerate(row):
            words += [*tokens, ids["end_of_segment_id"]]
            types += [index] * (len(tokens) + 1)
        words, types = words[:length], types[:length]
        rest = length - len(words)
        packed[_WORD_IDS].append(words + [ids["padding_id"]] * rest)
        packed[_MASK].append([1] * len(words) + [0] * rest)
        packed[_TYPE_IDS].append(types + [0] * rest)
    return packed
