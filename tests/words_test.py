from __future__ import annotations

import tensorflow as tf
from tensorflow_text.python.ops import bert_tokenizer

from exporter import words


def test_spaces_part_words_as_the_library_does() -> None:
    texts = tf.constant(
        [
            "don't,stop!",
            "中国 is #1",
            "a\u00a0b\u2028c",
            "",
            " ",
            "x\ty\nz",
            "¿¡«»—„“ $+<=>^`|~",
            "ab",
        ]
    )
    split = tf.strings.split(words.spaced(texts))
    assert split.to_list() == bert_tokenizer.BasicTokenizer().tokenize(texts).to_list()


def test_pieces_that_are_in_no_word() -> None:
    never = [
        "[MASK]", "[unused1]", "don't", "中国", "##中", "##'", "'##", "##", "###", "a b", " ", "\n",
        "a\u200db", "\x01", "a\0", "", "##a b", "a\n",
    ]  # fmt: skip
    there = [
        "a",
        "##a",
        "'",
        "中",
        "#",
        "ab",
        "##ab",
        "é",
        "\u00a0",
        "a\u2028b",
        "\ue000",
        "\U0001f600",
    ]
    assert words.never_in_words(never) == [True] * len(never)
    assert words.never_in_words(there) == [False] * len(there)
    assert words.never_in_words([]) == []
