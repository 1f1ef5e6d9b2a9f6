from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from official.nlp.modeling import layers

from exporter import (
    contracts_of_packing,
    loaded_models,
    packing,
    packing_reference,
    preprocessing,
    tokenizers,
    truncation,
)
from tests import preprocessing_exports as made
from tests import written_models


@pytest.fixture(scope="module", name="exports")
def _exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], made.Export]:
    return made.maker(tmp_path_factory)


@pytest.fixture(scope="module", params=made.KINDS, name="export")
def _export(request: pytest.FixtureRequest, exports: Callable[[str], made.Export]) -> made.Export:
    return exports(request.param)


@pytest.mark.parametrize("flat", [False, True])
def test_pack_pairs_equals_tfnlp(export: made.Export, flat: bool) -> None:
    for root in (export.root, export.loaded):
        segments = [root.tokenize(tf.constant(texts)) for texts in (made.TEXTS, made.OTHERS)]
        if flat and segments[0].ragged_rank == 2:
            segments = [segment.merge_dims(1, 2) for segment in segments]
        made.assert_same(
            root.bert_pack_inputs(segments), made.expected(export, made.TEXTS, made.OTHERS)
        )
        expected = made.expected(export, made.TEXTS, made.OTHERS, seq_length=11)
        made.assert_same(root.bert_pack_inputs(segments, seq_length=11), expected)
        made.assert_same(root.bert_pack_inputs(segments, tf.constant(11)), expected)
        made.assert_same(root.bert_pack_inputs(segments[:1]), made.expected(export, made.TEXTS))


def test_custom_trimming(export: made.Export) -> None:
    loaded = export.loaded
    tokens = loaded.tokenize(tf.constant(["the value of a list", "a"]))
    trimmed = tokens[:, :2]  # The first two words, or pieces.

    packed = loaded.bert_pack_inputs([trimmed], seq_length=8)

    ids = export.reference(tf.constant(["the value", "a"]))
    pack = layers.BertPackInputs(8, special_tokens_dict=export.special_tokens)
    made.assert_same(packed, pack(ids))


def test_more_segments_in_python() -> None:
    root = preprocessing.Preprocessing(
        tokenizers.SentencepieceTokenizer(str(made.TESTDATA / "spm" / "spm.model"), lower_case=True)
    )
    tokens = root.tokenize(tf.constant(["a"]))
    packed = root.bert_pack_inputs([tokens] * 3, seq_length=9)
    assert packed["input_type_ids"].numpy().tolist() == [[0, 0, 0, 1, 1, 2, 2, 0, 0]]
    assert not hasattr(root, "tokenize_with_offsets")


def test_static_shapes_before_saving(export: made.Export) -> None:
    for batch_size in (7, None):
        text = tf.TensorSpec([batch_size], tf.string)
        for arguments, length in (({}, made.LENGTH), ({"seq_length": 9}, 9)):
            graph = export.root.__call__.get_concrete_function(text, **arguments)
            for tensor in graph.structured_outputs.values():
                assert tensor.shape.as_list() == [batch_size, length]
        tokens = export.root.tokenize.__call__.get_concrete_function(text).structured_outputs
        assert tokens.shape[0] == batch_size


def test_static_shapes_after_loading(export: made.Export) -> None:
    @tf.function(autograph=False, input_signature=[tf.TensorSpec([7], tf.string)])
    def call(text: tf.Tensor) -> list[dict[str, tf.Tensor]]:
        loaded = export.loaded
        tokens = loaded.tokenize(text)
        return [
            loaded(text),
            loaded(text, seq_length=made.LENGTH),
            loaded(text, seq_length=tf.constant(made.LENGTH)),
            loaded.bert_pack_inputs([tokens, tokens]),
        ]

    for packed in call.get_concrete_function().structured_outputs:
        for tensor in packed.values():
            assert tensor.shape.as_list() == [7, made.LENGTH]


def _save(path: pathlib.Path, max_segments: int, options: packing.Options) -> Any:
    vocabulary = str(made.TESTDATA / "bert_tiny" / "vocab.txt")
    root = preprocessing.Preprocessing(
        tokenizers.WordpieceTokenizer(vocabulary, True),
        default_seq_length=made.LENGTH,
        max_segments=max_segments,
        options=options,
    )
    written_models.write(root, str(path))
    return tf.saved_model.load(str(path))


@pytest.fixture(scope="module", name="chosen")
def _chosen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Takes three segments, keeps head and tail, and XLA can compile it."""
    options = packing.Options(truncation.make("head_and_tail", 40), for_xla=True)
    return _save(tmp_path_factory.mktemp("chosen"), 3, options)


def _segments(chosen: Any, number: int, flat: bool) -> list[tf.RaggedTensor]:
    texts = [made.TEXTS, made.OTHERS, made.TEXTS[::-1], made.OTHERS][:number]
    segments = [chosen.tokenize(tf.constant(text)) for text in texts]
    return [segment.merge_dims(1, 2) for segment in segments] if flat else segments


def _head_and_tail(
    chosen: Any, segments: list[tf.RaggedTensor], seq_length: int
) -> dict[str, tf.Tensor]:
    flat = [segment.merge_dims(1, -1) for segment in segments]
    budget = seq_length - len(flat) - 1
    special_tokens = chosen.tokenize.get_special_tokens_dict()
    pack = layers.BertPackInputs(seq_length, special_tokens_dict=special_tokens)
    return pack(packing_reference.trim(flat, budget, "head_and_tail", 40))


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_chosen_segments_and_truncation(chosen: Any, number: int, flat: bool) -> None:
    segments = _segments(chosen, number, flat)
    expected = _head_and_tail(chosen, _segments(chosen, number, False), 9)
    made.assert_same(chosen.bert_pack_inputs(segments, seq_length=9), expected)
    if number == 1:
        made.assert_same(chosen(tf.constant(made.TEXTS), seq_length=9), expected)


def test_the_contract_knows_whichever_truncation_was_chosen(chosen: Any) -> None:
    model = loaded_models.Model("preprocessing", "", "preprocessing", chosen)
    assert contracts_of_packing.truncation(model) == "head_and_tail"


def test_as_many_segments_as_were_chosen(chosen: Any) -> None:
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        chosen.bert_pack_inputs(_segments(chosen, 4, True))


@pytest.mark.parametrize("flat", [False, True])
def test_loaded_packing_is_compiled_by_xla(chosen: Any, flat: bool) -> None:
    @tf.function(autograph=False, jit_compile=True)
    def compiled(
        segments: list[tf.RaggedTensor], seq_length: int | tf.Tensor = made.LENGTH
    ) -> dict[str, tf.Tensor]:
        return chosen.bert_pack_inputs(segments, seq_length=seq_length)

    for number in (1, 2, 3):
        segments = _segments(chosen, number, flat)
        made.assert_same(compiled(segments), chosen.bert_pack_inputs(segments))
        made.assert_same(
            compiled(segments, tf.constant(9)), chosen.bert_pack_inputs(segments, seq_length=9)
        )


def test_static_shapes_where_xla_can_compile(chosen: Any) -> None:
    @tf.function(autograph=False)
    def call(tokens: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        return chosen.bert_pack_inputs([tokens, tokens])

    for batch_size in (7, None):
        spec = tf.RaggedTensorSpec([batch_size, None], tf.int32)
        for tensor in call.get_concrete_function(spec).structured_outputs.values():
            assert tensor.shape.as_list() == [batch_size, made.LENGTH]


def test_padding_to_the_longest_of_the_batch(tmp_path: pathlib.Path) -> None:
    loaded = _save(tmp_path / "export", 2, packing.Options(pad_to_longest=True))
    short, long = tf.constant(["the list", "a"]), tf.constant(["the " * 60])
    assert loaded(short)["input_mask"].numpy().tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert loaded(long)["input_mask"].shape == [1, made.LENGTH]
    tokens = loaded.tokenize(short)
    assert loaded.bert_pack_inputs([tokens, tokens])["input_mask"].shape == [2, 7]
    assert loaded.bert_pack_inputs([tokens], seq_length=3)["input_mask"].shape == [2, 3]
    assert loaded.signatures["serving_default"](sentences=short)["input_mask"].shape == [2, 4]
