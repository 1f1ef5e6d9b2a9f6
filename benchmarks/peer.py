"""Hugging Face's `tokenizers` on the text that preprocessing is measured with.

    PYTHON -m benchmarks.peer OUTPUT VOCAB_FILE

It needs a Python that has `tokenizers` and `numpy`; the exporter needs neither of the two. It
writes a JSON list to the file OUTPUT: the lines per second that are tokenized, truncated, padded
and put into arrays, then the same per second of processor time.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import sys

import numpy as np

from benchmarks import texts, timing

_BATCH_SIZE = 256
_LENGTH = 128
_PASSES = 3
_REPETITIONS = 4


def throughput(vocab_file: str) -> list[float]:
    """Returns the lines per second, and per second of processor time."""
    library = importlib.import_module("tokenizers")
    tokenizer = library.BertWordPieceTokenizer(vocab_file, lowercase=True)
    tokenizer.enable_truncation(_LENGTH)
    tokenizer.enable_padding(length=_LENGTH)
    lines = _REPETITIONS * texts.lines()

    def encode() -> None:
        for start in range(0, len(lines), _BATCH_SIZE):
            batch = tokenizer.encode_batch(lines[start : start + _BATCH_SIZE])
            for name in ("ids", "attention_mask", "type_ids"):
                np.array([getattr(encoding, name) for encoding in batch], np.int32)

    encode()
    (spent,) = timing.in_turn([encode], calls=_PASSES)
    return [len(lines) / spent.wall, len(lines) / spent.processor]


if __name__ == "__main__":
    _, _output, _vocab_file = sys.argv
    pathlib.Path(_output).write_text(json.dumps(throughput(_vocab_file)), encoding="utf-8")
