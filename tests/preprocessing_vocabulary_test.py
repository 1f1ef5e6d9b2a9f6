from __future__ import annotations

from collections.abc import Callable

import pytest
import sentencepiece
import tensorflow as tf

from exporter import saved_models
from tests import preprocessing_exports as exports

_SPM = str(exports.TESTDATA / "spm" / "spm.model")
_TEXT = ["The value of a list", "", "[CLS] it's if \ue000!"]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], exports.Export]:
    return exports.maker(tmp_path_factory)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("uncased", [b"the value of a list", b"", b"[ cl ##s ] it ' s if [UNK] !"]),
        ("cased, lookups", [b"[UNK] value of a list", b"", b"[ [UNK] ] it ' s if [UNK] !"]),
        ("sentencepiece", [b"the value of a list", b"", None]),
    ],
)
def test_detokenize(
    make: Callable[[str], exports.Export], kind: str, texts: list[bytes | None]
) -> None:
    export = make(kind)
    for root in (export.root, export.loaded):
        tokens = root.tokenize(tf.constant(_TEXT))
        flat = tokens.merge_dims(1, 2) if tokens.ragged_rank == 2 else tokens
        ids = root(tf.constant(_TEXT), seq_length=20)["input_word_ids"]
        for form in (tokens, flat, ids):
            found = root.detokenize(form).numpy().tolist()
            for i, text in enumerate(texts):
                if text is not None:
                    assert found[i] == text.replace(b" ##", b"")


def test_mask_and_unknown_token_are_shown(make: Callable[[str], exports.Export]) -> None:
    loaded = make("uncased").loaded
    ids = {name: int(i) for name, i in loaded.tokenize.get_special_tokens_dict().items()}
    tokens = loaded.tokenize(["the list"]).flat_values.numpy().tolist()
    row = [ids["start_of_sequence_id"], *tokens, ids["mask_id"], ids["end_of_segment_id"]]
    row += [ids["padding_id"], -1, ids["vocab_size"], 2**30]
    assert loaded.detokenize(tf.constant([row], tf.int32)).numpy().tolist() == [
        b"the list [MASK] [UNK] [UNK] [UNK]"
    ]


def test_sentencepieces_are_put_together_by_the_library(
    make: Callable[[str], exports.Export],
) -> None:
    library = sentencepiece.SentencePieceProcessor(model_file=_SPM)
    loaded = make("sentencepiece").loaded
    texts = [*exports.TEXTS, *exports.OTHERS]
    tokens = loaded.tokenize(tf.constant(texts))
    assert [text.decode() for text in loaded.detokenize(tokens).numpy()] == [
        library.decode(row) for row in tokens.to_list()
    ]


def test_vocabulary(make: Callable[[str], exports.Export]) -> None:
    lines = (exports.TESTDATA / "bert_tiny" / "vocab.txt").read_text(encoding="utf-8").split("\n")
    library = sentencepiece.SentencePieceProcessor(model_file=_SPM)
    pieces = [library.id_to_piece(i) for i in range(library.get_piece_size())]
    for kind, known, unknown in (("uncased", lines[:-1], 1), ("sentencepiece", pieces, 1)):
        export = make(kind)
        for root in (export.root, export.loaded):
            ids = tf.range(len(known))
            found = root.vocab.id_to_string(ids)
            assert [piece.decode() for piece in found.numpy()] == known
            back = root.vocab.string_to_id(found)
            assert back.dtype == tf.int32
            assert back.numpy().tolist() == list(range(len(known)))
            assert root.vocab.string_to_id([["no such", known[9]]]).numpy().tolist() == [
                [unknown, 9]
            ]
            assert root.vocab.id_to_string(tf.constant(9)).numpy().decode() == known[9]
            missing = root.vocab.id_to_string(tf.constant([[-1, len(known)]], tf.int32))
            assert missing.numpy().tolist() == [[known[unknown].encode()] * 2]


def test_shapes_are_kept_as_far_as_they_are_known(
    make: Callable[[str], exports.Export],
) -> None:
    for kind in ("uncased", "sentencepiece"):
        root = make(kind).root
        ids = tf.TensorSpec([7, None], tf.int32)
        function = root.vocab.id_to_string.__call__.get_concrete_function(ids)
        assert function.structured_outputs.shape.as_list() == [7, None]
        function = root.detokenize.__call__.get_concrete_function(ids)
        assert function.structured_outputs.shape.as_list() == [7]


def test_no_assert(make: Callable[[str], exports.Export]) -> None:
    for kind in exports.KINDS:
        assert "Assert" not in saved_models.ops(make(kind).path)
