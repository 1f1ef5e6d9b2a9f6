from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras
from official.nlp.modeling import layers
from tensorflow.core.protobuf import saved_model_pb2

from exporter import errors, preprocessing, saved_models, tokenizers

_TESTDATA = pathlib.Path(__file__).parent / "testdata"
_ROOT = pathlib.Path(__file__).parent.parent
_NAMES = ("input_word_ids", "input_mask", "input_type_ids")
_TEXTS = [
    "the value of a list",
    "",
    "Ünïcode: if 中国 is NOT ﬁle\u200bs!",
    "the " * 60,
    b"a \xff b",
]
_OTHERS = ["is true", "the " * 70, "", "a b c", "it's"]
_LENGTH = 24


@dataclasses.dataclass(frozen=True)
class _Export:
    """A tokenizer's export, loaded after it was moved and its vocabulary deleted."""

    root: preprocessing.Preprocessing
    path: str
    loaded: Any
    source_folder: str
    reference: Callable[..., Any]
    special_tokens: dict[str, int]


def _wordpiece(folder: pathlib.Path, name: str) -> tuple[tokenizers.Tokenizer, Any]:
    content = (_TESTDATA / "bert_tiny" / "vocab.txt").read_text(encoding="utf-8")
    if name == "cased, lookups":  # White space in a piece.
        content += "a\u00a0b\n"
    path = folder / "my_vocab.txt"
    path.write_text(content, encoding="utf-8")
    lower_case = name != "cased, lookups"
    return (
        tokenizers.WordpieceTokenizer(str(path), lower_case),
        layers.BertTokenizer(vocab_file=str(path), lower_case=lower_case),
    )


def _sentencepiece(folder: pathlib.Path, _: str) -> tuple[tokenizers.Tokenizer, Any]:
    path = folder / "my_spm.model"
    shutil.copy(_TESTDATA / "spm" / "spm.model", path)
    reference = layers.SentencepieceTokenizer(
        model_file_path=str(path), lower_case=True, strip_diacritics=True
    )
    return tokenizers.SentencepieceTokenizer(str(path), lower_case=True), reference


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], _Export]:
    @functools.cache
    def make(kind: str) -> _Export:
        source_folder = tmp_path_factory.mktemp("source_of_vocabulary")
        make_tokenizer = _sentencepiece if kind == "sentencepiece" else _wordpiece
        tokenizer, reference = make_tokenizer(source_folder, kind)
        root = preprocessing.Preprocessing(
            tokenizer, default_seq_length=_LENGTH, tokenize_with_offsets=True
        )
        folder = tmp_path_factory.mktemp("export")
        saved_models.write(root, str(folder / "first"))
        shutil.rmtree(source_folder)
        (folder / "first").rename(folder / "moved")
        return _Export(
            root=root,
            path=str(folder / "moved"),
            loaded=tf.saved_model.load(str(folder / "moved")),
            source_folder=str(source_folder),
            reference=reference,
            special_tokens=reference.get_special_tokens_dict(),
        )

    return make


@pytest.fixture(scope="module", params=["uncased", "cased, lookups", "sentencepiece"])
def export(request: pytest.FixtureRequest, exports: Callable[[str], _Export]) -> _Export:
    return exports(request.param)


def _expected(
    export: _Export, *segments: list[str | bytes], seq_length: int = _LENGTH
) -> dict[str, tf.Tensor]:
    tokens = [export.reference(tf.constant(segment)) for segment in segments]
    pack = layers.BertPackInputs(seq_length, special_tokens_dict=export.special_tokens)
    return pack(tokens)


def _assert_same(actual: dict[str, tf.Tensor], expected: dict[str, tf.Tensor]) -> None:
    assert set(actual) == set(expected) == set(_NAMES)
    for name, tensor in expected.items():
        assert actual[name].dtype == tf.int32
        np.testing.assert_array_equal(actual[name], tensor, err_msg=name)


def test_root_equals_tfnlp(export: _Export) -> None:
    for root in (export.root, export.loaded):
        _assert_same(root(tf.constant(_TEXTS)), _expected(export, _TEXTS))


@pytest.mark.parametrize("length", [1, 8, 64])
def test_root_takes_seq_length(export: _Export, length: int) -> None:
    expected = _expected(export, _TEXTS, seq_length=length)
    text = tf.constant(_TEXTS)
    for root in (export.root, export.loaded):
        _assert_same(root(text, seq_length=length), expected)
        _assert_same(root(text, length), expected)
        _assert_same(root(text, seq_length=tf.constant(length)), expected)


def test_training_changes_nothing(export: _Export) -> None:
    text = tf.constant(_TEXTS)
    expected = _expected(export, _TEXTS)
    for root in (export.root, export.loaded):
        for training in (True, False, tf.constant(True)):
            _assert_same(root(text, training=training), expected)
        np.testing.assert_array_equal(
            root.tokenize(text, training=True).flat_values, export.reference(text).flat_values
        )


def test_lists_and_empty_batches(export: _Export) -> None:
    strings = ["the list", "a"]
    _assert_same(export.loaded(strings), _expected(export, strings))
    empty = export.loaded(tf.zeros([0], tf.string))
    assert {name: tuple(tensor.shape) for name, tensor in empty.items()} == dict.fromkeys(
        _NAMES, (0, _LENGTH)
    )


def test_tokenize_equals_tfnlp(export: _Export) -> None:
    expected = export.reference(tf.constant(_TEXTS))
    for root in (export.root, export.loaded):
        tokens = root.tokenize(tf.constant(_TEXTS))
        assert isinstance(tokens, tf.RaggedTensor)
        assert tokens.dtype == tf.int32
        assert tokens.to_list() == expected.to_list()


def test_tokenize_with_offsets(export: _Export) -> None:
    text = tf.constant(_TEXTS)
    expected = export.root.tokenize_with_offsets(text)
    tokens, starts, limits = export.loaded.tokenize_with_offsets(text)
    assert tokens.to_list() == export.reference(text).to_list()
    assert starts.dtype == limits.dtype == tf.int64
    assert [starts.to_list(), limits.to_list()] == [expected[1].to_list(), expected[2].to_list()]
    last = int(export.root.tokenize(_TEXTS[:1]).flat_values.shape[0]) - 1
    assert int(limits.flat_values[last]) == len(_TEXTS[0])


def test_special_tokens(export: _Export) -> None:
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


@pytest.mark.parametrize("flat", [False, True])
def test_pack_pairs_equals_tfnlp(export: _Export, flat: bool) -> None:
    for root in (export.root, export.loaded):
        segments = [root.tokenize(tf.constant(texts)) for texts in (_TEXTS, _OTHERS)]
        if flat and segments[0].ragged_rank == 2:
            segments = [segment.merge_dims(1, 2) for segment in segments]
        _assert_same(root.bert_pack_inputs(segments), _expected(export, _TEXTS, _OTHERS))
        expected = _expected(export, _TEXTS, _OTHERS, seq_length=11)
        _assert_same(root.bert_pack_inputs(segments, seq_length=11), expected)
        _assert_same(root.bert_pack_inputs(segments, tf.constant(11)), expected)
        _assert_same(root.bert_pack_inputs(segments[:1]), _expected(export, _TEXTS))


def test_custom_trimming(export: _Export) -> None:
    loaded = export.loaded
    tokens = loaded.tokenize(tf.constant(["the value of a list", "a"]))
    trimmed = tokens[:, :2]  # The first two words, or pieces.

    packed = loaded.bert_pack_inputs([trimmed], seq_length=8)

    ids = export.reference(tf.constant(["the value", "a"]))
    pack = layers.BertPackInputs(8, special_tokens_dict=export.special_tokens)
    _assert_same(packed, pack(ids))


def test_more_segments_in_python() -> None:
    root = preprocessing.Preprocessing(
        tokenizers.SentencepieceTokenizer(str(_TESTDATA / "spm" / "spm.model"), lower_case=True)
    )
    tokens = root.tokenize(tf.constant(["a"]))
    packed = root.bert_pack_inputs([tokens] * 3, seq_length=9)
    assert packed["input_type_ids"].numpy().tolist() == [[0, 0, 0, 1, 1, 2, 2, 0, 0]]
    assert not hasattr(root, "tokenize_with_offsets")


def test_signature_speaks(export: _Export) -> None:
    signature = export.loaded.signatures["serving_default"]
    assert signature.structured_input_signature == (
        (),
        {"sentences": tf.TensorSpec([None], tf.string, name="sentences")},
    )
    _assert_same(signature(sentences=tf.constant(_TEXTS)), _expected(export, _TEXTS))


def test_static_shapes_before_saving(export: _Export) -> None:
    for batch_size in (7, None):
        text = tf.TensorSpec([batch_size], tf.string)
        for arguments, length in (({}, _LENGTH), ({"seq_length": 9}, 9)):
            graph = export.root.__call__.get_concrete_function(text, **arguments)
            for tensor in graph.structured_outputs.values():
                assert tensor.shape.as_list() == [batch_size, length]
        tokens = export.root.tokenize.__call__.get_concrete_function(text).structured_outputs
        assert tokens.shape[0] == batch_size


def test_static_shapes_after_loading(export: _Export) -> None:
    @tf.function(autograph=False, input_signature=[tf.TensorSpec([7], tf.string)])
    def call(text: tf.Tensor) -> list[dict[str, tf.Tensor]]:
        loaded = export.loaded
        tokens = loaded.tokenize(text)
        return [
            loaded(text),
            loaded(text, seq_length=_LENGTH),
            loaded(text, seq_length=tf.constant(_LENGTH)),
            loaded.bert_pack_inputs([tokens, tokens]),
        ]

    for packed in call.get_concrete_function().structured_outputs:
        for tensor in packed.values():
            assert tensor.shape.as_list() == [7, _LENGTH]


def test_in_dataset(export: _Export) -> None:
    def pair(text: tf.Tensor, other: tf.Tensor) -> dict[str, tf.Tensor]:
        loaded = export.loaded
        segments = [loaded.tokenize(text), loaded.tokenize(other)]
        return loaded.bert_pack_inputs(segments, seq_length=tf.constant(_LENGTH))

    dataset = tf.data.Dataset.from_tensor_slices((_TEXTS, _OTHERS)).repeat(20).batch(2)
    singles = dataset.map(lambda text, _: export.loaded(text), num_parallel_calls=4)
    pairs = dataset.map(pair, num_parallel_calls=4, deterministic=True)
    for actual, expected in (
        (singles, _expected(export, _TEXTS)),
        (pairs, _expected(export, _TEXTS, _OTHERS)),
    ):
        rows = next(iter(actual.unbatch().batch(100)))
        _assert_same(rows, {name: np.tile(t, [20, 1]) for name, t in expected.items()})


def test_keras_layers_of_hub(export: _Export) -> None:
    text = tf_keras.Input([], dtype=tf.string)
    loaded = hub.load(export.path)
    packed = hub.KerasLayer(loaded, arguments={"seq_length": 9}, trainable=True)(text)
    plain = hub.KerasLayer(export.path)(text)
    tokens = hub.KerasLayer(loaded.tokenize)(text)
    pack = hub.KerasLayer(loaded.bert_pack_inputs, arguments={"seq_length": 9})
    assert packed["input_word_ids"].shape.as_list() == [None, 9]
    assert plain["input_word_ids"].shape.as_list() == [None, _LENGTH]
    model = tf_keras.Model(text, [packed, plain, pack([tokens, tokens])])
    for training in (True, False):
        results = model(tf.constant(_TEXTS), training=training)
        _assert_same(results[0], _expected(export, _TEXTS, seq_length=9))
        _assert_same(results[1], _expected(export, _TEXTS))
        _assert_same(results[2], _expected(export, _TEXTS, _TEXTS, seq_length=9))
    assert not model.weights


def test_under_mirrored_strategy(export: _Export) -> None:
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([devices[0].name])
    with strategy.scope():
        loaded = tf.saved_model.load(export.path)
    dataset = tf.data.Dataset.from_tensor_slices(_TEXTS).batch(5).map(loaded)
    batch = next(iter(strategy.experimental_distribute_dataset(dataset)))
    _assert_same(batch, _expected(export, _TEXTS))


def test_saved_again_in_another_model(export: _Export, tmp_path: pathlib.Path) -> None:
    first = str(tmp_path / "first")
    shutil.copytree(export.path, first)
    outer = tf.Module()
    outer.part = tf.saved_model.load(first)
    part = outer.part

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def call(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return part(text, seq_length=9)

    outer.__call__ = call
    tf.saved_model.save(outer, str(tmp_path / "second"))
    shutil.rmtree(first)
    (tmp_path / "second").rename(tmp_path / "third")

    loaded = tf.saved_model.load(str(tmp_path / "third"))

    _assert_same(loaded(tf.constant(_TEXTS)), _expected(export, _TEXTS, seq_length=9))
    _assert_same(loaded.part(tf.constant(_TEXTS)), _expected(export, _TEXTS))
    files = {path.name for path in (tmp_path / "third" / "assets").iterdir()}
    assert files == {path.name for path in pathlib.Path(export.path, "assets").iterdir()}


def test_parts_outlive_the_root(export: _Export) -> None:
    tokenize = tf.saved_model.load(export.path).tokenize
    text = tf.constant(_TEXTS)
    assert tokenize(text).to_list() == export.reference(text).to_list()


def test_files(export: _Export) -> None:
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
        assert not assets


def test_no_path_and_no_assert_in_graph(export: _Export) -> None:
    data = pathlib.Path(export.path, "saved_model.pb").read_bytes()
    for text in (export.source_folder, os.path.dirname(export.path), "/tmp", str(_ROOT)):
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
        str(_TESTDATA / "spm" / "spm.model"), lower_case=True
    )
    with pytest.raises(errors.UserError, match="default_seq_length must be at least 3") as info:
        preprocessing.Preprocessing(tokenizer, default_seq_length=length)
    assert info.value.setting == "preprocessing.default_seq_length"


def _start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    variables = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=variables | {"PYTHONPATH": str(_ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> str:
    output, log = process.communicate()
    assert process.returncode == 0, log
    return output


def test_keras_3_and_sessions(exports: Callable[[str], _Export], tmp_path: pathlib.Path) -> None:
    both = [exports("uncased"), exports("sentencepiece")]
    keras = _start(
        """
        import sys
        import tensorflow as tf, tensorflow_text, keras
        assert keras.__version__.startswith("3.")
        for path in sys.argv[1:]:
            layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
            text = keras.Input([], dtype="string")
            outputs = keras.Model(text, layer(text))(tf.constant(["the list", "a"]))
            print({name: tensor.numpy().tolist() for name, tensor in sorted(outputs.items())})
        """,
        *(export.path for export in both),
    )
    sessions = _start(
        """
        import contextlib, sys
        import tensorflow_text
        from tensorflow.python.tools import saved_model_cli
        folder, *paths = sys.argv[1:]
        for i, path in enumerate(paths):
            sys.argv[1:] = ["run", "--dir", path, "--tag_set=serve", f"--outdir={folder}/{i}",
                "--signature_def=serving_default", "--input_exprs=sentences=['the list', 'a']"]
            with contextlib.suppress(SystemExit):  # It also ends well with this.
                saved_model_cli.main()
        """,
        str(tmp_path),
        *(export.path for export in both),
        TF_USE_LEGACY_KERAS="1",
    )
    expected = [_expected(export, ["the list", "a"]) for export in both]
    assert _finish(keras).splitlines() == [
        str({name: packed[name].numpy().tolist() for name in sorted(_NAMES)}) for packed in expected
    ]
    _finish(sessions)
    for i, packed in enumerate(expected):
        _assert_same({name: np.load(tmp_path / str(i) / f"{name}.npy") for name in _NAMES}, packed)


def test_equal_processes_write_equal_graphs(tmp_path: pathlib.Path) -> None:
    folders = [tmp_path / "one", tmp_path / "another" / "deeper"]
    processes = []
    for folder in folders:
        folder.mkdir(parents=True)
        shutil.copy(_TESTDATA / "bert_tiny" / "vocab.txt", folder)
        code = """
            import sys
            import exporter
            from exporter import preprocessing, saved_models, tokenizers
            tokenizer = tokenizers.WordpieceTokenizer(sys.argv[1] + "/vocab.txt", True)
            saved_models.write(preprocessing.Preprocessing(tokenizer), sys.argv[1] + "/export")
            """
        processes.append(_start(code, str(folder)))
    for process in processes:
        _finish(process)
    first, second = ((folder / "export" / "saved_model.pb").read_bytes() for folder in folders)
    assert first == second
