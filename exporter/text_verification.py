"""Compares what takes text with TF-NLP's preprocessing and encoder in Python code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import (
    comparison,
    contract_clauses,
    contracts,
    embedding_training,
    encoders,
    loaded_models,
    packing_parity,
    padding,
    reports,
    sample_texts,
    settings,
    text_sources,
    token_parity,
)

TextSource = text_sources.TextSource
# Vectors `[B, D]` by what the texts are called (B: texts, D: hidden size).
Vectors = dict[str, tf.Tensor]

# Enough to tell casing, accents, splitting and truncation apart; not a proof of equality.
_TEXTS = (*sample_texts.SENTENCES, "Many words " * 200)
# Short texts by themselves, too: how far they are padded must not show.
_BATCHES: dict[str, Sequence[bytes | str]] = {
    "texts": _TEXTS,
    "short texts": _TEXTS[:-1],
    "texts with bytes that are no UTF-8": sample_texts.INVALID,
    "random texts": sample_texts.mixtures(["the", "##s", "a"], 16),
}
_QUICK_BATCHES: dict[str, Sequence[bytes | str]] = {"short texts": sample_texts.SHORT}
_VECTORS, _VARIABLES = "vectors", "variables in the source's order"
_CHECKPOINT = "whether it was made from this checkpoint, and these weights"
_OF_VECTORS = (
    "weights, text_embedding's vector, num_layers and normalize, seq_length, vocabulary and casing"
)


def verify_preprocessing(path: str, source: TextSource, *, level: str) -> reports.Report:
    """Checks a preprocessing SavedModel by its contract, and compares it with its source.

    Args:
      path: The SavedModel.
      source: What it was made from.
      level: "quick": only clauses that cost little. "full": all of them.

    Returns:
      The report; the caller decides what a failure means.
    """
    quick = level == "quick"
    with loaded_models.called_once(quick):
        checks, model = contract_clauses.check("preprocessing", path, quick=quick)
        if model is not None:
            checks += preprocessing_parity(model, source, quick=quick)
            loaded_models.release(model)
    return reports.Report("preprocessing", tuple(checks), loaded_models.load_seconds(model))


def preprocessing_parity(
    model: loaded_models.Model, source: TextSource, *, quick: bool = False
) -> list[reports.Check]:
    """Compares a loaded preprocessing with TF-NLP's preprocessing in Python code.

    Args:
      model: The preprocessing.
      source: What it was made from.
      quick: Whether only for some texts, and at the default length.

    Returns:
      The checks.
    """
    return [
        *token_parity.checks(model, source, quick=quick),
        *packing_parity.checks(model, source, quick=quick),
    ]


def verify_text_embedding(
    path: str,
    source: TextSource,
    encoder: encoders.Encoder,
    choices: settings.TextEmbeddingSettings,
    *,
    level: str,
    expected: Vectors | None = None,
) -> reports.Report:
    """Checks a text-embedding SavedModel by its contract, and compares it with its source.

    Args:
      path: The SavedModel.
      source: What text is prepared with.
      encoder: The encoder; its variables have their values.
      choices: How vectors are made.
      level: "quick": only clauses that cost little. "full": all of them.
      expected: What `expected_vectors` returns, where that is known already.

    Returns:
      The report; the caller decides what a failure means.
    """
    quick = level == "quick"
    with loaded_models.called_once(quick):
        checks, model = contract_clauses.check("text embedding", path, quick=quick, kept=quick)
        if model is not None:
            checks += text_embedding_parity(
                model, source, encoder, choices, quick=quick, expected=expected
            )
            loaded_models.release(model)
    return reports.Report("text embedding", tuple(checks), loaded_models.load_seconds(model))


def text_embedding_parity(
    model: loaded_models.Model,
    source: TextSource,
    encoder: encoders.Encoder,
    choices: settings.TextEmbeddingSettings,
    *,
    quick: bool = False,
    expected: Vectors | None = None,
) -> list[reports.Check]:
    """Compares a loaded text embedding with TF-NLP's preprocessing and encoder.

    Args:
      model: The text embedding.
      source: What text is prepared with.
      encoder: The encoder; its variables have their values.
      choices: How vectors are made.
      quick: Whether only for a few short texts.
      expected: What `expected_vectors` returns, where that is known already.

    Returns:
      The checks.
    """
    tokenizer, pack, _ = source.layers()
    batches = _QUICK_BATCHES if quick else _BATCHES
    right = expected or expected_vectors(source, encoder, choices, quick=quick)

    def call(texts: Sequence[bytes | str]) -> tf.Tensor:
        # Of these, a clause has asked for the vectors.
        return model.vectors if texts is sample_texts.SHORT else model.loaded(tf.constant(texts))

    def same_vectors() -> reports.Check:
        got = {name: call(texts) for name, texts in batches.items()}
        return comparison.compare(_VECTORS, right, got, look_at=_OF_VECTORS)

    def in_training() -> tf.Tensor:
        inputs = pack([tokenizer(tf.constant(_TEXTS))])
        made = encoder(inputs, training=True)
        return tf.constant(vectors(made, inputs["input_mask"].numpy(), choices))

    checks = [
        contracts.attempt(_VARIABLES, lambda: _same_variables(model, encoder)),
        contracts.attempt(_VECTORS, same_vectors),
    ]
    return checks if quick else [*checks, embedding_training.check(model, _TEXTS, in_training)]


def expected_vectors(
    source: TextSource,
    encoder: encoders.Encoder,
    choices: settings.TextEmbeddingSettings,
    *,
    quick: bool,
) -> Vectors:
    """Computes what a text embedding is compared with, for which no SavedModel is needed.

    Args:
      source: What text is prepared with.
      encoder: The encoder; its variables have their values.
      choices: How vectors are made.
      quick: Whether only for a few short texts.
    """
    tokenizer, pack, _ = source.layers()
    found = {}
    for name, texts in (_QUICK_BATCHES if quick else _BATCHES).items():
        inputs = pack([tokenizer(tf.constant(texts))])
        if quick and padding.is_ignored(encoder):
            inputs = text_sources.without_common_padding(inputs)
        mask = inputs["input_mask"].numpy()
        found[name] = tf.constant(vectors(encoder(inputs, training=False), mask, choices))
    return found


def _same_variables(model: loaded_models.Model, encoder: encoders.Encoder) -> reports.Check:
    """Compares all values bit by bit: not each of them shows in some text's vector."""
    expected, got = encoder.network.variables, list(model.loaded.variables)
    found = comparison.other_value("variables", expected, got)
    return reports.Check(
        _VARIABLES, found is None, found or f"{len(got)} variables", look_at=_CHECKPOINT
    )


def vectors(
    outputs: dict[str, Any], mask: np.ndarray, choices: settings.TextEmbeddingSettings
) -> np.ndarray:
    """Returns the vectors `[B, D]` of texts, in NumPy (D: hidden size).

    Args:
      outputs: The encoder's outputs.
      mask: Which of its inputs are tokens, int `[B, L]`.
      choices: How vectors are made.
    """
    if choices.vector == "pooled_output":
        found = outputs["pooled_output"].numpy()
    elif choices.vector == "first_token":
        found = outputs["sequence_output"].numpy()[:, 0]
    else:
        tokens = outputs["sequence_output"].numpy()
        if choices.vector == "mean_of_last_layers":
            layers = outputs["encoder_outputs"][-choices.layers_taken :]
            tokens = np.mean([layer.numpy() for layer in layers], axis=0)
        found = np.stack(
            [row[chosen > 0].mean(axis=0) for row, chosen in zip(tokens, mask, strict=True)]
        )
    if choices.normalize:
        found = found / np.linalg.norm(found, axis=1, keepdims=True)
    return found
