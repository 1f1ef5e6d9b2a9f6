"""From text to WordPieces in the graph: longest piece first, the quick way or the general one.

Both give the ids of `tensorflow_text.BertTokenizer`. The general way cuts text into words and asks
a lookup table for every candidate piece of a word. The quick one walks a trie through the whole
text, and cuts it into words as it goes. It takes some characters for white space or punctuation
that are letters to `BertTokenizer`. So texts with one of these are rewritten before that, into ones
that mean the same both ways.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from exporter import inflated_files, normalizers, sharing, vocabularies, words

# Longer words become the unknown token.
MAX_BYTES_PER_WORD = 100

# Letters to `BertTokenizer`, but white space or, by a later version of Unicode, punctuation to the
# quick way.
LETTERS_TAKEN_FOR_OTHERS = (
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
    "\u202f\u205f\u3000\u1b4e\u1b4f\u1b7f\U00010d6e\U000113d4\U000113d5\U000113d7\U000113d8\U00011be1"
    "\U00016d6d\U00016d6e\U00016d6f\U0001e5ff"
)
# Not valid in UTF-8, but to regular expressions.
_SURROGATES = r"\x{D800}-\x{DFFF}"
_PRIVATE_USE = range(0xE000, 0xF900)
_TRIE_FILE = "wordpiece_trie.zlib"


class QuickWay(tf.Module):
    """The quick way, linear in the length of the text."""

    def __init__(
        self,
        vocabulary: vocabularies.Vocabulary,
        unknown_token: str,
        normalize: normalizers.WordpieceNormalizer,
    ) -> None:
        """Builds the trie.

        Args:
          vocabulary: The vocabulary.
          normalize: What is done to texts first.
          unknown_token: What a word becomes that cannot be split. If the vocabulary lacks it, its
            id is -1.

        Raises:
          ValueError: There is no such way for this vocabulary.
        """
        super().__init__()
        self._normalize = normalize
        self._plain = f"[^{''.join(_letters_left(normalize))}{_SURROGATES}]*"
        pieces = tuple(vocabulary.pieces)
        self._letter = _letter_in_none(pieces)
        self._lacking = None if unknown_token in pieces else len(pieces)
        inert, trie = sharing.once(
            "trie", (pieces, unknown_token), lambda: _built(pieces, unknown_token)
        )
        self._trie = inflated_files.InflatedFile(_TRIE_FILE, trie)
        self._is_suffix = np.packbits(
            [piece.startswith(words.SUFFIX_INDICATOR) for piece in inert], bitorder="little"
        )

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Splits texts, string `[B]`, into pieces, int32 `[B, (pieces)]`."""
        ids = self._pieces(text)
        return ids.with_values(self._known(ids.values))

    def tokenize_by_words(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Splits texts, string `[B]`, into int32 `[B, (words), (pieces)]`."""
        ids = self._pieces(text)
        # In a piece that starts a word, no other sign can follow a number sign: what is spelled
        # like a suffix is one.
        bits = tf.gather(tf.constant(self._is_suffix), ids.values // 8)
        is_suffix = tf.bitwise.right_shift(bits, tf.cast(ids.values % 8, tf.uint8)) % 2 > 0
        word_starts = tf.where(~is_suffix)[:, 0]
        num_pieces = tf.size(ids.values, out_type=tf.int64)
        by_words = tf.RaggedTensor.from_row_splits(
            self._known(ids.values), tf.concat([word_starts, [num_pieces]], axis=0), validate=False
        )
        starts_word = tf.concat([[False], ~is_suffix], axis=0)
        num_words = tf.cumsum(tf.cast(starts_word, tf.int64))
        return tf.RaggedTensor.from_row_splits(
            by_words, tf.gather(num_words, ids.row_splits), validate=False
        )

    def tokenize_words(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Splits words as `GeneralWay.tokenize_words` does."""
        ids, starts = self._walk(self._rewritten(text))
        return ids.with_values(self._known(ids.values)), starts

    def _pieces(self, text: tf.Tensor) -> tf.RaggedTensor:
        plain = tf.cond(
            tf.reduce_all(tf.strings.regex_full_match(text, self._plain)),
            lambda: self._normalize.quick(text),
            lambda: self._rewritten(words.spaced(self._normalize(text))),
        )
        return self._walk(plain)[0]

    def _rewritten(self, text: tf.Tensor) -> tf.Tensor:
        """Puts a letter that is in no piece for what is not taken for a letter, but is one."""
        text = tf.strings.unicode_transcode(
            text, "UTF-8", "UTF-8", errors="replace", replacement_char=ord(self._letter)
        )
        return tf.strings.regex_replace(text, f"[{LETTERS_TAKEN_FOR_OTHERS}]", self._letter)

    def _walk(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        tokenizer = tf_text.FastWordpieceTokenizer(
            token_out_type=tf.int32, model_buffer=self._trie.read()
        )
        ids, starts, _ = tokenizer.tokenize_with_offsets(text)
        return ids, starts

    def _known(self, ids: tf.Tensor) -> tf.Tensor:
        return ids if self._lacking is None else tf.where(ids == self._lacking, -1, ids)


class GeneralWay(tf.Module):
    """The general way, quadratic in a word's length."""

    def __init__(
        self,
        vocabulary: vocabularies.Vocabulary,
        unknown_token: str,
        table: tf.lookup.StaticHashTable,
    ) -> None:
        """Makes the tokenizer.

        Args:
          vocabulary: The vocabulary.
          unknown_token: What a word becomes that cannot be split.
          table: From pieces to ids, int64, -1 for what is no piece.
        """
        super().__init__()
        longest = max(len(p.removeprefix(words.SUFFIX_INDICATOR)) for p in vocabulary.pieces)
        self._tokenizer = tf_text.WordpieceTokenizer(
            table,
            suffix_indicator=words.SUFFIX_INDICATOR,
            max_bytes_per_word=MAX_BYTES_PER_WORD,
            max_chars_per_token=max(longest, 1),
            token_out_type=tf.int32,
            unknown_token=unknown_token,
        )

    def tokenize_words(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Splits words.

        Args:
          text: Words, string `[W]`, none of them empty.

        Returns:
          Ids, int32 `[W, (pieces)]`, and where in the word the pieces start, in bytes, int64 of
          the same shape. The pieces of a word follow each other without a gap.
        """
        ids, starts, _ = self._tokenizer.tokenize_with_offsets(text)
        return ids, starts


def _letters_left(normalize: normalizers.WordpieceNormalizer) -> list[str]:
    """Returns those of the letters above that are such when they are normalized."""
    normalized = normalize(tf.constant(list(LETTERS_TAKEN_FOR_OTHERS)))
    left = tf.strings.regex_full_match(normalized, f"[{LETTERS_TAKEN_FOR_OTHERS}]").numpy()
    return [
        letter for letter, is_left in zip(LETTERS_TAKEN_FOR_OTHERS, left, strict=True) if is_left
    ]


def _letter_in_none(pieces: Sequence[str]) -> str:
    """Returns a letter of no alphabet that is in no piece."""
    there = set().union(*pieces)
    odd = sorted(there.intersection(LETTERS_TAKEN_FOR_OTHERS))
    if odd:
        raise ValueError(f"a piece holds {', '.join(f'U+{ord(c):04X}' for c in odd)}")
    free = (chr(point) for point in _PRIVATE_USE if chr(point) not in there)
    letter = next(free, None)
    if letter is None:
        raise ValueError("its pieces hold every private-use character")
    return letter


def _built(pieces: Sequence[str], unknown_token: str) -> tuple[list[str], bytes]:
    """Returns the pieces that the trie is built of, and the trie."""
    inert = _without_impossible(pieces)
    unknown = unknown_token
    if unknown_token in pieces:
        unknown = inert[pieces.index(unknown_token)]
    else:
        inert.append(unknown)
    try:
        trie = tf_text.build_fast_wordpiece_model(
            inert,
            MAX_BYTES_PER_WORD,
            words.SUFFIX_INDICATOR,
            unknown,
            False,  # no_pretokenization
            False,  # support_detokenization
        )
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return inert, trie


def _without_impossible(pieces: Sequence[str]) -> list[str]:
    """Replaces pieces that are in no word by others that are in none, all of them different."""
    inert = "[/"
    while any(piece.startswith(inert) for piece in pieces):
        inert += "/"
    never = words.never_in_words(pieces)
    return [f"{inert}{i}]" if never[i] else piece for i, piece in enumerate(pieces)]
