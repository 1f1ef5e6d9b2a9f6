from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from exporter import vocabularies, vocabulary_tables


def _tables(
    folder: pathlib.Path, content: str
) -> tuple[vocabularies.Vocabulary, vocabulary_tables.Ids, vocabulary_tables.Pieces]:
    path = folder / "vocab.txt"
    path.write_bytes(content.encode())
    vocabulary = vocabularies.read(str(path))
    return (
        vocabulary,
        vocabulary_tables.Ids(vocabulary, "[UNK]"),
        vocabulary_tables.Pieces(vocabulary, "[UNK]"),
    )


@pytest.mark.parametrize(
    "content",
    [
        "a\n[UNK]\n", "a\n[UNK]", "a\r\n[UNK]\r\n", "a\r\n[UNK]\r", "a\rb\n\r\r\nc\n[UNK]\n\r",
        "\ufeffa\n[UNK]\nä\n##ö\n中\n", "a\x0bb\x0cc\x85d\u2028e\n[UNK]\n", "a b\n c \n[UNK]\n",
    ],
)  # fmt: skip
def test_lines_are_those_that_were_read(tmp_path: pathlib.Path, content: str) -> None:
    vocabulary, ids, pieces = _tables(tmp_path, content)
    count = len(vocabulary.pieces)
    found = pieces.table.lookup(tf.range(count, dtype=tf.int64)).numpy()
    assert tuple(piece.decode() for piece in found) == vocabulary.pieces
    assert ids.table.lookup(tf.constant(found)).numpy().tolist() == list(range(count))
    assert int(ids.table.size()) == int(pieces.table.size()) == count


def test_of_equal_pieces_the_first_is_found(tmp_path: pathlib.Path) -> None:
    _, ids, pieces = _tables(tmp_path, "[unused1]\n\n[UNK]\na\n[unused1]\n\n")
    found = ids.lookup(tf.constant(["[unused1]", "", "a", "b"]))
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [0, 1, 3, 2]
    assert pieces.table.lookup(tf.constant([4, 5, 6, -1], tf.int64)).numpy().tolist() == [
        b"[unused1]",
        b"",
        b"[UNK]",
        b"[UNK]",
    ]


def test_without_unknown_token_ids_are_minus_one(tmp_path: pathlib.Path) -> None:
    _, ids, pieces = _tables(tmp_path, "a\n")
    assert ids.lookup(tf.constant(["a", "[UNK]", "b"])).numpy().tolist() == [0, -1, -1]
    assert pieces.table.lookup(tf.constant([0, 1], tf.int64)).numpy().tolist() == [b"a", b"[UNK]"]
