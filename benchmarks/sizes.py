"""The encoders that are exported for measuring."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Size:
    """An encoder.

    Attributes:
      name: The value of --sizes.
      title: For the table's heading.
      encoder: Fields of `BertEncoderConfig`; empty for what the bundled pre-training run says.
      lengths: The sequence lengths of the forward passes.
      batch_size: Their batch size.
    """

    name: str
    title: str
    encoder: Mapping[str, Any]
    lengths: tuple[int, ...]
    batch_size: int

    @property
    def bundled(self) -> bool:
        """Whether weights and vocabulary are those of the bundled pre-training run."""
        return not self.encoder


_SIZES = (
    Size("tiny", "the bundled run (2 layers of width 64)", {}, (16, 64, 128), 4),
    Size(
        "minilm",
        "MiniLM (6 layers of width 384), random weights but for --sentence_model",
        {
            "vocab_size": 30522,
            "hidden_size": 384,
            "num_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
            "type_vocab_size": 2,
        },
        (16, 128, 512),
        4,
    ),
    Size(
        "base",
        "BERT-base (12 layers of width 768), random weights",
        {
            "vocab_size": 30522,
            "hidden_size": 768,
            "num_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
        (16, 128, 512),
        4,
    ),
    Size(
        "large",
        "BERT-large (24 layers of width 1024), random weights",
        {
            "vocab_size": 30522,
            "hidden_size": 1024,
            "num_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
        },
        (16, 128, 512),
        4,
    ),
)
SIZES: Mapping[str, Size] = {size.name: size for size in _SIZES}
# The one that may have the weights of a published BERT of sentences.
OF_SENTENCES = "minilm"
