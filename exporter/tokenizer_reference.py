"""TF-NLP's own tokenizers, with choices that it leaves to Python code."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping

import tensorflow as tf
import tensorflow_text as tf_text
from official.nlp.modeling import layers as tfnlp_layers
from tensorflow_text.python.ops import bert_tokenizer

from exporter import settings, token_rows, vocabularies

Tokenize = Callable[[tf.Tensor], tf.RaggedTensor]


def make(choices: settings.TokenizerSettings) -> tuple[Tokenize, dict[str, int]]:
    """Returns a tokenizer and the special tokens that it finds, by purpose.

    Args:
      choices: The tokenizer, with casing and accents decided. It does not keep special tokens.
    """
    if choices.sp_model_file:
        layer = tfnlp_layers.SentencepieceTokenizer(
            model_file_path=choices.sp_model_file,
            lower_case=choices.do_lower_case,
            strip_diacritics=choices.strip_accents,
        )
        return layer, layer.get_special_tokens_dict()
    layer = _wordpiece(choices)
    if choices.strip_accents and not choices.do_lower_case:
        return lambda text: layer(_without_accents(text)), layer.get_special_tokens_dict()
    return layer, layer.get_special_tokens_dict()


def _wordpiece(choices: settings.TokenizerSettings) -> tfnlp_layers.BertTokenizer:
    options: dict[str, object] = {}
    unknown = (choices.special_tokens or {}).get(vocabularies.UNKNOWN_ID)
    if unknown:
        options["unknown_token"] = unknown
    if choices.do_lower_case and not choices.strip_accents:
        options["basic_tokenizer_class"] = bert_tokenizer.AccentPreservingBasicTokenizer
    # In memory: nothing of it is left, however the process ends.
    folder = f"ram://{secrets.token_hex(8)}"
    path = f"{folder}/vocab.txt"
    tf.io.gfile.makedirs(folder)
    try:
        with tf.io.gfile.GFile(path, "w") as file:
            file.write("\n".join(_different(choices.vocab_file or "")) + "\n")
        return tfnlp_layers.BertTokenizer(
            vocab_file=path, lower_case=choices.do_lower_case, tokenizer_kwargs=options
        )
    finally:
        tf.io.gfile.rmtree(folder)


def _different(path: str) -> list[str]:
    """Returns a vocabulary as TF-NLP takes it, without empty lines and equal ones.

    What is put for them is in no text, as they are in none.
    """
    pieces: dict[str, None] = {}
    for i, piece in enumerate(vocabularies.read(path).pieces):
        pieces[f"[line {i}]" if not piece or piece in pieces else piece] = None
    return list(pieces)


def _without_accents(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(tf_text.normalize_utf8(text, "NFD"), r"\p{Mn}", "")


def keeping(tokenize: Tokenize, ids: Mapping[str, int]) -> Tokenize:
    """Returns a tokenizer that keeps special tokens whole, each a word of its own.

    Args:
      tokenize: The tokenizer of what is between them.
      ids: The special tokens' ids by their spelling, of which the longer one is taken first.
    """
    spellings = [re.escape(spelling.encode()) for spelling in sorted(ids, key=len, reverse=True)]
    pattern = re.compile(b"(" + b"|".join(spellings) + b")")
    known = {spelling.encode(): i for spelling, i in ids.items()}

    def tokenize_between(text: tf.Tensor) -> tf.RaggedTensor:
        parts = [pattern.split(one) for one in text.numpy().tolist()]
        others = [part for of_text in parts for part in of_text]
        found = tokenize(tf.constant(others, tf.string))
        has_words = found.ragged_rank > 1
        tokens = iter(token_rows.to_lists(found))
        rows = []
        for of_text in parts:
            pairs = [(known.get(part), next(tokens)) for part in of_text]
            kept = [between if i is None else [[i] if has_words else i] for i, between in pairs]
            rows.append([token for part in kept for token in part])
        return token_rows.from_lists(rows, found.ragged_rank)

    return tokenize_between
