"""WordPiece vocabularies in the graph: from pieces to ids and back."""

from __future__ import annotations

import tensorflow as tf

from exporter import vocabularies


class Ids(tf.Module):
    """From pieces to ids, of equal pieces the first one's.

    Attributes:
      table: The table, string to int64, -1 for what is no piece.
    """

    def __init__(self, vocabulary: vocabularies.Vocabulary, unknown_token: str) -> None:
        """Fills the table.

        Args:
          vocabulary: The vocabulary.
          unknown_token: What is taken for all that is no piece.
        """
        super().__init__()
        pieces = vocabulary.pieces
        self._unknown_id = pieces.index(unknown_token) if unknown_token in pieces else -1
        # An attribute, so that it is found when a loaded model is saved again: a table forgets
        # its initializer in loading (TensorFlow issue 46456).
        self._initializer = _Initializer(vocabulary, key_dtype=tf.string, value_dtype=tf.int64)
        self.table = tf.lookup.StaticHashTable(self._initializer, default_value=-1)

    def lookup(self, pieces: tf.Tensor) -> tf.Tensor:
        """Returns ids, int32 `[N]`, of pieces, string `[N]`."""
        ids = tf.cast(self.table.lookup(pieces), tf.int32)
        return tf.where(ids < 0, self._unknown_id, ids)


class Pieces(tf.Module):
    """From ids to pieces.

    Attributes:
      table: The table, int64 to string.
    """

    def __init__(self, vocabulary: vocabularies.Vocabulary, unknown_token: str) -> None:
        """Fills the table.

        Args:
          vocabulary: The vocabulary.
          unknown_token: What numbers are mapped to that are no ids.
        """
        super().__init__()
        self._initializer = _Initializer(vocabulary, key_dtype=tf.int64, value_dtype=tf.string)
        self.table = tf.lookup.StaticHashTable(self._initializer, default_value=unknown_token)


class _Initializer(tf.lookup.TextFileInitializer):
    """Fills a table from a vocabulary's lines.

    TensorFlow's own takes no piece twice, and names the table by the file's path, which would end
    up in saved_model.pb.
    """

    def __init__(
        self, vocabulary: vocabularies.Vocabulary, *, key_dtype: tf.DType, value_dtype: tf.DType
    ) -> None:
        self._content_name = f"vocabulary_{key_dtype.name}_{vocabulary.digest}"
        index = {
            tf.string: tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64: tf.lookup.TextFileIndex.LINE_NUMBER,
        }
        super().__init__(
            vocabulary.path,
            key_dtype=key_dtype,
            key_index=index[key_dtype],
            value_dtype=value_dtype,
            value_index=index[value_dtype],
        )

    @property
    def _shared_name(self) -> str:
        return self._content_name

    def initialize(self, table: tf.lookup.StaticHashTable) -> tf.Operation | None:
        """Fills the table, as TensorFlow asks for it."""
        pieces = _lines(tf.convert_to_tensor(self._filename, tf.string))
        ids = tf.range(tf.size(pieces, out_type=tf.int64))
        keys, values = ids, pieces
        if self.key_dtype == tf.string:
            keys, first = tf.unique(pieces, out_idx=tf.int64)
            values = tf.math.unsorted_segment_min(ids, first, tf.size(keys))
        return tf.raw_ops.InitializeTableV2(
            table_handle=table.resource_handle, keys=keys, values=values
        )


def _lines(path: tf.Tensor) -> tf.Tensor:
    """Returns the lines of a vocabulary as `vocabularies.read` does, string `[V]`."""
    content = tf.strings.regex_replace(tf.io.read_file(path), r"\r(\n|\z)", r"\1")
    content = tf.strings.regex_replace(content, r"\n\z", "")
    # Without the rest of a ragged tensor, which is several times as large a graph.
    return tf.raw_ops.StringSplitV2(input=[content], sep="\n").values
