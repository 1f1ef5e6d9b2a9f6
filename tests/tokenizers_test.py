from __future__ import annotations

import logging
import pathlib

import pytest
import tensorflow as tf

from exporter import errors, tokenizers
from tests import tokenizer_texts as made


@pytest.mark.parametrize("kind", ["wordpiece", "sentencepiece"])
def test_static_batch_size(kind: str) -> None:
    tokenizer = tokenizers.make(
        vocab_file=made.VOCAB_FILE if kind == "wordpiece" else None,
        sp_model_file=made.SP_MODEL_FILE if kind == "sentencepiece" else None,
    )
    function = tf.function(tokenizer.tokenize_with_offsets, autograph=False)
    for batch_size in (7, None):
        graph = function.get_concrete_function(tf.TensorSpec([batch_size], tf.string))
        for tokens in graph.structured_outputs:
            assert tokens.shape.as_list() == [batch_size] + [None] * tokenizer.ragged_rank


def test_special_tokens_may_be_spelled_otherwise(tmp_path: pathlib.Path) -> None:
    path = made.write(tmp_path, ["<s>", "</s>", "<pad>", "<unk>", "a"])
    tokenizer = tokenizers.make(
        vocab_file=path,
        special_tokens={
            "start_of_sequence_id": "<s>",
            "end_of_segment_id": "</s>",
            "padding_id": "<pad>",
        },
    )
    assert dict(tokenizer.special_tokens) == {
        "vocab_size": 5,
        "start_of_sequence_id": 0,
        "end_of_segment_id": 1,
        "padding_id": 2,
    }
    sentencepieces = tokenizers.SentencepieceTokenizer(
        made.SP_MODEL_FILE, lower_case=True, special_tokens={"mask_id": "▁the"}
    )
    assert sentencepieces.special_tokens["mask_id"] == 6


def test_missing_special_tokens_are_named(tmp_path: pathlib.Path) -> None:
    path = made.write(tmp_path, ["[PAD]", "[UNK]", "a"])
    with pytest.raises(errors.UserError) as info:
        tokenizers.WordpieceTokenizer(path, lower_case=True)
    assert info.value.received == (
        f"{path} has no '[CLS]' (start_of_sequence_id), '[SEP]' (end_of_segment_id)"
    )
    with pytest.raises(errors.UserError, match=r"spm.model has no '\[PAD\]' \(padding_id\)"):
        tokenizers.SentencepieceTokenizer(
            made.SP_MODEL_FILE, lower_case=True, special_tokens={"padding_id": "[PAD]"}
        )


def test_files_of_the_other_kind_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UserError, match="SentencePiece model goes to sp_model_file"):
        tokenizers.make(vocab_file=made.SP_MODEL_FILE)
    path = made.write(tmp_path)
    with pytest.raises(errors.UserError, match="WordPiece vocabulary, text") as info:
        tokenizers.make(sp_model_file=path)
    assert info.value.setting == "tokenizer.sp_model_file"
    assert path in str(info.value)


def test_files_are_checked_without_a_tokenizer(tmp_path: pathlib.Path) -> None:
    tokenizers.check_file(made.VOCAB_FILE, None)
    tokenizers.check_file(None, made.SP_MODEL_FILE)
    with pytest.raises(errors.UserError, match="The file must exist"):
        tokenizers.check_file(str(tmp_path / "vocab.txt"), None)
    with pytest.raises(errors.UserError, match="takes a SentencePiece model"):
        tokenizers.check_file(None, made.write(tmp_path))


@pytest.mark.parametrize(
    ("vocab_file", "sp_model_file", "guess", "why"),
    [
        ("/data/uncased_L-12/vocab.txt", None, True, "'uncased' in /data/uncased_L-12/vocab.txt"),
        ("cased_L-12/vocab.txt", None, False, "no 'uncased' in cased_L-12/vocab.txt"),
        (None, "30k-clean.model", True, "as always with SentencePiece"),
    ],
)
def test_lower_case_is_guessed_aloud(
    vocab_file: str | None,
    sp_model_file: str | None,
    guess: bool,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="exporter"):
        assert tokenizers.infer_do_lower_case(None, vocab_file, sp_model_file) is guess
    assert [record.getMessage() for record in caplog.records] == [
        f"do_lower_case is not set: using {guess} ({why})."
    ]


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_lower_case_is_not_guessed_where_it_is_set(
    do_lower_case: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="exporter"):
        for files in (("uncased/vocab.txt", None), (None, "spm.model")):
            assert tokenizers.infer_do_lower_case(do_lower_case, *files) is do_lower_case
    assert not caplog.records


@pytest.mark.parametrize(("vocab_file", "sp_model_file"), [(None, None), ("", ""), ("a", "b")])
def test_exactly_one_file_is_needed(vocab_file: str | None, sp_model_file: str | None) -> None:
    with pytest.raises(errors.UserError, match="Exactly one of vocab_file"):
        tokenizers.make(vocab_file=vocab_file, sp_model_file=sp_model_file)
    with pytest.raises(errors.UserError, match="Exactly one of vocab_file"):
        tokenizers.infer_do_lower_case(True, vocab_file, sp_model_file)
