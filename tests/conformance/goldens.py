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
_BIGBIRD: dict[str, Any] = {
    **_BERT,
    "num_layers": 2,
    "max_position_embeddings": 32,
    "block_size": 4,
    "num_rand_blocks": 1,
}
_FNET: dict[str, Any] = {
    **_COMMON,
    "vocab_size": testing.VOCABULARY_SIZE,
    "num_layers": 3,
    "inner_dim": 12,
    "max_sequence_length": 16,
    "attention_layers": (1,),
    "output_dropout": 0.0,
    "attention_dropout": 0.0,
}
_XLNET: dict[str, Any] = {
    "vocab_size": testing.VOCABULARY_SIZE,
    "hidden_size": 8,
    "num_layers": 2,
    "num_attention_heads": 2,
    "head_size": 4,
    "inner_size": 12,
    "embedding_width": 8,
    "dropout_rate": 0.0,
    "attention_dropout_rate": 0.0,
}
_DROPOUT: dict[str, Any] = {"dropout_rate": 0.3, "attention_dropout_rate": 0.2}
_MOBILEBERT_DROPOUT: dict[str, Any] = {
    "hidden_dropout_prob": 0.3,
    "attention_probs_dropout_prob": 0.2,
}
_ENCODER_SCAFFOLD = "build_encoder.encoder_cls = @EncoderScaffold"
TRANSFORMER_SCAFFOLD = (
    _ENCODER_SCAFFOLD,
    "EncoderScaffold.hidden_cls = @TransformerScaffold",
)
_TALKING_HEADS = "TransformerScaffold.attention_cls = @TalkingHeadsAttention"
_GATED = "TransformerScaffold.feedforward_cls = @GatedFeedforward"
_SCAFFOLD = (*TRANSFORMER_SCAFFOLD, _TALKING_HEADS, _GATED)
_REZERO = (_ENCODER_SCAFFOLD, "EncoderScaffold.hidden_cls = @ReZeroTransformer")
_BYPASSING: dict[str, Any] = {**_MOBILEBERT, "num_blocks": 1, "classifier_activation": True}


def _gin_built(name: str, *gin: str) -> testing.Case:
    return testing.Case(name, "bert", {**_BERT, "num_layers": 1}, gin_bindings=gin)


def _of(cases: Iterable[testing.Case], name: str) -> testing.Case:
    return next(case for case in cases if case.name == name)


def _small(case: testing.Case) -> testing.Case:
    layers = "num_blocks" if "num_blocks" in case.config else "num_layers"
    count = 3 if "attention_layers" in case.config else 1  # One of each kind.
    return dataclasses.replace(case, config={**case.config, layers: count}, sentencepiece=False)


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
# Of these a smaller set of properties is tested, for the sake of time.
RARE = (
    testing.Case("bigbird", "bigbird", _BIGBIRD),
    testing.Case("fnet", "fnet", _FNET),
    testing.Case("sparse_mixer", "sparse_mixer", {**_FNET, "moe_layers": (2,), "num_experts": 2}),
    testing.Case("xlnet", "xlnet", _XLNET),
)
GIN_BUILT = (
    _gin_built("talking_heads_gated", *_SCAFFOLD),
    _gin_built("talking_heads", *TRANSFORMER_SCAFFOLD, _TALKING_HEADS),
    _gin_built("gated", *TRANSFORMER_SCAFFOLD, _GATED, "GatedFeedforward.num_blocks = 2"),
    _gin_built("rezero", *_REZERO),
    _gin_built(
        "rezero_alphas",
        *_REZERO,
        "ReZeroTransformer.share_rezero = False",
        "ReZeroTransformer.use_layer_norm = True",
    ),
    _gin_built(
        "pre_norm",
        *TRANSFORMER_SCAFFOLD,
        "TransformerScaffold.norm_first = %FIRST",
        "FIRST = True",
        "EncoderScaffold.layer_norm_before_pooling = %FIRST",
    ),
    testing.Case(
        "mobilebert_bypass",
        "mobilebert",
        _BYPASSING,
        gin_bindings=(
            "build_encoder.encoder_cls = @MobileBERTEncoder",
            "build_encoder.bypass_config = True",
            *(f"MobileBERTEncoder.{name} = {value!r}" for name, value in _BYPASSING.items()),
        ),
    ),
)
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
# The rows of the README's table of encoders, by their first cells.
IN_README = {
    **{f"`{case.type}`": _small(case) for case in (*EXACT, *RARE) if case.name == case.type},
    "`EncoderScaffold` of `TransformerScaffold`, pre-norm": _of(GIN_BUILT, "pre_norm"),
    "... with `TalkingHeadsAttention`": _of(GIN_BUILT, "talking_heads"),
    "... with `GatedFeedforward`": _of(GIN_BUILT, "gated"),
    "`EncoderScaffold` of `ReZeroTransformer`": _of(GIN_BUILT, "rezero"),
    "`MobileBERTEncoder` by `bypass_config`": _of(GIN_BUILT, "mobilebert_bypass"),
}
WITH_MLM = tuple(case for case in ALL if case.has_masked_lm)


def each(cases: Iterable[testing.Case]) -> pytest.MarkDecorator:
    """Runs a test with each of the cases as `case`."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def with_config(case: testing.Case, **config: Any) -> testing.Case:
    """Returns a case with some fields of its configuration changed."""
    return dataclasses.replace(case, config={**case.config, **config})


def named(name: str) -> testing.Case:
    """Returns the case of this name."""
    return _of((*ALL, *RARE, *GIN_BUILT), name)
