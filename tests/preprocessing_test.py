from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from official.nlp.modeling import layers
from tensorflow.core.protobuf import saved_model_pb2

from exporter import errors, preprocessing, tokenizers
from tests import preprocessing_exports as made


@pytest.fixture(scope="module", name="exports")
def _exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], made.Export]:
    return made.maker(tmp_path_factory)


@pytest.fixture(scope="module", params=made.KINDS, name="export")
def _export(request: pytest.FixtureRequest, exports: Callable[[str], made.Export]) -> made.Export:
    return exports(request.param)


def test_root_equals_tfnlp(export: made.Export) -> None:
    for root in (export.root, export.loaded):
        made.assert_same(root(tf.constant(made.TEXTS)), made.expected(export, made.TEXTS))


@pytest.mark.parametrize("length", [1, 8, 64])
def test_root_takes_seq_length(export: made.Export, length: int) -> None:
    expected = made.expected(export, made.TEXTS, seq_length=length)
    text = tf.constant(made.TEXTS)
    for root in (export.root, export.loaded):
        made.assert_same(root(text, seq_length=length), expected)
        made.assert_same(root(text, length), expected)
        made.assert_same(root(text, seq_length=tf.constant(length)), expected)


def test_training_changes_nothing(export: made.Export) -> None:
    text = tf.constant(made.TEXTS)
    expected = made.expected(export, made.TEXTS)
    for root in (export.root, export.loaded):
        for training in (True, False, tf.constant(True)):
            made.assert_same(root(text, training=training), expected)
        np.testing.assert_array_equal(
            root.tokenize(text, training=True).flat_values, export.reference(text).flat_values
        )


def test_lists_and_empty_batches(export: made.Export) -> None:
    strings = ["the list", "a"]
    made.assert_same(export.loaded(strings), made.expected(export, strings))
    empty = export.loaded(tf.zeros([0], tf.string))
    assert {name: tuple(tensor.shape) for name, tensor in empty.items()} == dict.fromkeys(
        made.NAMES, (0, made.LENGTH)
    )


def test_tokenize_equals_tfnlp(export: made.Export) -> None:
    expected = export.reference(tf.constant(made.TEXTS))
    for root in (export.root, export.loaded):
        tokens = root.tokenize(tf.constant(made.TEXTS))
        assert isinstance(tokens, tf.RaggedTensor)
        assert tokens.dtype == tf.int32
        assert tokens.to_list() == expected.to_list()


def test_tokenize_with_offsets(export: made.Export) -> None:
    text = tf.constant(made.TEXTS)
    expected = export.root.tokenize_with_offsets(text)
    tokens, starts, limits = export.loaded.tokenize_with_offsets(text)
    assert tokens.to_list() == export.reference(text).to_list()
    assert starts.dtype == limits.dtype == tf.int64
    assert [starts.to_list(), limits.to_list()] == [expected[1].to_list(), expected[2].to_list()]
    last = int(export.root.tokenize(made.TEXTS[:1]).flat_values.shape[0]) - 1
    assert int(limits.flat_values[last]) == len(made.TEXTS[0])


def test_special_tokens(export: made.Export) -> None:
    for root in (export.root, export.loaded):
        for part in (root.tokenize, root.tokenize_with_offsets):
            special_tokens = part.get_special_tokens_dict()
            assert {name: tensor.dtype for name, tensor in special_tokens.items()} == dict.fromkeys(
                export.special_tokens, tf.int32
            )
            assert {name: int(i) for name, i in special_tokens.items()} == export.special_tokens
    assert export.special_tokens.keys() == {
        "vocab_size",
        "padding_id",
        "start_of_sequence_id",
        "end_of_segment_id",
        "mask_id",
    }


def test_signature_speaks(export: made.Export) -> None:
    signature = export.loaded.signatures["serving_default"]
    assert signature.structured_input_signature == (
        (),
        {"sentences": tf.TensorSpec([None], tf.string, name="sentences")},
    )
    made.assert_same(
        signature(sentences=tf.constant(made.TEXTS)), made.expected(export, made.TEXTS)
    )


def test_files(export: made.Export) -> None:
    folder = pathlib.Path(export.path)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assets = {file for file in files if file.startswith("assets/")}
    assert files - assets == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    }
    if isinstance(export.reference, layers.BertTokenizer):
        assert "assets/my_vocab.txt" in assets
        asset_path = export.loaded.vocab_file.asset_path.numpy().decode()
        assert asset_path == str(folder / "assets" / "my_vocab.txt")
        assert len(assets) == (1 if export.root.tokenize._tokenizer.why_slow else 3)
    else:
        assert not (folder / "assets").exists()  # An empty one would not be everywhere.
        model = (made.TESTDATA / "spm" / "spm.model").read_bytes()
        assert (folder / "saved_model.pb").read_bytes().count(model) == 1


def test_no_path_and_no_assert_in_graph(export: made.Export) -> None:
    data = pathlib.Path(export.path, "saved_model.pb").read_bytes()
    for text in (export.source_folder, os.path.dirname(export.path), "/tmp", str(made.ROOT)):
        assert text.encode() not in data
    meta_graph = saved_model_pb2.SavedModel.FromString(data).meta_graphs[0].graph_def
    nodes = [*meta_graph.node]
    for function in meta_graph.library.function:
        nodes += function.node_def
    assert not [node.name for node in nodes if "Assert" in node.op]
    # Whoever drops nodes wholesale would drop these, too.
    assert {"RaggedTensorToTensor", "PartitionedCall"} <= {node.op for node in nodes}


def test_special_tokens_spelled_otherwise(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("<s>\n</s>\n<pad>\n[UNK]\na\n", encoding="utf-8")
    tokenizer = tokenizers.make(
        vocab_file=str(path),
        special_tokens={
            "start_of_sequence_id": "<s>",
            "end_of_segment_id": "</s>",
            "padding_id": "<pad>",
        },
    )
    root = preprocessing.Preprocessing(tokenizer, default_seq_length=5)
    assert root(tf.constant(["a b"]))["input_word_ids"].numpy().tolist() == [[0, 4, 3, 1, 2]]
    assert "mask_id" not in root.tokenize.get_special_tokens_dict()


@pytest.mark.parametrize("length", [2, 0, -1])
def test_default_length_without_room_is_refused(length: int) -> None:
    tokenizer = tokenizers.SentencepieceTokenizer(
        str(made.TESTDATA / "spm" / "spm.model"), lower_case=True
    )
    with pytest.raises(errors.UserError, match="default_seq_length must be at least 3") as info:
        preprocessing.Preprocessing(tokenizer, default_seq_length=length)
    assert info.value.setting == "preprocessing.default_seq_length"


def test_equal_processes_write_equal_graphs(tmp_path: pathlib.Path) -> None:
    folders = [tmp_path / "one", tmp_path / "another" / "deeper"]
    processes = []
    for folder in folders:
        folder.mkdir(parents=True)
        shutil.copy(made.TESTDATA / "bert_tiny" / "vocab.txt", folder)
        code = """
            import sys
            import exporter
            from exporter import preprocessing, saved_models, tokenizers
            tokenizer = tokenizers.WordpieceTokenizer(sys.argv[1] + "/vocab.txt", True)
            path = sys.argv[1] + "/export"
            keys = saved_models.write_graph(preprocessing.Preprocessing(tokenizer), path)
            saved_models.complete(path, keys)
            """
        processes.append(made.start(code, str(folder)))
    for process in processes:
        made.finish(process)
    first, second = ((folder / "export" / "saved_model.pb").read_bytes() for folder in folders)
    assert first == second
