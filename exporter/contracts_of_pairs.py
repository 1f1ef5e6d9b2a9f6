"""Whether an encoder, its preprocessing and its text embedding fit each other."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from exporter import contracts, loaded_models, saved_text
from exporter.contracts_of_attributes import ASSETS, asset_path
from exporter.contracts_of_calls import largest
from exporter.contracts_of_preprocessing import TEXTS, default_length, special_ids
from exporter.contracts_of_tokens import lower_cases

KIND = "together"
# Text embeddings pad to the longest text; that changes numbers a little.
_VECTOR_LIMIT = 1e-3
_LAST_LAYERS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """SavedModels that lie beside each other.

    Attributes:
      encoder: The encoder.
      preprocessing: What its inputs come from.
      embedding: Both in one, if that is there.
    """

    encoder: loaded_models.Model
    preprocessing: loaded_models.Model
    embedding: loaded_models.Model | None
    kind: str = KIND


def pair(models: Iterable[loaded_models.Model]) -> Pair | None:
    """Finds an encoder and a preprocessing among SavedModels; None if one is missing."""
    models = tuple(models)
    encoder = next((m for m in models if m.kind in loaded_models.ENCODERS), None)
    preprocessing, embedding = (
        next((m for m in models if m.kind == kind), None)
        for kind in (loaded_models.PREPROCESSING, loaded_models.TEXT_EMBEDDING)
    )
    if encoder is None or preprocessing is None:
        return None
    return Pair(encoder, preprocessing, embedding)


def ids_have_embeddings(both: Pair) -> str:
    """All ids of the preprocessing have an embedding in the encoder."""
    if "word" not in both.encoder.embeddings:
        raise contracts.NotChecked("no embeddings of words are known by their name")
    size, rows = special_ids(both.preprocessing)["vocab_size"], both.encoder.num_words
    contracts.require(size <= rows, f"{size} ids, {rows} embeddings")
    return f"{size} ids, {rows} embeddings"


def same_vocabulary(both: Pair) -> str:
    """The encoder's asset has the pieces that the preprocessing uses."""
    name = next((name for name in ASSETS if hasattr(both.encoder.loaded, name)), None)
    text = saved_text.find(both.preprocessing)
    path = asset_path(both.encoder, name) if name else None
    if name is None or path is None or text is None:
        raise contracts.NotChecked("one of them holds no vocabulary that could be read")
    pieces = saved_text.read(path, wordpiece=name == ASSETS[0]).pieces
    contracts.require(len(pieces) == len(text.pieces), f"{len(pieces)} and {len(text.pieces)}")
    numbered = enumerate(zip(pieces, text.pieces, strict=True))
    other = next((i for i, (one, two) in numbered if one != two), None)
    contracts.require(
        other is None, f"{pieces[other or 0]!r} and {text.pieces[other or 0]!r} have id {other}"
    )
    return f"{len(pieces)} pieces"


def same_casing(both: Pair) -> str:
    """`do_lower_case` is what the preprocessing does."""
    if not hasattr(both.encoder.loaded, "do_lower_case"):
        raise contracts.NotChecked("the encoder does not tell")
    told, done = bool(both.encoder.loaded.do_lower_case), lower_cases(both.preprocessing)
    if done is None:
        raise contracts.NotChecked("the vocabulary has no case")
    contracts.require(told == done, f"do_lower_case is {told}, the preprocessing's is {done}")
    return str(told)


def lengths_fit(both: Pair) -> str:
    """The default sequence length is not above the longest that the encoder takes."""
    length, longest = default_length(both.preprocessing), both.encoder.longest
    contracts.require(length <= longest, f"{length}, above {longest}")
    return f"{length} of {longest}"


def outputs_are_inputs(both: Pair) -> str:
    """The encoder runs on what the preprocessing makes of texts and pairs of texts."""
    _, outputs = _encoded(both)
    tokens = both.preprocessing.loaded.tokenize(tf.constant(TEXTS))
    pairs = both.preprocessing.loaded.bert_pack_inputs([tokens, tokens[::-1]])
    for found in (outputs, both.encoder.loaded(pairs)):
        finite = bool(np.all(np.isfinite(found["sequence_output"])))
        contracts.require(finite, "NaN or infinite values")
    return f"{len(TEXTS)} texts and {len(TEXTS)} pairs"


def same_vectors(both: Pair) -> str:
    """The text embedding's vectors are made of what the two others make of text."""
    if both.embedding is None:
        raise contracts.NotChecked("there is no text embedding")
    got = both.embedding.loaded(tf.constant(TEXTS)).numpy()
    differences = {name: largest(vectors, got) for name, vectors in _vectors(both)}
    name = min(differences, key=lambda name: np.nan_to_num(differences[name], nan=np.inf))
    contracts.require(
        differences[name] <= _VECTOR_LIMIT, f"nearest is {name}, by {differences[name]:.1e}"
    )
    return f"{name}, largest difference {differences[name]:.1e}"


def _encoded(both: Pair) -> tuple[np.ndarray, loaded_models.Outputs]:
    inputs = both.preprocessing.loaded(tf.constant(TEXTS))
    return inputs["input_mask"].numpy(), both.encoder.loaded(inputs)


def _vectors(both: Pair) -> Iterator[tuple[str, np.ndarray]]:
    """Yields what vectors are commonly made from."""
    mask, outputs = _encoded(both)
    layers = [np.asarray(layer) for layer in outputs["encoder_outputs"]]
    tokens = np.asarray(outputs["sequence_output"])
    ways = {"pooled_output": np.asarray(outputs["pooled_output"]), "first_token": tokens[:, 0]}
    if tokens.shape[1] == mask.shape[1]:
        ways["mean"] = _mean(tokens, mask)
        if len({layer.shape for layer in layers}) == 1:
            for count in range(1, _LAST_LAYERS + 1):
                mean = np.mean(layers[-count:], axis=0)
                ways[f"mean of the last {count} layers"] = _mean(mean, mask)
    for (name, vectors), scaled in itertools.product(ways.items(), (False, True)):
        norm = np.linalg.norm(vectors, axis=1, keepdims=True) if scaled else 1.0
        yield f"{name}{', scaled' if scaled else ''}", vectors / norm


def _mean(tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    weights = mask[:, :, np.newaxis].astype(tokens.dtype)
    return (tokens * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)


CLAUSES = tuple(
    contracts.Clause(name, (KIND,), check, look_at)
    for name, check, look_at in (
        ("ids: have embeddings", ids_have_embeddings, "whether both are of the same vocabulary"),
        ("vocabulary: the same", same_vocabulary, "whether both are of the same vocabulary"),
        ("casing: the same", same_casing, "--do_lower_case of both exports"),
        ("lengths: fit", lengths_fit, "--default_seq_length of the preprocessing"),
        (
            "preprocessing: its outputs are the encoder's inputs",
            outputs_are_inputs,
            "ids and types",
        ),
        ("text embedding: is both in one", same_vectors, "the checkpoints that both are of"),
    )
)
