from __future__ import annotations

from typing import Any

import gin
import pytest
import tf_keras
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import encoder_configs, gin_parsing, pretraining_gin, used_bindings

_SIZES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 8,
}
SCAFFOLD = """
build_encoder.encoder_cls = @EncoderScaffold
EncoderScaffold.hidden_cls = @TransformerScaffold
TransformerScaffold.attention_cls = @TalkingHeadsAttention
TransformerScaffold.feedforward_cls = @GatedFeedforward
"""
MOBILEBERT = """
build_encoder.encoder_cls = @MobileBERTEncoder
MobileBERTEncoder.num_blocks = 1
MobileBERTEncoder.hidden_size = 8
MobileBERTEncoder.intermediate_size = 8
MobileBERTEncoder.intra_bottleneck_size = 4
"""
RULE = "What is set for an encoder must have an effect. This has none: "


def _build(text: str, encoder_type: str = "bert") -> tf_keras.layers.Layer:
    encoder_configs.register_configurables()
    gin.parse_config(text)
    config = tfnlp_encoders.EncoderConfig(type=encoder_type)
    config.override({encoder_type: _SIZES}, is_strict=True)
    return tfnlp_encoders.build_encoder(config)


def _unused(text: str, encoder_type: str = "bert", with_mlm: bool = True) -> dict[str, str]:
    """Returns the reasons why bindings had no effect, by binding."""
    mistakes = used_bindings.check(_build(text, encoder_type), with_mlm=with_mlm)
    found = {}
    for mistake in mistakes:
        assert mistake.rule.startswith(RULE)
        assert mistake.received is not None
        assert mistake.received.startswith(f"{mistake.setting} = ")
        found[mistake.received] = mistake.rule.removeprefix(RULE).rstrip(".")
    return found


@pytest.mark.parametrize(
    ("text", "encoder_type"),
    [
        ("", "bert"),
        (SCAFFOLD, "bert"),
        (f"{SCAFFOLD}GatedFeedforward.use_gate = False", "bert"),
        (f"{SCAFFOLD}TransformerScaffold.norm_first = %F\nF = True", "bert"),
        (f"{SCAFFOLD}s/TransformerScaffold.norm_first = True".replace("= @T", "= @s/T", 1), "bert"),
        (f"{MOBILEBERT}build_encoder.bypass_config = True", "bert"),
        (f"{MOBILEBERT}build_encoder.bypass_config = %B\nB = True", "bert"),
        # TF-NLP makes these types of scaffolds itself.
        ("EncoderScaffold.layer_norm_before_pooling = True", "kernel"),
        ("TransformerScaffold.norm_epsilon = 1e-3", "kernel"),
    ],
)
def test_what_has_an_effect_is_no_mistake(text: str, encoder_type: str) -> None:
    assert _unused(text, encoder_type) == {}


def test_defaults_are_no_mistake() -> None:
    assert (
        _unused(
            """
            build_encoder.bypass_config = False
            build_encoder.embedding_layer = None
            build_encoder.encoder_cls = None
            BertPretrainerV2.customized_masked_lm = None
            BertPretrainerV2.name = 'bert'
            EncoderScaffold.recursive = False
            GatedFeedforward.use_gate = True
            TalkingHeadsAttention.use_bias = True
            TransformerScaffold.inner_dim = 768
            TransformerScaffold.norm_epsilon = 1e-12
            BertEncoderConfig.hidden_activation = 'gelu'
            """
        )
        == {}
    )


def test_no_scaffold_was_made() -> None:
    assert _unused(SCAFFOLD.replace("build_encoder.encoder_cls = @EncoderScaffold", "")) == {
        "EncoderScaffold.hidden_cls = @TransformerScaffold": (
            "no EncoderScaffold was made, for no parameter is set to @EncoderScaffold"
        ),
        "TransformerScaffold.attention_cls = @TalkingHeadsAttention": (
            "no TransformerScaffold was made, though it is the value of EncoderScaffold.hidden_cls"
        ),
        "TransformerScaffold.feedforward_cls = @GatedFeedforward": (
            "no TransformerScaffold was made, though it is the value of EncoderScaffold.hidden_cls"
        ),
    }


def test_a_layer_that_is_not_reached() -> None:
    text = SCAFFOLD.replace("TransformerScaffold.attention_cls = @TalkingHeadsAttention", "")
    assert _unused(f"{text}TalkingHeadsAttention.value_dim = 3") == {
        "TalkingHeadsAttention.value_dim = 3": (
            "no TalkingHeadsAttention was made, for no parameter is set to @TalkingHeadsAttention"
        ),
    }


def test_an_encoder_class_that_build_encoder_ignores() -> None:
    first, *others = MOBILEBERT.strip().split("\n")
    assert _unused(MOBILEBERT) == {
        first: (
            "TF-NLP's build_encoder takes an encoder_cls only if that is called EncoderScaffold, "
            "or if build_encoder.bypass_config = True"
        ),
        **dict.fromkeys(
            others,
            "no MobileBERTEncoder was made, though it is the value of build_encoder.encoder_cls",
        ),
    }


@pytest.mark.parametrize(
    "line",
    [
        "EncoderScaffold.num_hidden_instances = 3",
        "TransformerScaffold.num_attention_heads = 4",
        "TalkingHeadsAttention.num_heads = 8",
        "GatedFeedforward.inner_dim = 99",
    ],
)
def test_what_tf_nlp_gives_itself(line: str) -> None:
    name, _, parameter = line.partition(" = ")[0].partition(".")
    assert _unused(SCAFFOLD + line) == {
        line: f"TF-NLP gives {name} its {parameter} itself, from the encoder's configuration or a "
        "layer above"
    }


def test_what_another_argument_replaces() -> None:
    assert _unused(f"{SCAFFOLD}TransformerScaffold.inner_dim = %DIM\nDIM = 99") == {
        "TransformerScaffold.inner_dim = %DIM": (
            "TransformerScaffold was made with inner_dim = 12, by another argument that means the "
            "same"
        )
    }


def test_a_scope_that_nothing_was_made_in() -> None:
    assert _unused(f"{SCAFFOLD}s/TransformerScaffold.norm_first = True") == {
        "s/TransformerScaffold.norm_first = True": "no TransformerScaffold was made, in the scope s"
    }


def test_a_binding_that_another_scope_overrides() -> None:
    text = SCAFFOLD.replace("@TransformerScaffold", "@s/TransformerScaffold")
    found = _unused(
        f"{text}s/TransformerScaffold.norm_epsilon = 0.1\nTransformerScaffold.norm_epsilon = 0.2"
    )
    assert found == {
        "TransformerScaffold.norm_epsilon = 0.2": (
            "another binding, in the scope of the call, comes before it"
        )
    }


def test_a_configuration_of_another_type() -> None:
    assert _unused("AlbertEncoderConfig.num_layers = 3") == {
        "AlbertEncoderConfig.num_layers = 3": (
            "encoder.config = @AlbertEncoderConfig() is not set, and the configuration came from "
            "elsewhere"
        )
    }


@pytest.mark.parametrize("with_mlm", [False, True])
def test_the_head_is_judged_where_it_is_exported(with_mlm: bool) -> None:
    found = _unused("BertPretrainerV2.mlm_activation = 'relu'", with_mlm=with_mlm)
    assert bool(found) == with_mlm


def test_layers_of_ones_own_are_judged_and_functions_are_not() -> None:
    @gin.configurable("unreached", module="used_bindings_test")
    class Unreached(tf_keras.layers.Layer):
        def __init__(self, size: int = 1, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.size = size

    @gin.configurable("train_loop", module="used_bindings_test")
    def train_loop(steps: int = 1) -> None: ...

    assert set(_unused("unreached.size = 2\ntrain_loop.steps = 2")) == {"unreached.size = 2"}


def test_what_a_run_recorded_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    line = "EncoderScaffold.hidden_cls = @TransformerScaffold"
    full = f"official.nlp.modeling.networks.encoder_scaffold.{line}"
    binding = gin_parsing.parse([], [gin_parsing.Source(full, "run.gin:1")]).bindings[0]
    recorded = gin_parsing.Binding(**{**vars(binding), "recorded": True})
    pretraining_gin.remember([recorded])
    try:
        with caplog.at_level("INFO", logger="exporter"):
            assert _unused(line) == {}
    finally:
        pretraining_gin.remember([])
    assert caplog.messages == [
        (
            "EncoderScaffold.hidden_cls, which the run recorded, has no effect: no EncoderScaffold "
            "was made, for no parameter is set to @EncoderScaffold"
        )
    ]


def test_nothing_else_is_judged() -> None:
    gin.constant("used_bindings_test.LENGTH", 64)
    assert _unused("exporter.preprocessing.default_seq_length = %used_bindings_test.LENGTH") == {}
