from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from official.nlp.modeling import layers

from exporter import packing

_CLS, _SEP, _PAD = 101, 102, 7
_IDS = packing.PackingIds(start_of_sequence=_CLS, end_of_segment=_SEP, padding=_PAD)
_FLAT = tf.RaggedTensorSpec([None, None], tf.int32)


def _segment(rows: Sequence[Sequence[int]]) -> tf.RaggedTensor:
    return tf.ragged.constant(rows, dtype=tf.int32, ragged_rank=1)


def _words(rows: Sequence[Sequence[Sequence[int]]]) -> tf.RaggedTensor:
    return tf.ragged.constant(rows, dtype=tf.int32, ragged_rank=2)


def _lists(packed: dict[str, tf.Tensor]) -> dict[str, list[list[int]]]:
    assert all(tensor.dtype == tf.int32 for tensor in packed.values())
    return {name: tensor.numpy().tolist() for name, tensor in packed.items()}


def test_one_segment_is_joined_truncated_and_padded() -> None:
    packed = packing.pack([_segment([[11, 12], [], [13, 14, 15, 16, 17]])], 6, _IDS)

    assert _lists(packed) == {
        "input_word_ids": [
            [_CLS, 11, 12, _SEP, _PAD, _PAD],
            [_CLS, _SEP, _PAD, _PAD, _PAD, _PAD],
            [_CLS, 13, 14, 15, 16, _SEP],
        ],
        "input_mask": [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
        "input_type_ids": [[0, 0, 0, 0, 0, 0]] * 3,
    }


def test_segments_are_told_apart_by_type_ids() -> None:
    first, second = _segment([[11, 12], []]), _segment([[21], [22]])

    packed = packing.pack([first, second], 7, _IDS)

    assert _lists(packed) == {
        "input_word_ids": [
            [_CLS, 11, 12, _SEP, 21, _SEP, _PAD],
            [_CLS, _SEP, 22, _SEP, _PAD, _PAD, _PAD],
        ],
        "input_mask": [[1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0, 0]],
        "input_type_ids": [[0, 0, 0, 0, 1, 1, 0], [0, 0, 1, 1, 0, 0, 0]],
    }


def test_words_are_no_bounds_for_truncation() -> None:
    packed = packing.pack([_words([[[11, 12], [], [13, 14]], []])], 5, _IDS)

    assert _lists(packed)["input_word_ids"] == [
        [_CLS, 11, 12, 13, _SEP],
        [_CLS, _SEP, _PAD, _PAD, _PAD],
    ]


@pytest.mark.parametrize(
    ("lengths", "budget", "kept"),
    [
        ([3, 4, 2], 5, [2, 2, 1]),
        ([9, 9], 5, [3, 2]),
        ([9, 1], 5, [4, 1]),
        ([1, 9], 5, [1, 4]),
        ([2, 3], 5, [2, 3]),
        ([0, 9, 0], 4, [0, 4, 0]),
        ([5, 5], 0, [0, 0]),
        ([5, 5], -2, [0, 0]),
        ([5], 3, [3]),
    ],
)
def test_equal_size_literally(lengths: list[int], budget: int, kept: list[int]) -> None:
    result = packing.equal_size(tf.constant([lengths]), tf.constant(budget))
    assert result.numpy().tolist() == [kept]


def test_equal_size_on_all_small_cases() -> None:
    lengths = list(itertools.product(range(6), repeat=3))
    for budget in range(-1, 17):
        result = packing.equal_size(tf.constant(lengths), tf.constant(budget))
        assert result.numpy().tolist() == [_round_robin(row, budget) for row in lengths]


def _round_robin(lengths: Sequence[int], budget: int) -> list[int]:
    kept = [0] * len(lengths)
    while sum(kept) < budget and kept != list(lengths):
        for i, length in enumerate(lengths):
            if kept[i] < length and sum(kept) < budget:
                kept[i] += 1
    return kept


def test_equals_tfnlp_on_random_segments() -> None:
    rng = random.Random(0)
    for _ in range(80):
        batch_size, num_segments = rng.randrange(5), rng.randint(1, 4)
        seq_length, longest = rng.randint(0, 14), rng.choice([0, 2, 8, 16])
        make = _random_words if rng.random() < 0.5 else _random_tokens
        segments = [make(rng, batch_size, longest) for _ in range(num_segments)]

        expected = layers.BertPackInputs.bert_pack_inputs(segments, seq_length, _CLS, _SEP, _PAD)

        packed = packing.pack(segments, seq_length, _IDS)
        assert packed.keys() == expected.keys()
        for name, tensor in expected.items():
            np.testing.assert_array_equal(packed[name], tensor)


def _random_tokens(rng: random.Random, batch_size: int, longest: int) -> tf.RaggedTensor:
    lengths = [rng.randint(0, longest) for _ in range(batch_size)]
    return _segment([[rng.randrange(1000, 2000) for _ in range(length)] for length in lengths])


def _random_words(rng: random.Random, batch_size: int, longest: int) -> tf.RaggedTensor:
    words = _random_tokens(rng, batch_size, longest // 2)
    lengths = [rng.randint(0, 3) for _ in range(words.values.shape[0])]
    pieces = _segment([[rng.randrange(1000, 2000) for _ in range(length)] for length in lengths])
    return words.with_values(pieces)


def test_tokens_trimmed_by_library_are_packed() -> None:
    segments = [_segment([[11, 12, 13], [14]]), _segment([[21, 22, 23, 24], [25, 26]])]
    trimmed = tf_text.WaterfallTrimmer(max_seq_length=4).trim(segments)

    packed = packing.pack(trimmed, 8, _IDS)

    assert _lists(packed)["input_word_ids"] == [
        [_CLS, 11, 12, 13, _SEP, 21, _SEP, _PAD],
        [_CLS, 14, _SEP, 25, 26, _SEP, _PAD, _PAD],
    ]


def test_truncation_can_be_chosen() -> None:
    def first_only(lengths: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
        others = tf.reduce_sum(lengths[:, 1:], axis=1, keepdims=True)
        return tf.concat([tf.minimum(lengths[:, :1], budget - others), lengths[:, 1:]], axis=1)

    segments = [_segment([[11, 12, 13, 14]]), _segment([[21, 22, 23]])]

    packed = packing.pack(segments, 7, _IDS, first_only)

    assert _lists(packed)["input_word_ids"] == [[_CLS, 11, _SEP, 21, 22, 23, _SEP]]


@pytest.mark.parametrize("batch_size", [7, None])
def test_static_shapes(batch_size: int | None) -> None:
    @tf.function(autograph=False)
    def static(first: tf.RaggedTensor, second: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        return packing.pack([first, second], 16, _IDS)

    @tf.function(autograph=False)
    def dynamic(first: tf.RaggedTensor, seq_length: tf.Tensor) -> dict[str, tf.Tensor]:
        return packing.pack([first], seq_length, _IDS)

    words = tf.RaggedTensorSpec([batch_size, None, None], tf.int32)
    graph = static.get_concrete_function(words, words)
    assert {tuple(t.shape) for t in graph.structured_outputs.values()} == {(batch_size, 16)}
    graph = dynamic.get_concrete_function(words, tf.TensorSpec([], tf.int32))
    assert {tuple(t.shape) for t in graph.structured_outputs.values()} == {(batch_size, None)}


def test_no_loops_and_no_asserts() -> None:
    @tf.function(autograph=False)
    def pack(*segments: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        return packing.pack(segments, 16, _IDS)

    graph = pack.get_concrete_function(_FLAT, _FLAT, _FLAT).graph.as_graph_def()

    ops = {node.op for node in graph.node}
    ops |= {node.op for function in graph.library.function for node in function.node_def}
    assert not {op for op in ops if "Assert" in op or "While" in op or "Map" in op}
    assert "RaggedGather" in ops


def test_nothing_to_pack_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one segment, received: \[\]"):
        packing.pack([], 16, _IDS)


def test_ids_come_from_special_tokens() -> None:
    ids = packing.PackingIds.from_special_tokens(
        {"vocab_size": 9, "padding_id": 1, "start_of_sequence_id": 2, "end_of_segment_id": 3}
    )
    assert ids == packing.PackingIds(start_of_sequence=2, end_of_segment=3, padding=1)
