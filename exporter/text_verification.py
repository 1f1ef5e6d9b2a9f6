"""Compares what takes text with TF-NLP's preprocessing and encoder in Python code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from official.nlp.modeling import layers as tfnlp_layers

from exporter import (
    comparison,
    contract_clauses,
    contracts,
    contracts_of_embedding,
    encoders,
    loaded_models,
    packing_reference,
    padding,
    reports,
    settings,
    sharing,
    tokenizer_reference,
)

# Enough to tell casing, accents, splitting and truncation apart; not a proof of equality.
_TEXTS = (
    "The quick brown fox didn't jump over 12,345 lazy dogs - or did it?",
    "",
    "Caf\u00e9 na\u00efve \u00dcber STRASSE stra\u00dfe",
    "unaffable hypercharacterization \U0001f600!",
    "\u4f60\u597d\uff0c\u4e16\u754c \u0441\u043b\u043e\u0432\u043e",
    "Many words " * 200,
)
_SPECIAL_TOKENS = "special tokens"
_VOCABULARY = "the vocabulary, and how it spells special tokens"
_CASING = "the vocabulary, and --do_lower_case"


@dataclasses.dataclass(frozen=True)
class TextSource:
    """How text becomes an encoder's inputs.

    Attributes:
      tokenizer: What tokenizes it, with everything decided.
      seq_length: The default sequence length.
      packing: How tokens are packed.
      special_tokens: The special tokens.
    """

    tokenizer: settings.TokenizerSettings
    seq_length: int
    packing: settings.PreprocessingSettings
    special_tokens: dict[str, int]

    def layers(self) -> tuple[Callable[[tf.Tensor], tf.RaggedTensor], _Packing, dict[str, int]]:
        """Returns TF-NLP's tokenizer, its packing with these choices, and the special tokens."""
        path = self.tokenizer.vocab_file or self.tokenizer.sp_model_file or ""
        tokenizer, special_tokens = sharing.once(
            "reference",
            (sharing.version(path), repr(self.tokenizer)),
            lambda: tokenizer_reference.make(self.tokenizer),
        )
        if self.tokenizer.special_tokens:  # Which TF-NLP does not find.
            special_tokens = self.special_tokens
        return tokenizer, _Packing(self, special_tokens), special_tokens


@dataclasses.dataclass(frozen=True)
class _Packing:
    """TF-NLP's packing of what is truncated before as it was chosen."""

    source: TextSource
    special_tokens: dict[str, int]

    def __call__(self, segments: list[tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Packs N segments `[B, (tokens)]` or `[B, (words), (tokens)]`."""
        choices = self.source.packing
        if segments[0].ragged_rank > 1:
            segments = [segment.merge_dims(1, -1) for segment in segments]
        budget = self.source.seq_length - len(segments) - 1
        trimmed = packing_reference.trim(segments, budget, choices.truncation, choices.head_percent)
        pack = tfnlp_layers.BertPackInputs(
            self.source.seq_length, special_tokens_dict=self.special_tokens
        )
        packed = pack(trimmed)
        return _without_common_padding(packed) if choices.pad_to_longest else packed


def _without_common_padding(packed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    longest = int(tf.reduce_max(tf.reduce_sum(packed["input_mask"], axis=1)))
    return {name: tensor[:, :longest] for name, tensor in packed.items()}


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
            checks += preprocessing_parity(model, source)
            loaded_models.release(model)
    return reports.Report("preprocessing", tuple(checks), loaded_models.load_seconds(model))


def preprocessing_parity(model: loaded_models.Model, source: TextSource) -> list[reports.Check]:
    """Compares a loaded preprocessing with TF-NLP's preprocessing in Python code.

    Args:
      model: The preprocessing.
      source: What it was made from.

    Returns:
      The checks.
    """
    tokenizer, pack, special_tokens = source.layers()
    loaded = model.loaded
    text = tf.constant(_TEXTS)
    tokens = tokenizer(text)

    def same_special_tokens() -> reports.Check:
        got = {n: int(value) for n, value in loaded.tokenize.get_special_tokens_dict().items()}
        return reports.Check(
            _SPECIAL_TOKENS,
            got == special_tokens,
            str(dict(sorted(got.items()))),
            look_at=_VOCABULARY,
        )

    def same_tokens() -> reports.Check:
        got = loaded.tokenize(text)
        found = f"{got.flat_values.shape[0]} in {len(_TEXTS)} texts"
        return reports.Check("tokens", tokens.to_list() == got.to_list(), found, look_at=_CASING)

    def same_inputs() -> reports.Check:
        return comparison.compare("packed inputs", pack([tokens]), loaded(text))

    checks = [
        contracts.attempt(name, make)
        for name, make in (
            (_SPECIAL_TOKENS, same_special_tokens),
            ("tokens", same_tokens),
            ("packed inputs", same_inputs),
        )
    ]
    return [*checks, *_same_segments(source.packing, pack, tokens, loaded.bert_pack_inputs)]


def _same_segments(
    choices: settings.PreprocessingSettings,
    pack: _Packing,
    tokens: tf.RaggedTensor,
    loaded_pack: Callable[[list[tf.RaggedTensor]], dict[str, tf.Tensor]],
) -> Iterable[reports.Check]:
    """Compares pairs, and as many segments as there may be at most."""
    for number in sorted({min(2, choices.max_segments), choices.max_segments} - {1}):
        segments = [tf.concat([tokens[i:], tokens[:i]], axis=0) for i in range(number)]
        name = "packed pairs" if number == 2 else f"packed segments, {number} at a time"
        yield _same_packing(name, pack(segments), loaded_pack, segments)
        if choices.pack_for_xla:
            compiled = tf.function(loaded_pack, jit_compile=True, autograph=False)
            yield _same_packing(f"{name}, compiled by XLA", pack(segments), compiled, segments)


def _same_packing(
    name: str,
    expected: dict[str, tf.Tensor],
    call: Callable[[list[tf.RaggedTensor]], dict[str, tf.Tensor]],
    segments: list[tf.RaggedTensor],
) -> reports.Check:
    return contracts.attempt(name, lambda: comparison.compare(name, expected, call(segments)))


def verify_text_embedding(
    path: str,
    source: TextSource,
    encoder: encoders.Encoder,
    choices: settings.TextEmbeddingSettings,
    *,
    level: str,
) -> reports.Report:
    """Checks a text-embedding SavedModel by its contract, and compares it with its source.

    Args:
      path: The SavedModel.
      source: What text is prepared with.
      encoder: The encoder; its variables have their values.
      choices: How vectors are made.
      level: "quick": only clauses that cost little. "full": all of them.

    Returns:
      The report; the caller decides what a failure means.
    """
    quick = level == "quick"
    with loaded_models.called_once(quick):
        checks, model = contract_clauses.check("text embedding", path, quick=quick)
        if model is not None:
            checks += text_embedding_parity(model, source, encoder, choices, quick=quick)
            loaded_models.release(model)
    return reports.Report("text embedding", tuple(checks), loaded_models.load_seconds(model))


def text_embedding_parity(
    model: loaded_models.Model,
    source: TextSource,
    encoder: encoders.Encoder,
    choices: settings.TextEmbeddingSettings,
    *,
    quick: bool = False,
) -> list[reports.Check]:
    """Compares a loaded text embedding with TF-NLP's preprocessing and encoder.

    Args:
      model: The text embedding.
      source: What text is prepared with.
      encoder: The encoder; its variables have their values.
      choices: How vectors are made.
      quick: Whether only for a few short texts.

    Returns:
      The checks.
    """
    tokenizer, pack, _ = source.layers()
    # Short texts by themselves, too: how far they are padded must not show.
    batches = {"vectors": _TEXTS, "of short texts": _TEXTS[:-1]}
    if quick:
        batches = {"of short texts": contracts_of_embedding.SHORT_TEXTS}
    expected = {}
    for name, texts in batches.items():
        inputs = pack([tokenizer(tf.constant(texts))])
        if quick and padding.is_ignored(encoder):
            inputs = _without_common_padding(inputs)
        mask = inputs["input_mask"].numpy()
        expected[name] = tf.constant(vectors(encoder(inputs, training=False), mask, choices))

    def same_vectors() -> reports.Check:
        got = {name: model.loaded(tf.constant(texts)) for name, texts in batches.items()}
        return comparison.compare("vectors", expected, got)

    return [contracts.attempt("vectors", same_vectors)]


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
