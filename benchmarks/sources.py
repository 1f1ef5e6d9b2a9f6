"""What is exported: a checkpoint as TF-NLP writes it, the encoder's configuration, a vocabulary."""

from __future__ import annotations

import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).absolute().parent.parent


@dataclasses.dataclass(frozen=True)
class Source:
    """The files of one encoder.

    Attributes:
      folder: Where they are.
    """

    folder: pathlib.Path

    @property
    def checkpoint(self) -> str:
        """The checkpoint's prefix. `tf.train.Checkpoint.save` has appended its counter."""
        return str(self.folder / "bert_model.ckpt-1")

    @property
    def encoder_config(self) -> pathlib.Path:
        """The `EncoderConfig` as YAML."""
        return self.folder / "bert_encoder.yaml"

    @property
    def vocabulary(self) -> pathlib.Path:
        """The WordPiece vocabulary."""
        return self.folder / "vocab.txt"
