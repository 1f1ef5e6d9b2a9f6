"""Compares what a preprocessing makes of texts with TF-NLP's tokenizer, and its vocabulary."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from exporter import (
    contracts,
    contracts_of_tokens,
    loaded_models,
    reports,
    sample_texts,
    saved_text,
    text_sources,
    token_rows,
    vocabularies,
)

SPECIAL_TOKENS, TOKENS = "special tokens", "tokens"
_PIECES, _TEXTS = "pieces of the vocabulary", "detokenized texts"
_VOCABULARY = "the vocabulary, and how it spells special tokens"
_CASING = "the vocabulary, --do_lower_case, and what else is done to text before it is split"
_FILE = "whether vocab_file, or the model in the graph, is the file that the source has"

Texts = Sequence[bytes]


def checks(
    model: loaded_models.Model, source: text_sources.TextSource, *, quick: bool
) -> Iterator[reports.Check]:
    """Compares special tokens, tokens, pieces and texts made of tokens.

    Args:
      model: The preprocessing.
      source: What it was made from.
      quick: Whether only some texts are compared, and not thousands.

    Yields:
      The checks.
    """
    tokenize, _, special_tokens = source.layers()

    def same_special_tokens() -> reports.Check:
        returned = model.loaded.tokenize.get_special_tokens_dict()
        got = {name: int(value) for name, value in returned.items()}
        told = str(dict(sorted(got.items())))
        return reports.Check(SPECIAL_TOKENS, got == special_tokens, told, look_at=_VOCABULARY)

    yield contracts.attempt(SPECIAL_TOKENS, same_special_tokens)
    for name, batches in _batches(source, quick=quick):
        yield contracts.attempt(name, _tokens(name, model, tokenize, batches))
    yield contracts.attempt(_PIECES, lambda: _same_pieces(model, source))
    if not quick and hasattr(model.loaded, "detokenize") and hasattr(model.loaded, "vocab"):
        yield contracts.attempt(_TEXTS, lambda: _same_texts(model, source))


def _batches(
    source: text_sources.TextSource, *, quick: bool
) -> Iterator[tuple[str, Sequence[Texts]]]:
    """Yields texts by what the check is called, in batches: some are handled by other code."""
    plain = tuple(text.encode() for text in sample_texts.SENTENCES)
    yield TOKENS, (plain, sample_texts.INVALID, (plain[0],))
    if not quick:
        for what, texts in sample_texts.all_sorts(_vocabulary(source).pieces):
            if texts != sample_texts.null_characters() or not source.ends_at_null:
                yield f"{TOKENS} of {what}", (texts,)


def _tokens(
    name: str,
    model: loaded_models.Model,
    tokenize: Callable[[tf.Tensor], tf.RaggedTensor],
    batches: Sequence[Texts],
) -> Callable[[], reports.Check]:
    def same_tokens() -> reports.Check:
        count = 0
        for texts in batches:
            expected = tokenize(tf.constant(texts))
            got = model.loaded.tokenize(tf.constant(texts))
            other = token_rows.difference(expected, got, texts)
            if other is not None:
                return reports.Check(name, False, str(other), look_at=_CASING)
            count += int(tf.size(got.flat_values))
        found = f"{count} in {sum(map(len, batches))} texts"
        return reports.Check(name, True, found, look_at=_CASING)

    return same_tokens


def _vocabulary(source: text_sources.TextSource) -> saved_text.Text:
    text = saved_text.read(source.path, wordpiece=bool(source.tokenizer.vocab_file))
    chosen = (source.tokenizer.special_tokens or {}).get(vocabularies.UNKNOWN_ID)
    return dataclasses.replace(text, unknown_piece=chosen)


def _same_pieces(model: loaded_models.Model, source: text_sources.TextSource) -> reports.Check:
    """Compares the file in the SavedModel, and `.vocab`, with the source's pieces."""
    expected, own = _vocabulary(source), saved_text.find(model)
    has_vocab = hasattr(model.loaded, "vocab")
    if own is None and not has_vocab:
        return reports.Check(_PIECES, None, "the SavedModel holds no vocabulary that could be read")
    others = []
    if own is not None:
        other = saved_text.difference(own, expected)
        others += [f"the SavedModel's own: {other}"] if other else []
    if has_vocab:
        got = saved_text.pieces_of_vocab(model, len(expected.pieces))
        if got != list(expected.pieces):
            others.append(f".vocab: {saved_text.first_other(got, expected.pieces)}")
    found = "; ".join(others) or f"{len(expected.pieces)}"
    return reports.Check(_PIECES, not others, found, look_at=_FILE)


def _same_texts(model: loaded_models.Model, source: text_sources.TextSource) -> reports.Check:
    """Compares what `detokenize` puts together with the pieces put together in Python."""
    text = _vocabulary(source)
    samples = [*(text.encode() for text in sample_texts.SENTENCES), *sample_texts.INVALID]
    samples += sample_texts.mixtures(text.pieces, 200)
    tokens = model.loaded.tokenize(tf.constant(samples))
    other = contracts_of_tokens.other_texts(text, tokens, model, source.layers()[2])
    found = other or f"{len(samples)} texts"
    return reports.Check(_TEXTS, other is None, found, look_at="detokenize, and the vocabulary")
