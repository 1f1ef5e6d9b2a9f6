"""Large constants of a SavedModel: compressed files among its assets, in memory once loaded.

As constants they would be several times as large in saved_model.pb as all the rest, and as
variables they would appear among the variables of whatever model this becomes a part of.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
import weakref
import zlib

import tensorflow as tf

from exporter import sharing

_WORD_BYTES = 4


class InflatedFile(tf.saved_model.experimental.TrackableResource):
    """Bytes, in memory from when the SavedModel is loaded.

    Attributes:
      size: How many there are: those given and at most 3 zeros.
    """

    def __init__(self, name: str, content: bytes) -> None:
        """Writes the file, to memory until it is saved with a model.

        Args:
          name: The file's name among the assets.
          content: The bytes.
        """
        super().__init__(device="CPU")
        # Nothing of it is left, however the process ends.
        folder = f"ram://{secrets.token_hex(8)}"
        tf.io.gfile.makedirs(folder)
        weakref.finalize(self, tf.io.gfile.rmtree, folder)
        path = f"{folder}/{name}"
        content += bytes(-len(content) % _WORD_BYTES)
        digest = hashlib.sha256(content).hexdigest()
        deflate = functools.partial(zlib.compress, _by_place(content))
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(sharing.once("deflated", digest, deflate))
        self.size = len(content)
        self._name = f"inflated_{digest}"
        self._file = self._track_trackable(tf.saved_model.Asset(path), "file")
        self._path = self._file.asset_path
        self._initialize()

    def _create_resource(self) -> tf.Tensor:
        return tf.raw_ops.VarHandleOp(
            dtype=tf.uint8, shape=[self.size], shared_name=self._name, name="inflated_file"
        )

    def _initialize(self) -> None:
        content = tf.io.decode_compressed(tf.io.read_file(self._path), "ZLIB")
        by_place = tf.split(tf.io.decode_raw(content, tf.uint8), _WORD_BYTES)
        tf.raw_ops.AssignVariableOp(
            resource=self.resource_handle, value=tf.reshape(tf.stack(by_place, axis=1), [-1])
        )

    def read(self) -> tf.Tensor:
        """Returns the content, uint8 `[size]`."""
        content = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=tf.uint8)
        return tf.ensure_shape(content, [self.size])


def _by_place(content: bytes) -> bytes:
    """Puts all first bytes of words first, then all second ones, and so on.

    Tables of 32-bit integers compress to two thirds of what they would as they are.
    """
    return b"".join(content[place::_WORD_BYTES] for place in range(_WORD_BYTES))
