"""The golden cases: one row each, run through every property of this folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from tests import testing

_COMMON: dict[str, Any] = {
    "hidden_size": 8,
    "num_attention_heads": 2,
    "type_vocab_size": 3,
}
_BERT: dict[str, Any] = {
    **_COMMON,
    "vocab_size": testing.VOCABULARY_SIZE,
    "num_layers": 3,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "dropout_rate": 0.0,
    "attention_dropout_rate": 0.0,
}
_ALBERT: dict[str, Any] = {**_BERT, "vocab_size": 1000, "embedding_width": 6}
_FUNNEL: dict[str, Any] = {
    **{name: value for name, value in _BERT.items() if name != "intermediate_size"},
    "inner_dim": 12,
}
_MOBILEBERT: dict[str, Any] = {
    **_COMMON,
    "word_vocab_size": testing.VOCABULARY_SIZE,
    "word_embed_size": 6,
    "num_blocks": 2,
    "intermediate_size": 12,
    "intra_bottleneck_size": 6,
    "max_sequence_length": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
_KERNEL: dict[str, Any] = {**_BERT, "num_layers": 2, "num_random_features": 4}
_REUSE: dict[str, Any] = {**_BERT, "max_reuse_layer_idx": 2}
_DROPOUT: dict[str, Any] = {"dropout_rate": 0.3, "attention_dropout_rate": 0.2}
_MOBILEBERT_DROPOUT: dict[str, Any] = {
    "hidden_dropout_prob": 0.3,
    "attention_probs_dropout_prob": 0.2,
}
_SCAFFOLD = (
    "build_encoder.encoder_cls = @EncoderScaffold",
    "EncoderScaffold.hidden_cls = @TransformerScaffold",
    "TransformerScaffold.attention_cls = @TalkingHeadsAttention",
    "TransformerScaffold.feedforward_cls = @GatedFeedforward",
)

# Without dropout, training must give exactly what the source gives.
EXACT = (
    testing.Case("bert", "bert", _BERT),
    testing.Case("bert_norm_first", "bert", {**_BERT, "norm_first": True}),
    testing.Case("bert_embedding_size", "bert", {**_BERT, "embedding_size": 5}),
    testing.Case(
        "bert_relu",
        "bert",
        {**_BERT, "hidden_activation": "relu"},
        config_file="params.yaml",
        mlm_activation="tanh",
        layout="pretrainer",
    ),
    testing.Case("bert_json", "bert", _BERT, config_file="bert_config.json", layout="encoder"),
    testing.Case("bert_legacy", "bert", _BERT, layout="model"),
    testing.Case("bert_v2", "bert_v2", _BERT, layout="model=pretrainer"),
    testing.Case("albert", "albert", _ALBERT, sentencepiece=True),
    testing.Case("funnel", "funnel", _FUNNEL),
    testing.Case("kernel", "kernel", _KERNEL),
    testing.Case("mobilebert", "mobilebert", _MOBILEBERT),
    testing.Case("reuse", "reuse", _REUSE),
    testing.Case("query_bert", "query_bert", {**_BERT, "embedding_size": 5}),
    testing.Case("scaffold", "bert", {**_BERT, "num_layers": 2}, gin_bindings=_SCAFFOLD),
)
WITH_DROPOUT = (
    testing.Case("bert_dropout", "bert", {**_BERT, **_DROPOUT}),
    testing.Case("albert_dropout", "albert", {**_ALBERT, **_DROPOUT}, sentencepiece=True),
    testing.Case("funnel_dropout", "funnel", {**_FUNNEL, **_DROPOUT}),
    testing.Case("kernel_dropout", "kernel", {**_KERNEL, **_DROPOUT}),
    testing.Case("mobilebert_dropout", "mobilebert", {**_MOBILEBERT, **_MOBILEBERT_DROPOUT}),
    testing.Case("reuse_dropout", "reuse", {**_REUSE, **_DROPOUT}),
)
ALL = EXACT + WITH_DROPOUT
# Of a module that the test of it writes.
REGULARIZED = testing.Case(
    "regularized",
    "bert",
    {**_BERT, "num_layers": 2},
    gin_bindings=(
        "import regularizers_of_ours",
        *_SCAFFOLD,
        "TransformerScaffold.kernel_regularizer = @L2()",
        "L2.l2 = 0.01",
    ),
)
WITH_MLM = tuple(case for case in ALL if case.has_masked_lm)


def each(cases: Iterable[testing.Case]) -> pytest.MarkDecorator:
    """Runs a test with each of the cases as `case`."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def with_config(case: testing.Case, **config: Any) -> testing.Case:
    """Returns a case with some fields of its configuration changed."""
    return dataclasses.replace(case, config={**case.config, **config})


def named(name: str) -> testing.Case:
    """Returns the case of this name."""
    return next(case for case in ALL if case.name == name)
