from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from exporter import kept_tokens, tokenizers
from tests import preprocessing_exports as exports

_VOCAB_FILE = str(exports.TESTDATA / "bert_tiny" / "vocab.txt")
_SP_MODEL_FILE = str(exports.TESTDATA / "spm" / "spm.model")


def _make(kind: str) -> tokenizers.Tokenizer:
    return tokenizers.make(
        vocab_file=_VOCAB_FILE if kind == "wordpiece" else None,
        sp_model_file=_SP_MODEL_FILE if kind == "sentencepiece" else None,
        do_lower_case=True,
        keep_special_tokens=True,
    )


def _spans(tokenizer: tokenizers.Tokenizer, text: str) -> list[tuple[str, str]]:
    """Returns the pieces of one text, each with the part of the text it is said to be."""
    tokens, starts, limits = (
        part.flat_values for part in tokenizer.tokenize_with_offsets(tf.constant([text]))
    )
    pieces = tokenizer.id_to_string(tokens).numpy()
    return [
        (piece.decode(), text.encode()[start:limit].decode())
        for piece, start, limit in zip(pieces, starts.numpy(), limits.numpy(), strict=True)
    ]


def test_wordpiece() -> None:
    tokenizer = _make("wordpiece")
    assert isinstance(tokenizer, kept_tokens.KeptTokens)
    text = tf.constant(["The [MASK] of a[SEP]list", "", "[mask] [MASK][MASK]", "list"])
    tokens = tokenizer.tokenize(text)
    pieces = tokens.with_flat_values(tokenizer.id_to_string(tokens.flat_values)).to_list()
    assert pieces == [
        [[b"the"], [b"[MASK]"], [b"of"], [b"a"], [b"[SEP]"], [b"list"]],
        [],
        [[b"["], [b"mask"], [b"]"], [b"[MASK]"], [b"[MASK]"]],
        [[b"list"]],
    ]
    assert tokens.dtype == tf.int32
    assert tokenizer.tokenize_flat(text).to_list() == tokens.merge_dims(1, 2).to_list()


def test_sentencepiece() -> None:
    tokenizer = _make("sentencepiece")
    text = tf.constant(["The [MASK] of a<pad>list", "", "[MASK]"])
    tokens = tokenizer.tokenize(text)
    pieces = tokens.with_values(tokenizer.id_to_string(tokens.values)).to_list()
    assert [[piece.decode() for piece in row] for row in pieces] == [
        ["▁the", "[MASK]", "▁of", "▁a", "<pad>", "▁list"],
        [],
        ["[MASK]"],
    ]
    assert tokenizer.tokenize_flat(text).to_list() == tokens.to_list()


def test_null_characters_do_not_end_texts() -> None:
    tokenizer = _make("wordpiece")
    found = _spans(tokenizer, "a\0b [MASK]\0 list")
    assert found == [("a", "a"), ("b", "b"), ("[MASK]", "[MASK]"), ("list", "list")]


@pytest.mark.parametrize("kind", ["wordpiece", "sentencepiece"])
def test_texts_without_them_are_tokenized_as_ever(kind: str) -> None:
    kept = _make(kind)
    plain = kept._tokenizer
    text = tf.constant([*exports.TEXTS, *exports.OTHERS])
    for method in ("tokenize", "tokenize_flat"):
        assert getattr(kept, method)(text).to_list() == getattr(plain, method)(text).to_list()
    for ours, theirs in zip(
        kept.tokenize_with_offsets(text), plain.tokenize_with_offsets(text), strict=True
    ):
        assert ours.dtype == theirs.dtype
        assert ours.to_list() == theirs.to_list()
    assert kept.special_tokens == plain.special_tokens
    empty = tf.zeros([0], tf.string)
    assert kept.tokenize(empty).to_list() == kept.tokenize_flat(empty).to_list() == []


def test_offsets_are_in_the_whole_text() -> None:
    assert _spans(_make("wordpiece"), "Á [MASK]  lıst[SEP]ﬁle [CLS]")[:2] == [
        ("a", "Á"),
        ("[MASK]", "[MASK]"),
    ]
    assert _spans(_make("wordpiece"), "É[MASK] of[SEP]ﬁle") == [
        ("e", "É"),
        ("[MASK]", "[MASK]"),
        ("of", "of"),
        ("[SEP]", "[SEP]"),
        ("file", "ﬁle"),
    ]
    assert _spans(_make("sentencepiece"), "THÉ[MASK] the[SEP]ﬁlé") == [
        ("▁the", "THÉ"),
        ("[MASK]", "[MASK]"),
        ("▁the", "the"),
        ("[SEP]", "[SEP]"),
        ("▁file", "ﬁlé"),
    ]


def test_other_spellings(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("<s>\n<s\n</s>\n<pad>\n<unk>\na\n(m|.*)\n", encoding="utf-8")
    spellings = {
        "start_of_sequence_id": "<s>",
        "end_of_segment_id": "</s>",
        "padding_id": "<pad>",
        "unknown_id": "<unk>",
        "mask_id": "(m|.*)",
    }
    tokenizer = tokenizers.make(
        vocab_file=str(path), special_tokens=spellings, keep_special_tokens=True
    )
    text = tf.constant(["a (m|.*)a</s>mb <unk>", "[MASK]"])
    assert tokenizer.tokenize_flat(text).to_list() == [[5, 6, 5, 2, 4, 4, 4, 4], [4, 4, 4]]


@pytest.mark.parametrize("kind", ["wordpiece", "sentencepiece"])
def test_static_batch_size_and_no_assert(kind: str) -> None:
    tokenizer = _make(kind)
    for method in (tokenizer.tokenize, tokenizer.tokenize_flat, tokenizer.tokenize_with_offsets):
        for batch_size in (7, None):
            text = tf.TensorSpec([batch_size], tf.string)
            graph = tf.function(method, autograph=False).get_concrete_function(text)
            for tokens in tf.nest.flatten(graph.structured_outputs):
                assert tokens.shape[0] == batch_size
            assert "Assert" not in {node.op for node in graph.graph.as_graph_def().node}
