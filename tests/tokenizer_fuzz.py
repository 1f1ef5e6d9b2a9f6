"""Compares tokenizers with the libraries' own on far more text than the suite has time for.

    python -m tests.tokenizer_fuzz --vocab_file=... --lines_file=...

It prints how many texts were compared and how many differ, and fails if one does.
"""

from __future__ import annotations

import pathlib
import random
import sys
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import sentencepiece
import tensorflow as tf
from absl import app, flags
from official.nlp.modeling import layers

from exporter import normalizers, tokenizers

_TESTDATA = pathlib.Path(__file__).parent / "testdata"
_VOCAB_FILE = flags.DEFINE_string(
    "vocab_file", str(_TESTDATA / "bert_tiny" / "vocab.txt"), "A WordPiece vocabulary."
)
_SP_MODEL_FILE = flags.DEFINE_string(
    "sp_model_file", str(_TESTDATA / "spm" / "spm.model"), "A SentencePiece model."
)
_LINES_FILE = flags.DEFINE_string(
    "lines_file", None, "A text to take lines from; the rest is made up."
)
_LINES = flags.DEFINE_integer("lines", 200_000, "How many lines are compared.")
_BYTES = flags.DEFINE_integer("bytes", 100_000, "How many random byte strings are compared.")
_SEED = flags.DEFINE_integer("seed", 0, "Of what is made up.")
_BATCH_SIZE = 1000
_MAX_SHOWN = 10


def main(argv: Sequence[str]) -> int:
    """Compares what the flags say.

    Returns:
      The exit status: 0, or 1 if a text has other ids than it should.
    """
    del argv
    rng = random.Random(_SEED.value)
    texts = {
        "lines": list(_lines(rng, _LINES.value)),
        "byte strings": [_random_bytes(rng) for _ in range(_BYTES.value)],
    }
    different = 0
    for kind, compared in texts.items():
        for lower_case in (True, False):
            count = _compare_wordpieces(compared, lower_case)
            print(f"WordPiece, lower_case={lower_case}: {count} of {len(compared)} {kind} differ")
            different += count
        count = _compare_sentencepieces(compared)
        print(f"SentencePiece: {count} of {len(compared)} {kind} differ", flush=True)
        different += count
    return 1 if different else 0


def _compare_wordpieces(texts: Sequence[bytes], lower_case: bool) -> int:
    theirs = layers.BertTokenizer(vocab_file=_VOCAB_FILE.value, lower_case=lower_case)
    ours = tokenizers.WordpieceTokenizer(_VOCAB_FILE.value, lower_case)
    signature = [tf.TensorSpec([None], tf.string)]
    tokenize, flat = (
        tf.function(method, autograph=False, input_signature=signature)
        for method in (ours.tokenize, ours.tokenize_flat)
    )
    different = 0
    for batch in _batches(texts):
        text = tf.constant(batch)
        expected = theirs(text)
        got = tokenize(text)
        same = _same(expected, got) and _same(expected.merge_dims(1, 2), flat(text))
        if not same:
            different += _show(batch, expected.to_list(), got.to_list())
    return different


def _compare_sentencepieces(texts: Sequence[bytes]) -> int:
    library = sentencepiece.SentencePieceProcessor(model_file=_SP_MODEL_FILE.value)
    ours = tokenizers.SentencepieceTokenizer(_SP_MODEL_FILE.value, lower_case=True)
    normalize = normalizers.SentencepieceNormalizer(lower_case=True, strip_accents=True)
    different = 0
    for batch in _batches(texts):
        text = tf.constant(batch)
        got = ours.tokenize(text).to_list()
        expected = library.encode(normalize(text).numpy().tolist())
        if got != expected:
            different += _show(batch, expected, got)
    return different


def _same(expected: tf.RaggedTensor, got: tf.RaggedTensor) -> bool:
    return np.array_equal(expected.flat_values, got.flat_values) and all(
        np.array_equal(splits, others)
        for splits, others in zip(expected.nested_row_splits, got.nested_row_splits, strict=True)
    )


def _show(texts: Sequence[bytes], expected: Sequence[object], got: Sequence[object]) -> int:
    """Prints what differs and returns how many texts do."""
    pairs = zip(texts, expected, got, strict=True)
    different = [(text, wanted, found) for text, wanted, found in pairs if wanted != found]
    for text, wanted, found in different[:_MAX_SHOWN]:
        print(f"{text!r}: {wanted}, got {found}", file=sys.stderr)
    return max(len(different), 1)


def _batches(texts: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    # Few of which are without a text that must be rewritten, should they all be as large.
    sizes = (1, 3, _BATCH_SIZE)
    start, i = 0, 0
    while start < len(texts):
        size = sizes[i % len(sizes)] if i < 300 else _BATCH_SIZE
        yield texts[start : start + size]
        start, i = start + size, i + 1


def _lines(rng: random.Random, count: int) -> Iterator[bytes]:
    given = []
    if _LINES_FILE.value:
        given = pathlib.Path(_LINES_FILE.value).read_bytes().splitlines()
    marks = [chr(point) for point in range(0x110000) if unicodedata.category(chr(point))[0] == "M"]
    for i in range(count):
        if given and i % 2:
            yield given[i // 2 % len(given)]
        else:
            yield _random_text(rng, marks).encode()


def _random_text(rng: random.Random, marks: Sequence[str]) -> str:
    """Makes up a text in some writing systems, with marks, signs and space in between."""
    starts = [rng.randrange(0x20, 0x3400) for _ in range(2)]
    starts += [rng.choice((0xAC00, 0x4E00, 0x10000, 0x1D000, 0x1F300, 0xE000, 0xFB00, 0xFF00))]
    characters = []
    for _ in range(rng.choice((0, 1, 2, 5, 20, 60))):
        choice = rng.random()
        if choice < 0.35:
            characters.append(rng.choice("aetonihsrdlu THE  ,.'#-[]0123"))
        elif choice < 0.8:
            characters.append(chr(rng.choice(starts) + rng.randrange(64)))
        elif choice < 0.9:
            characters.append(rng.choice(marks))
        else:
            characters.append(
                chr(rng.choice((*range(0x2000, 0x2070), 0xA0, 0x3000, 0, 0x1F, 0xAD)))
            )
    return "".join(characters)


def _random_bytes(rng: random.Random) -> bytes:
    """Makes up bytes: at random, or a text's with some of them changed."""
    if rng.random() < 0.5:
        return rng.randbytes(rng.choice((1, 2, 4, 8, 32, 200)))
    data = bytearray(_random_text(rng, ["\u0301", "\u0323"]).encode())
    for _ in range(min(len(data), rng.randint(1, 4))):
        data[rng.randrange(len(data))] = rng.choice((0, 0x80, 0xC3, 0xE1, 0xED, 0xF0, 0xFF))
    return bytes(data)


if __name__ == "__main__":
    app.run(main)
