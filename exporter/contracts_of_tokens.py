"""What `tokenize` of a preprocessing SavedModel makes of text, by the vocabulary that it holds."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from exporter import contracts, loaded_models, sample_texts, saved_text, token_rows
from exporter.contracts_of_preprocessing import TEXTS, special_ids

_REQUIRED_IDS = ("vocab_size", "padding_id", "start_of_sequence_id", "end_of_segment_id")
_NO_VOCABULARY = "the SavedModel holds no vocabulary that could be read"
_ORDINARY = tuple(text.encode() for text in (*TEXTS, *sample_texts.SENTENCES))
_ADDED = ("padding_id", "start_of_sequence_id", "end_of_segment_id")
# For private use: what a vocabulary has no piece for, as far as one can tell.
_UNHEARD_OF = "\U0010fffd"

Texts = Sequence[bytes]


def tokens_are_ragged(model: loaded_models.Model) -> str:
    """`tokenize` returns ragged int32 of as many rows as texts, and none for an empty text."""
    tokens = model.loaded.tokenize(tf.constant(TEXTS))
    contracts.require(isinstance(tokens, tf.RaggedTensor), type(tokens).__name__)
    contracts.require(tokens.dtype == tf.int32, tokens.dtype.name)
    contracts.require(tokens.ragged_rank in (1, 2), f"{tokens.ragged_rank} ragged dimensions")
    contracts.require(tokens.nrows() == len(TEXTS), f"{tokens.nrows()} rows")
    of_empty = token_rows.flat(tokens)[1]
    contracts.require(not of_empty, f"{of_empty} for an empty text")
    return f"{tokens.ragged_rank} ragged dimensions"


def special_tokens(model: loaded_models.Model) -> str:
    """`get_special_tokens_dict` returns int32 scalars by their names, each an id."""
    returned = model.loaded.tokenize.get_special_tokens_dict()
    missing = [name for name in _REQUIRED_IDS if name not in returned]
    contracts.require(not missing, f"no {', '.join(missing)}")
    for name, value in returned.items():
        contracts.require(
            value.dtype == tf.int32 and value.shape.rank == 0,
            f"{name} is {value.dtype.name} {value.shape}",
        )
    ids = special_ids(model)
    size = ids.pop("vocab_size")
    outside = [name for name, i in ids.items() if not 0 <= i < size]
    contracts.require(not outside, f"not below vocab_size: {', '.join(outside)}")
    twice = len(ids) - len(set(ids.values()))
    contracts.require(not twice, f"the same id twice: {ids}")
    return ", ".join(f"{name} {value}" for name, value in sorted(special_ids(model).items()))


def special_tokens_are_the_vocabularys(model: loaded_models.Model) -> str:
    """Special ids are those of the pieces that the vocabulary in the SavedModel has for them."""
    text = _text(model)
    ids = special_ids(model)
    size = ids.pop("vocab_size")
    contracts.require(size == len(text.pieces), f"vocab_size {size}, {len(text.pieces)} pieces")
    for name, spellings in saved_text.SPELLINGS.items():
        known = {text.ids[piece] for piece in spellings if piece in text.ids}
        if name in ids and known:
            piece = text.pieces[ids[name]]
            contracts.require(ids[name] in known, f"{name} is {ids[name]}, which is {piece!r}")
    return f"{len(text.pieces)} pieces"


def _text(model: loaded_models.Model) -> saved_text.Text:
    text = saved_text.find(model)
    if text is None:
        raise contracts.NotChecked(_NO_VOCABULARY)
    return text


def tokens_are_the_vocabularys(model: loaded_models.Model) -> str:
    """`tokenize` gives what tensorflow_text makes of the vocabulary in the SavedModel.

    Of thousands of texts, in one and the same way, which is found by some of them.
    """
    text = _with_unknown(model, _text(model))
    ways, count = _fitting(model, text), 0
    for what, texts in sample_texts.all_sorts(text.pieces):
        if texts == sample_texts.null_characters() and any(map(text.ends_at_null, ways)):
            continue
        got = model.loaded.tokenize(tf.constant(texts))
        told = [token_rows.flat_difference(made(texts), got, texts) for made in ways.values()]
        contracts.require(None in told, f"of {what}: {told[0]}")
        kept = [way for way, other in zip(ways, told, strict=True) if other is None]
        ways = {way: ways[way] for way in kept}
        count += int(tf.size(got.flat_values))
    return f"{count} tokens, {next(iter(ways))}"


def _with_unknown(model: loaded_models.Model, text: saved_text.Text) -> saved_text.Text:
    """Takes for unknown what the model makes of what is in no vocabulary, if nothing is usual."""
    if text.unknown is None and text.vocab_file is not None:
        ((*ids,),) = token_rows.flat(model.loaded.tokenize(tf.constant([_UNHEARD_OF])))
        if len(ids) == 1 and 0 <= ids[0] < len(text.pieces):
            return dataclasses.replace(text, unknown_piece=text.pieces[ids[0]])
    return text


def _fitting(
    model: loaded_models.Model, text: saved_text.Text
) -> dict[saved_text.Way, Callable[[Texts], list[list[int]]]]:
    """Returns the ways in which ordinary texts are tokenized, with what does so, common first."""
    batches = (_ORDINARY, sample_texts.INVALID)
    got = [model.loaded.tokenize(tf.constant(texts)) for texts in batches]
    told: list[token_rows.Difference] = []
    for ways in _ways(text, special_ids(model)):
        fitting = {}
        for way in ways:
            made = text.tokenizer(way)
            others = [
                token_rows.flat_difference(made(texts), tokens, texts)
                for texts, tokens in zip(batches, got, strict=True)
            ]
            other = next((other for other in others if other is not None), None)
            if other is None:
                fitting[way] = made
            else:
                told.append(other)
        if fitting:
            return fitting
    nearest = min(told, key=lambda other: other.count)
    raise contracts.Broken(f"neither lower-cased nor not, with accents or without: {nearest}")


def _ways(text: saved_text.Text, ids: dict[str, int]) -> Iterable[list[saved_text.Way]]:
    common = [
        saved_text.Way(lower_case, strip_accents)
        for lower_case in (True, False)
        for strip_accents in (lower_case, not lower_case)
    ]
    yield common
    size = ids["vocab_size"]
    special = [i for name, i in ids.items() if name != "vocab_size" and i < size]
    kept = {text.pieces[i]: i for i in special}
    yield [dataclasses.replace(way, kept=kept) for way in common]
    if text.vocab_file is not None:
        yield [saved_text.Way(same, same, fast=True) for same in (True, False)]


def lower_cases(model: loaded_models.Model) -> bool | None:
    """Whether a preprocessing lower-cases text; None where both ways give the same."""
    plain, lower = (
        token_rows.flat(model.loaded.tokenize(tf.constant(t))) for t in (_CASED, _LOWERED)
    )
    return None if not any(map(len, plain)) else plain == lower


_CASED = ["The Quick BROWN Fox", "A B C"]
_LOWERED = [text.lower() for text in _CASED]


def pieces_have_their_ids(model: loaded_models.Model) -> str:
    """`.vocab` has the pieces of the vocabulary in the SavedModel, and finds their ids."""
    if not hasattr(model.loaded, "vocab"):
        raise contracts.NotChecked("there is no vocab")
    text = _text(model)
    got = saved_text.pieces_of_vocab(model, len(text.pieces))
    if got != list(text.pieces):
        raise contracts.Broken(saved_text.first_other(got, text.pieces))
    ids = model.loaded.vocab.string_to_id(tf.constant(got)).numpy().tolist()
    # Of equal pieces, one id is found; and nothing is no piece.
    once = {piece for piece, count in collections.Counter(got).items() if count == 1 and piece}
    numbered = enumerate(zip(got, ids, strict=True))
    others = [(piece, i, found) for i, (piece, found) in numbered if found != i and piece in once]
    if others:
        piece, i, found = others[0]
        raise contracts.Broken(f"{piece!r} is found at {found}, not {i}")
    return f"{len(got)} pieces"


def texts_are_put_together(model: loaded_models.Model) -> str:
    """`detokenize` puts pieces together: with spaces, but before endings of words."""
    if not hasattr(model.loaded, "detokenize"):
        raise contracts.NotChecked("there is no detokenize")
    text = _with_unknown(model, _text(model))
    texts = (*_ORDINARY, *sample_texts.INVALID, *sample_texts.mixtures(text.pieces, 100))
    tokens = model.loaded.tokenize(tf.constant(texts))
    other = other_texts(text, tokens, model, special_ids(model))
    contracts.require(other is None, other or "")
    return f"{len(texts)} texts"


def other_texts(
    text: saved_text.Text,
    tokens: tf.RaggedTensor,
    model: loaded_models.Model,
    special: dict[str, int],
) -> str | None:
    """Says which text `detokenize` makes of tokens that is not of these pieces; None for none.

    Args:
      text: The vocabulary.
      tokens: The tokens.
      model: The preprocessing.
      special: The ids of special tokens, by name, of which those that packing adds are left out.
    """
    added = {special[name] for name in _ADDED}
    rows = [[i for i in row if i not in added] for row in token_rows.flat(tokens)]
    got = model.loaded.detokenize(tokens).numpy().tolist()
    for row, one in zip(rows, got, strict=True):
        expected = text.detokenize(row)
        if one != expected:
            return f"{token_rows.shown(one)} and not {token_rows.shown(expected)}"
    return None


def offsets_fit(model: loaded_models.Model) -> str:
    """`tokenize_with_offsets` gives the same tokens, and spans of their text."""
    if not hasattr(model.loaded, "tokenize_with_offsets"):
        raise contracts.NotChecked("there is no tokenize_with_offsets")
    text = saved_text.find(model)
    count = 0
    for texts in (_ORDINARY, sample_texts.INVALID, sample_texts.characters()[::8]):
        tokens, starts, limits = model.loaded.tokenize_with_offsets(tf.constant(texts))
        other = token_rows.difference(model.loaded.tokenize(tf.constant(texts)), tokens, texts)
        contracts.require(other is None, f"other tokens than those of tokenize: {other}")
        rows = zip(texts, *map(token_rows.flat, (tokens, starts, limits)), strict=True)
        for source, ids, begin, end in rows:
            inside = all(0 <= a <= b <= len(source) for a, b in zip(begin, end, strict=True))
            fit = inside and begin == sorted(begin)
            contracts.require(fit, f"spans of {token_rows.shown(source)}")
            if text is not None:
                _require_pieces(text, source, ids, list(zip(begin, end, strict=True)))
        count += int(tf.size(starts.flat_values))
    return f"{count} spans"


def _require_pieces(
    text: saved_text.Text, source: bytes, ids: list[int], spans: list[tuple[int, int]]
) -> None:
    """Requires that what spans hold is the pieces, where that is as simple as in ASCII."""
    if not source.isascii() or text.vocab_file is None:
        return
    for i, (start, limit) in zip(ids, spans, strict=True):
        if i in range(len(text.pieces)) and text.pieces[i] != text.unknown:
            piece, held = text.pieces[i].removeprefix("##"), source[start:limit].decode()
            same = held == piece or held.lower() == piece
            same = same or text.pieces[i].lower() == held.lower()  # "##" itself, of a text.
            contracts.require(same, f"{held!r} of {token_rows.shown(source)} is {piece!r}")
