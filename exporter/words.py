"""What a word is to WordPiece: `tensorflow_text.BertTokenizer`'s rules."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

SUFFIX_INDICATOR = "##"
# What words are split around, each character a word of its own: ASCII's symbols, Unicode's
# punctuation, and the Chinese characters.
SINGLE_CHARACTER_WORD = (
    r"[!-/:-@\[-`{-~\p{P}\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
    r"\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}]"
)
_SPACE_OR_CONTROL = r"[\s\p{Cc}\p{Cf}]"
# The last one is the suffix of nothing.
_NEVER = rf"(?s).*{_SPACE_OR_CONTROL}.*|.+{SINGLE_CHARACTER_WORD}.*|.*{SINGLE_CHARACTER_WORD}.+|"


def spaced(text: tf.Tensor) -> tf.Tensor:
    """Puts spaces around the words of one character in normalized texts, string `[B]`."""
    return tf.strings.regex_replace(text, SINGLE_CHARACTER_WORD, r" \0 ")


def never_in_words(pieces: Sequence[str]) -> list[bool]:
    """Tells for each piece whether it can be in no word of any text.

    These are pieces with white space or control characters, and those with more than one character
    where one of them is a word of its own: "[MASK]", "don't".

    Args:
      pieces: Of a WordPiece vocabulary.
    """
    if not pieces:
        return []
    bodies = [piece.removeprefix(SUFFIX_INDICATOR) for piece in pieces]
    never = tf.strings.regex_full_match(bodies, _NEVER)
    is_suffix = tf.constant([piece.startswith(SUFFIX_INDICATOR) for piece in pieces])
    is_single = tf.strings.regex_full_match(bodies, SINGLE_CHARACTER_WORD)
    return (never | (is_suffix & is_single)).numpy().tolist()
