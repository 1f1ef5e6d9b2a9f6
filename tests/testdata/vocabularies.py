"""Vocabularies learnt from a corpus: WordPiece in BERT's manner, SentencePiece in ALBERT's."""

from __future__ import annotations

import io
import pathlib
import string
from collections.abc import Sequence

import sentencepiece
import tensorflow as tf
from tensorflow_text.tools.wordpiece_vocab import bert_vocab_from_dataset

WORDPIECE_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SENTENCEPIECE_CONTROL_SYMBOLS = ("[CLS]", "[SEP]", "[MASK]")  # Pieces 2, 3, 4.
_CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation


def write_wordpiece(sentences: Sequence[str], path: pathlib.Path, max_size: int) -> int:
    """Writes an uncased WordPiece vocabulary, one piece a line.

    The special tokens come first. Every printable ASCII character has a piece of its own.

    Args:
      sentences: The text to learn from.
      path: The file to write.
      max_size: The largest number of pieces; about 95% of it are reached.

    Returns:
      The number of pieces.
    """
    pieces = bert_vocab_from_dataset.bert_vocab_from_dataset(
        tf.data.Dataset.from_tensor_slices([*sentences, " ".join(_CHARACTERS)]).batch(1000),
        vocab_size=max_size,
        reserved_tokens=list(WORDPIECE_SPECIAL_TOKENS),
        bert_tokenizer_params={"lower_case": True},
        learn_params={"lower_thresh": 2},
    )
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return len(pieces)


def write_sentencepiece(sentences: Sequence[str], path: pathlib.Path, size: int) -> None:
    """Writes a SentencePiece unigram model of lower-cased text.

    Every printable ASCII character has a piece of its own.

    Args:
      sentences: The text to learn from.
      path: The file to write.
      size: The number of pieces: "<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", then learnt ones.
    """
    model = io.BytesIO()
    # Text and model go through memory: the library stores the names of files in the model.
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([sentence.lower() for sentence in sentences]),
        model_writer=model,
        model_type="unigram",
        vocab_size=size,
        pad_id=0,
        pad_piece="<pad>",
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=list(SENTENCEPIECE_CONTROL_SYMBOLS),
        required_chars=_CHARACTERS,
        num_threads=1,
        minloglevel=1,
    )
    path.write_bytes(model.getvalue())
