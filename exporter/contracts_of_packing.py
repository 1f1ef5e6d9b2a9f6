"""How `bert_pack_inputs` packs segments, against a few lines of Python that do the same.

[CLS], each segment followed by [SEP], [PAD]; where there is too little room, segments are truncated
in one of the ways of TensorFlow Text, of which that to equal sizes is the common one.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from exporter import (
    contracts,
    encoder_calls,
    loaded_models,
    packing_reference,
    sample_segments,
    token_rows,
)
from exporter.contracts_of_preprocessing import default_length, pads_to_longest, special_ids

_WORD_IDS, _MASK, _TYPE_IDS = encoder_calls.INPUT_NAMES
# Numbers of tokens of the segments of each row, with and without room for all in 12 positions.
_COUNTS = ((1, 1), (0, 3), (3, 0), (0, 0), (9, 2), (2, 9), (8, 8), (8, 7), (20, 1), (1, 20), (4, 5))
_SHORT, _VERY_SHORT, _HUNDRED = 12, 4, 100
# Of rows of up to thousands of tokens, some of them full to the last position.
_LENGTHS = (13, 64, 128, 512, 1024)
_FEW, _MOST = 2, 8  # Segments.
_SHOWN = 16
_WAYS = ("equal_size", "longest_first", "first_only", "waterfall", "head_and_tail")


def special_places(model: loaded_models.Model) -> str:
    """[CLS] is first, [SEP] after each segment, [PAD] in the rest."""
    return _compare(model, _WORD_IDS, default_length(model), _way(model))


def mask(model: loaded_models.Model) -> str:
    """`input_mask` is 1 for tokens and 0 for padding."""
    return _compare(model, _MASK, default_length(model), _way(model))


def types(model: loaded_models.Model) -> str:
    """`input_type_ids` count segments, from 0 for the first and 0 for padding."""
    return _compare(model, _TYPE_IDS, default_length(model), _way(model))


def truncation(model: loaded_models.Model) -> str:
    """Too long segments are truncated in a way that is known, in rows of whatever length."""
    way = _truncation(model)
    _compare_lengths(model, (_WORD_IDS,), way)
    return way


def truncation_is_common(model: loaded_models.Model) -> str:
    """Too long segments are truncated to equal sizes."""
    way = _truncation(model)
    contracts.require(way == _WAYS[0], way)
    return way


def truncated_types(model: loaded_models.Model) -> str:
    """Of truncated segments, mask and types are right, too, in rows of whatever length."""
    way = _truncation(model)
    _compare(model, _MASK, _SHORT, way)
    _compare(model, _TYPE_IDS, _SHORT, way)
    return _compare_lengths(model, (_MASK, _TYPE_IDS), way)


def very_short(model: loaded_models.Model) -> str:
    """With hardly any room, special tokens stay where they fit."""
    way = _truncation(model)
    _compare(model, _MASK, _VERY_SHORT, way)
    return _compare(model, _WORD_IDS, _VERY_SHORT, way)


def _truncation(model: loaded_models.Model) -> str:
    """Returns the way in which segments are truncated."""
    first = None
    for way in _WAYS:
        mismatch = _mismatch(model, _WORD_IDS, _SHORT, way)
        if mismatch is None:
            return way
        first = first or mismatch
    raise contracts.Broken(f"in none of the known ways: {first}")


def _way(model: loaded_models.Model) -> str:
    """Returns that way, and the common one where it is none that is known."""
    try:
        return _truncation(model)
    except contracts.Broken:
        return _WAYS[0]


def words_or_not(model: loaded_models.Model) -> str:
    """Segments may have a dimension of words, or not."""
    for segments in _segments(special_ids(model), _max_segments(model)):
        grouped = [sample_segments.by_words(segment) for segment in segments]
        flat, deep = (
            model.loaded.bert_pack_inputs(s, seq_length=_SHORT) for s in (segments, grouped)
        )
        for name, value in flat.items():
            contracts.require(np.array_equal(value, deep[name]), f"{name} with words differs")
    return f"up to {_max_segments(model)} segments"


def _compare(model: loaded_models.Model, name: str, length: int, way: str) -> str:
    mismatch = _mismatch(model, name, length, way)
    contracts.require(mismatch is None, mismatch or "")
    return f"{len(_COUNTS)} rows in {length} positions"


def _compare_lengths(model: loaded_models.Model, names: tuple[str, ...], way: str) -> str:
    """Compares rows around each of many lengths, with and without the level of words."""
    rules, number = _rules(model, way), _max_segments(model)
    plain = _plain(rules.ids)
    lengths = sorted({*_LENGTHS, default_length(model)})
    for length in lengths:
        for count in range(1, number + 1) if length in _LENGTHS[:3] else range(1, _FEW + 1):
            if count > min(number, length - 1):
                break
            segments = sample_segments.make(count, length, plain)
            mismatch = _other_row(model, names, segments, length, rules)
            contracts.require(mismatch is None, mismatch or "")
    return f"of up to {number} segments, in {', '.join(map(str, lengths))} positions"


def _mismatch(model: loaded_models.Model, name: str, length: int, way: str) -> str | None:
    """Returns the first row that is packed otherwise, in words; None if there is none."""
    rules = _rules(model, way)
    for segments in _segments(rules.ids, _max_segments(model)):
        mismatch = _other_row(model, (name,), segments, length, rules)
        if mismatch is not None:
            return mismatch
    return None


@dataclasses.dataclass(frozen=True)
class _Rules:
    """How rows are packed.

    Attributes:
      ids: The special tokens.
      way: How too long segments are truncated.
      percent: How many tokens of a hundred that are kept of a segment are from its start.
      cut: Whether a batch is padded to its longest row and not to the sequence length.
    """

    ids: dict[str, int]
    way: str
    percent: int
    cut: bool


def _rules(model: loaded_models.Model, way: str) -> _Rules:
    ids = special_ids(model)
    percent = _head_percent(model, ids) if way == "head_and_tail" else 100
    return _Rules(ids, way, percent, pads_to_longest(model))


def _other_row(
    model: loaded_models.Model,
    names: tuple[str, ...],
    segments: list[tf.RaggedTensor],
    length: int,
    rules: _Rules,
) -> str | None:
    # As a tensor: for each other integer, it would be traced anew.
    outputs = model.loaded.bert_pack_inputs(segments, seq_length=tf.constant(length))
    expected = _packed(segments, length, rules)
    longest = max(map(sum, expected[_MASK])) if rules.cut else length
    for name in names:
        got = outputs[name].numpy().tolist()
        for row, values in enumerate(expected[name]):
            if got[row] != values[:longest]:
                counts = " and ".join(str(int(s.row_lengths()[row])) for s in segments)
                return f"{_around(got[row], values[:longest])} for {counts} tokens in {length}"
    return None


def _around(got: list[int], expected: list[int]) -> str:
    pairs = enumerate(zip(got, expected, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(got), len(expected)))
    start = max(0, place - 12) if place >= _SHOWN else 0
    piece = slice(start, start + _SHOWN)
    where = f" from position {start} on" if start else ""
    return f"{got[piece]} and not {expected[piece]}{where}"


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
    segments: list[tf.RaggedTensor], length: int, rules: _Rules
) -> dict[str, list[list[int]]]:
    """Packs segments in plain Python; only what is left of them is asked of TensorFlow Text."""
    budget, ids = length - len(segments) - 1, rules.ids
    kept = packing_reference.trim(segments, budget, rules.way, rules.percent)
    rows = zip(*map(token_rows.to_lists, kept), strict=True)
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
