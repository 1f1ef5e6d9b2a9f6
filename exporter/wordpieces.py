"""From words to WordPieces in the graph: longest piece first, the quick way or the general one.

Both give the same ids. The quick one walks a trie; it needs a vocabulary that has the unknown
token and that TensorFlow Text can build the trie of. The general one asks a lookup table for every
candidate piece.
"""

from __future__ import annotations

import hashlib
import logging
import pathlib
import shutil
import tempfile
import weakref
import zlib
from typing import Protocol

import tensorflow as tf
import tensorflow_text as text

from exporter import vocabularies

SUFFIX_INDICATOR = "##"
# Longer words become the unknown token.
MAX_BYTES_PER_WORD = 100

_TRIE_FILE = "wordpiece_trie.zlib"
_logger = logging.getLogger(__name__)


class Wordpieces(Protocol):
    """Splits words into pieces.

    Attributes:
      why_general: Why this is not the quick way, or None if it is.
    """

    why_general: str | None

    def tokenize(self, words: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Splits words.

        Args:
          words: string `[W]`, none of them empty.

        Returns:
          Ids, int32 `[W, (pieces)]`, and where in the word the pieces start, in bytes, int64 of
          the same shape. The pieces of a word follow each other without a gap.
        """


def make(vocabulary: vocabularies.Vocabulary, unknown_token: str) -> Wordpieces:
    """Returns the quick way for a vocabulary if there is one, else the general way.

    Args:
      vocabulary: The vocabulary.
      unknown_token: What a word becomes that cannot be split. If the vocabulary lacks it, its id
        is -1.
    """
    if unknown_token not in vocabulary.pieces:
        why = f"the vocabulary has no {unknown_token}"
        _logger.warning(
            "%s has no %s: words that it cannot spell get the id -1.",
            vocabulary.path,
            unknown_token,
        )
        return TableWordpieces(vocabulary, unknown_token, why)
    try:
        trie = text.build_fast_wordpiece_model(
            list(vocabulary.pieces),
            MAX_BYTES_PER_WORD,
            SUFFIX_INDICATOR,
            unknown_token,
            True,  # no_pretokenization
            False,  # support_detokenization
        )
    except RuntimeError as error:
        _logger.info("No trie for %s (%s): slower lookups instead.", vocabulary.path, error)
        return TableWordpieces(vocabulary, unknown_token, str(error))
    return TrieWordpieces(trie)


class TrieWordpieces(tf.Module):
    """The quick way, linear in a word's length."""

    why_general = None

    def __init__(self, trie: bytes) -> None:
        super().__init__()
        # Where it is until it is saved with the model.
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = pathlib.Path(folder, _TRIE_FILE)
        path.write_bytes(zlib.compress(trie))
        self._file = tf.saved_model.Asset(str(path))
        self._trie = InflatedFile(self._file, trie)

    def tokenize(self, words: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Splits words as `Wordpieces.tokenize` says."""
        tokenizer = text.FastWordpieceTokenizer(
            token_out_type=tf.int32, model_buffer=self._trie.read()
        )
        ids, starts, _ = tokenizer.tokenize_with_offsets(words)
        return ids, starts


class InflatedFile(tf.saved_model.experimental.TrackableResource):
    """The content of a compressed file, in memory from when the SavedModel is loaded.

    A constant would be several times as large in saved_model.pb as all the rest, and a variable
    would appear among the variables of whatever model this becomes a part of.
    """

    def __init__(self, file: tf.saved_model.Asset, content: bytes) -> None:
        super().__init__(device="CPU")
        self._size = len(content)
        self._name = f"inflated_{hashlib.sha256(content).hexdigest()}"
        self._path = file.asset_path
        self._initialize()

    def _create_resource(self) -> tf.Tensor:
        return tf.raw_ops.VarHandleOp(
            dtype=tf.uint8, shape=[self._size], shared_name=self._name, name="inflated_file"
        )

    def _initialize(self) -> None:
        content = tf.io.decode_compressed(tf.io.read_file(self._path), "ZLIB")
        tf.raw_ops.AssignVariableOp(
            resource=self.resource_handle, value=tf.io.decode_raw(content, tf.uint8)
        )

    def read(self) -> tf.Tensor:
        """Returns the content, uint8 `[bytes]`."""
        content = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=tf.uint8)
        return tf.ensure_shape(content, [self._size])


class TableWordpieces(tf.Module):
    """The general way, quadratic in a word's length."""

    def __init__(
        self, vocabulary: vocabularies.Vocabulary, unknown_token: str, why_general: str
    ) -> None:
        super().__init__()
        self.why_general = why_general
        # An attribute, so that it is found when a loaded model is saved again: a table forgets
        # its initializer in loading (TensorFlow issue 46456).
        self._initializer = _ContentNamedInitializer(vocabulary)
        self._table = tf.lookup.StaticHashTable(self._initializer, default_value=-1)
        longest = max(len(p.removeprefix(SUFFIX_INDICATOR)) for p in vocabulary.pieces)
        self._tokenizer = text.WordpieceTokenizer(
            self._table,
            suffix_indicator=SUFFIX_INDICATOR,
            max_bytes_per_word=MAX_BYTES_PER_WORD,
            max_chars_per_token=max(longest, 1),
            token_out_type=tf.int32,
            unknown_token=unknown_token,
        )

    def tokenize(self, words: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Splits words as `Wordpieces.tokenize` says."""
        ids, starts, _ = self._tokenizer.tokenize_with_offsets(words)
        return ids, starts


class _ContentNamedInitializer(tf.lookup.TextFileInitializer):
    """Fills a table from a vocabulary.

    TensorFlow names such a table by the file's path, which would end up in saved_model.pb.
    """

    def __init__(self, vocabulary: vocabularies.Vocabulary) -> None:
        self._digest = vocabulary.digest
        super().__init__(
            vocabulary.path,
            key_dtype=tf.string,
            key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
            value_dtype=tf.int64,
            value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
        )

    @property
    def _shared_name(self) -> str:
        return f"vocabulary_{self._digest}"
