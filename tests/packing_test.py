from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from official.nlp.modeling import layers

from exporter import packing, packing_reference, truncation

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


_PAIR = ([[11, 12, 13, 14, 15], [11]], [[21, 22, 23], [21, 22, 23, 24, 25, 26]])


@pytest.mark.parametrize("for_xla", [False, True])
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("equal_size", [[11, 12, 13, _SEP, 21, 22, _SEP], [11, _SEP, 21, 22, 23, 24, _SEP]]),
        ("longest_first", [[11, 12, _SEP, 21, 22, 23, _SEP], [11, _SEP, 21, 22, 23, 24, _SEP]]),
        ("first_only", [[11, 12, _SEP, 21, 22, 23, _SEP], [_SEP, 21, 22, 23, 24, 25, _SEP]]),
        ("waterfall", [[11, 12, 13, 14, 15, _SEP, _SEP], [11, _SEP, 21, 22, 23, 24, _SEP]]),
        ("head_and_tail", [[11, 14, 15, _SEP, 21, 23, _SEP], [11, _SEP, 21, 22, 25, 26, _SEP]]),
    ],
)
def test_truncation_can_be_chosen(name: str, rows: list[list[int]], for_xla: bool) -> None:
    segments = [_segment(rows) for rows in _PAIR]
    options = packing.Options(truncation.make(name, 40), for_xla=for_xla)

    packed = packing.pack(segments, 8, _IDS, options)

    assert _lists(packed)["input_word_ids"] == [[_CLS, *row] for row in rows]


@pytest.mark.parametrize("name", truncation.NAMES)
def test_equals_the_reference_on_random_segments(name: str) -> None:
    rng = random.Random(1)
    for _ in range(12):
        batch_size, num_segments = rng.randrange(5), rng.randint(1, 4)
        seq_length, longest = rng.randint(0, 20), rng.choice([0, 2, 8, 16])
        segments = [_random_tokens(rng, batch_size, longest) for _ in range(num_segments)]
        percent = rng.randint(1, 99)

        trimmed = packing_reference.trim(segments, seq_length - num_segments - 1, name, percent)
        expected = layers.BertPackInputs.bert_pack_inputs(trimmed, seq_length, _CLS, _SEP, _PAD)

        for for_xla in (False, True):
            options = packing.Options(truncation.make(name, percent), for_xla=for_xla)
            packed = packing.pack(segments, seq_length, _IDS, options)
            for key, tensor in expected.items():
                np.testing.assert_array_equal(packed[key], tensor)


@pytest.mark.parametrize("name", ["equal_size", "head_and_tail"])
def test_xla_compiles_it(name: str) -> None:
    rng = random.Random(2)
    options = packing.Options(truncation.make(name, 25), for_xla=True)

    @tf.function(autograph=False, jit_compile=True)
    def compiled(segments: list[tf.RaggedTensor], seq_length: int) -> dict[str, tf.Tensor]:
        return packing.pack(segments, seq_length, _IDS, options)

    for num_segments in (1, 2, 3):
        segments = [_random_words(rng, 4, 16) for _ in range(num_segments)]
        expected = packing.pack(segments, 12, _IDS, packing.Options(options.truncation))
        for seq_length in (12, tf.constant(12)):
            assert _lists(compiled(segments, seq_length)) == _lists(expected)


def test_xla_compiles_dense_tokens() -> None:
    @tf.function(autograph=False, jit_compile=True)
    def compiled(tokens: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        dense = tf.RaggedTensor.from_tensor(tokens)
        rows = tf.RaggedTensor.from_row_lengths(tokens[0], lengths, validate=False)
        return packing.pack([rows, dense], 8, _IDS, packing.Options(for_xla=True))

    packed = compiled(tf.constant([[11, 12, 13], [21, 22, 23]]), tf.constant([1, 2]))

    assert _lists(packed)["input_word_ids"] == [
        [_CLS, 11, _SEP, 11, 12, 13, _SEP, _PAD],
        [_CLS, 12, 13, _SEP, 21, 22, 23, _SEP],
    ]


def test_xla_compiles_no_ragged_ops() -> None:
    """Else there would be no need for two ways."""

    @tf.function(autograph=False, jit_compile=True)
    def compiled(segment: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        return packing.pack([segment], 8, _IDS)

    with pytest.raises(tf.errors.InvalidArgumentError, match="RaggedGather"):
        compiled(_segment([[11]]))


@pytest.mark.parametrize("for_xla", [False, True])
def test_padding_to_the_longest(for_xla: bool) -> None:
    options = packing.Options(pad_to_longest=True, for_xla=for_xla)
    segments = [_segment([[11, 12], []]), _segment([[21], [22]])]

    assert _lists(packing.pack(segments, 9, _IDS, options)) == {
        "input_word_ids": [[_CLS, 11, 12, _SEP, 21, _SEP], [_CLS, _SEP, 22, _SEP, _PAD, _PAD]],
        "input_mask": [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]],
        "input_type_ids": [[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]],
    }
    assert packing.pack(segments, 5, _IDS, options)["input_mask"].shape == [2, 5]
    assert packing.pack([_segment([])], 5, _IDS, options)["input_mask"].shape == [0, 2]


@pytest.mark.parametrize("for_xla", [False, True])
@pytest.mark.parametrize("batch_size", [7, None])
def test_static_shapes(batch_size: int | None, for_xla: bool) -> None:
    options = packing.Options(for_xla=for_xla)

    @tf.function(autograph=False)
    def static(first: tf.RaggedTensor, second: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        return packing.pack([first, second], 16, _IDS, options)

    @tf.function(autograph=False)
    def dynamic(first: tf.RaggedTensor, seq_length: tf.Tensor) -> dict[str, tf.Tensor]:
        return packing.pack([first], seq_length, _IDS, options)

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
