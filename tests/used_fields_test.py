from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gin
import pytest
from official.nlp.configs import encoders as tfnlp_encoders
from official.nlp.modeling import networks

from exporter import encoder_configs, encoders, errors, used_fields

_SIZES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 8,
}
_SCAFFOLD = """
build_encoder.encoder_cls = @EncoderScaffold
EncoderScaffold.hidden_cls = @TransformerScaffold
"""
_MOBILEBERT = """
build_encoder.bypass_config = %BYPASS
BYPASS = True
build_encoder.encoder_cls = @MobileBERTEncoder
MobileBERTEncoder.num_blocks = 1
MobileBERTEncoder.hidden_size = 8
MobileBERTEncoder.word_vocab_size = %WORDS
WORDS = 33
MobileBERTEncoder.max_sequence_length = 24
MobileBERTEncoder.type_vocab_size = 5
MobileBERTEncoder.intermediate_size = 8
MobileBERTEncoder.intra_bottleneck_size = 4
"""


def _architecture(
    values: Mapping[str, Any], encoder_type: str = "bert", *, is_record: bool = False
) -> encoder_configs.Architecture:
    config = tfnlp_encoders.EncoderConfig(type=encoder_type)
    config.override({encoder_type: dict(values)}, is_strict=True)
    return encoder_configs.Architecture(config, "gelu", "encoder.yaml", is_record)


def _built(gin_text: str, architecture: encoder_configs.Architecture) -> encoders.Encoder:
    gin.parse_config(gin_text)
    return encoders.build(architecture, with_mlm=False)


def _mistakes(gin_text: str, architecture: encoder_configs.Architecture) -> list[str]:
    with pytest.raises(errors.UserError) as caught:
        _built(gin_text, architecture)
    error = caught.value
    found = error.errors if isinstance(error, errors.UserErrors) else [error]
    assert {mistake.setting for mistake in found} == {"build_encoder.encoder_cls"}
    return [f"{mistake.rule}\n{mistake.received}" for mistake in found]


def test_what_is_asked_for_is_noted() -> None:
    config = tfnlp_encoders.EncoderConfig(type="bert")
    own = type(config.get())
    with used_fields.recorded(config) as asked:
        assert config.bert.num_layers == 12
        assert isinstance(config.get(), own)
    assert "num_layers" in asked
    assert "norm_first" not in asked
    assert type(config.get()) is own
    assert config.as_dict() == tfnlp_encoders.EncoderConfig(type="bert").as_dict()


def test_it_ends_with_an_error() -> None:
    config = tfnlp_encoders.EncoderConfig(type="bert")
    with pytest.raises(ZeroDivisionError), used_fields.recorded(config):
        raise ZeroDivisionError
    assert type(config.get()) is tfnlp_encoders.BertEncoderConfig


@pytest.mark.parametrize("gin_text", ["", _SCAFFOLD])
def test_what_was_asked_for_is_no_mistake(gin_text: str) -> None:
    encoder = _built(gin_text, _architecture({**_SIZES, "dropout_rate": 0.3}))
    assert encoder.architecture.encoder.num_layers == 1


def test_a_scaffold_is_not_told_of_the_order_of_norms() -> None:
    architecture = _architecture({**_SIZES, "norm_first": True, "return_attention_scores": True})
    assert _mistakes(_SCAFFOLD, architecture) == [
        (
            "What an encoder's configuration says must have an effect. This has none: "
            "build_encoder.encoder_cls = @EncoderScaffold is built without it, with "
            "TransformerScaffold.norm_first = False.\n"
            "norm_first = True in encoder.yaml"
        ),
        (
            "What an encoder's configuration says must have an effect. This has none: "
            "build_encoder.encoder_cls = @EncoderScaffold is built without it.\n"
            "return_attention_scores = True in encoder.yaml"
        ),
    ]


def test_gin_may_have_said_the_same() -> None:
    architecture = _architecture({**_SIZES, "norm_first": True})
    _built(f"{_SCAFFOLD}TransformerScaffold.norm_first = %F\nF = True", architecture)


def test_what_a_run_recorded_had_no_effect_in_training_either() -> None:
    architecture = _architecture({**_SIZES, "norm_first": True}, is_record=True)
    assert _built(_SCAFFOLD, architecture).architecture == architecture


def test_what_changes_no_output_is_no_mistake() -> None:
    _built(_MOBILEBERT, _architecture({"initializer_range": 0.1}))


def test_a_bypassed_configuration_must_agree_with_what_was_built() -> None:
    right = {"word_vocab_size": 33, "num_blocks": 1, "hidden_size": 8, "hidden_activation": "relu"}
    _built(_MOBILEBERT, _architecture(right, "mobilebert"))
    gin.clear_config()
    _built(_MOBILEBERT, _architecture({"vocab_size": 33, "num_layers": 1, "hidden_size": 8}))
    gin.clear_config()
    wrong = _architecture({"vocab_size": 34, "num_layers": 1, "hidden_activation": "tanh"})
    assert _mistakes(_MOBILEBERT, wrong) == [
        (
            "What an encoder's configuration says must have an effect. This has none: "
            "build_encoder.encoder_cls = @MobileBERTEncoder is built without it, with "
            "MobileBERTEncoder.intermediate_act_fn = 'relu'.\n"
            "hidden_activation = 'tanh' in encoder.yaml"
        ),
        (
            "What an encoder's configuration says must have an effect. This has none: "
            "build_encoder.encoder_cls = @MobileBERTEncoder is built without it, with "
            "MobileBERTEncoder.word_vocab_size = 33.\n"
            "vocab_size = 34 in encoder.yaml"
        ),
    ]


def test_a_bypassed_encoder_is_described_as_it_was_built() -> None:
    given = _architecture({})
    encoder = _built(_MOBILEBERT, given)
    assert encoder.max_seq_length == 24
    assert encoder.type_vocab_size == 5
    assert encoder.vocab_size == 33
    assert encoder.architecture.encoder.num_layers == 1
    assert encoder.architecture.encoder.hidden_activation == "relu"
    assert given.encoder == tfnlp_encoders.BertEncoderConfig(), "is not changed"


@gin.configurable(module="ours")
class _OfOneSize(networks.BertEncoderV2):
    """Has no parameters, and longer sequences than a BertEncoderConfig has by default."""

    def __init__(self) -> None:
        super().__init__(
            vocab_size=20,
            hidden_size=8,
            num_layers=1,
            num_attention_heads=2,
            inner_dim=8,
            max_sequence_length=600,
        )


def test_a_bypassed_encoder_of_unknown_length_has_no_longest() -> None:
    encoder = _built(
        "build_encoder.encoder_cls = @ours._OfOneSize\nbuild_encoder.bypass_config = True",
        _architecture({}),
    )
    assert encoder.max_seq_length is None


def test_any_other_encoder_is_described_as_it_was_configured() -> None:
    architecture = _architecture(_SIZES)
    assert _built(_SCAFFOLD, architecture).architecture == architecture


def test_synonyms_are_fields_and_parameters_that_there_are() -> None:
    """A misspelt one would be no synonym of anything."""
    known = {
        field.name
        for member in dataclasses.fields(tfnlp_encoders.EncoderConfig)
        if dataclasses.is_dataclass(config := getattr(tfnlp_encoders.EncoderConfig(), member.name))
        for field in dataclasses.fields(config)
    }
    known |= {"num_hidden_instances", "max_seq_length", "intermediate_act_fn"}
    known |= {"intermediate_activation"}
    assert {name for names in used_fields._SAME for name in names} <= known
