"""Architectures from files as users write them and as pre-training leaves them, and from gin."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import gin
import pytest
import yaml
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import encoder_configs, errors, settings
from tests import testing

_BERT_JSON = {
    "vocab_size": 100,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "hidden_act": "relu",
    "intermediate_size": 12,
    "hidden_dropout_prob": 0.2,
    "attention_probs_dropout_prob": 0.3,
    "max_position_embeddings": 16,
    "type_vocab_size": 3,
    "initializer_range": 0.04,
}
_TYPES = "albert, bert, bert_v2, bigbird, funnel, kernel, mobilebert, reuse, xlnet, query_bert, "
_TYPES += "fnet, sparse_mixer, any"


@pytest.fixture(name="yaml_file")
def _yaml_file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "encoder.yaml"


@pytest.fixture(name="json_file")
def _json_file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "bert_config.json"


def _read(
    path: pathlib.Path | None = None, mlm_activation: str | None = None
) -> encoder_configs.Architecture:
    """Reads a file, or what gin says."""
    encoder = settings.EncoderSettings()
    if path is not None:
        name = "bert_config_file" if path.suffix == ".json" else "encoder_config_file"
        encoder = settings.EncoderSettings(**{name: str(path)})
    return encoder_configs.read_architecture(encoder, settings.MlmSettings(mlm_activation))


def _error(path: pathlib.Path | None = None) -> str:
    """Returns what a user is told, with the file as FILE."""
    with pytest.raises(errors.UserError) as raised:
        _read(path)
    return str(raised.value).replace(str(path), "FILE")


class TestYaml:
    @pytest.mark.parametrize("encoder_type", encoder_configs.ENCODER_TYPES[:-1])
    def test_every_type(self, yaml_file: pathlib.Path, encoder_type: str) -> None:
        expected = tfnlp_encoders.EncoderConfig(type=encoder_type)
        expected.get().initializer_range = 0.5
        yaml_file.write_text(yaml.dump(expected.as_dict()))
        architecture = _read(yaml_file)
        assert architecture.type == encoder_type
        assert architecture.config.as_dict() == expected.as_dict()
        assert architecture.encoder.initializer_range == 0.5
        assert architecture.mlm_activation == "gelu"
        assert architecture.source == str(yaml_file)

    def test_the_names_of_all_types(self) -> None:
        assert ", ".join(encoder_configs.ENCODER_TYPES) == _TYPES

    def test_what_is_not_said_is_as_tfnlp_has_it(self, yaml_file: pathlib.Path) -> None:
        yaml_file.write_text("type: bert\nbert: {num_layers: 3}")
        expected = dataclasses.replace(tfnlp_encoders.BertEncoderConfig(), num_layers=3)
        assert _read(yaml_file).encoder.as_dict() == expected.as_dict()

    def test_the_default_type_is_that_of_tfnlp(self, yaml_file: pathlib.Path) -> None:
        yaml_file.write_text("bert: {num_layers: 3}")
        assert _read(yaml_file).type == tfnlp_encoders.EncoderConfig().type == "bert"

    def test_values_of_like_types(self, yaml_file: pathlib.Path) -> None:
        """An int for a float, one of both kinds of a union, a list for a tuple."""
        yaml_file.write_text("bert: {dropout_rate: 0, embedding_size: 4}")
        assert _read(yaml_file).encoder.dropout_rate == 0
        yaml_file.write_text("type: funnel\nfunnel: {pool_stride: !!python/tuple [1, 2]}")
        assert _read(yaml_file).encoder.pool_stride == (1, 2)
        yaml_file.write_text("type: fnet\nfnet: {attention_layers: [1, 2]}")
        assert list(_read(yaml_file).encoder.attention_layers) == [1, 2]

    @pytest.mark.parametrize(
        ("text", "name", "received", "example"),
        [
            ("bert: {num_layer: 3}", "bert.num_layer", "3", "did you mean num_layers?"),
            ("brt: {}", "brt", "{}", "did you mean bert?"),
            ("vocab_size: 9", "vocab_size", "9", "type, bert"),
            ("type: albert\nbert: {a: 1}", "bert", "{'a': 1}", "did you mean albert?"),
            ("1: 2", "1", "2", "type, bert"),
        ],
    )
    def test_unknown_names(
        self, yaml_file: pathlib.Path, text: str, name: str, received: str, example: str
    ) -> None:
        yaml_file.write_text(text)
        assert _error(yaml_file) == (
            f"Every name in the encoder's configuration must be known; {name} is not.\n"
            f"  received: {name}: {received} in FILE\n"
            f"  example:  {example}"
        )

    @pytest.mark.parametrize(
        ("text", "name", "expected", "received", "example"),
        [
            ("bert: 3", "bert", "mapping", "3", "bert: {}"),
            ("bert:", "bert", "mapping", "None", "bert: {}"),
            ("bert: {num_layers: '3'}", "bert.num_layers", "int", "'3'", "num_layers: 12"),
            ("bert: {num_layers: 2.5}", "bert.num_layers", "int", "2.5", "num_layers: 12"),
            ("bert: {num_layers: [3]}", "bert.num_layers", "int", "[3]", "num_layers: 12"),
            ("bert: {num_layers: true}", "bert.num_layers", "int", "True", "num_layers: 12"),
            ("bert: {norm_first: 1}", "bert.norm_first", "bool", "1", "norm_first: False"),
            # YAML 1.1: a number with an exponent has a point.
            ("bert: {dropout_rate: 1e-3}", "bert.dropout_rate", "float", "'1e-3'", "dropout_r"),
            ("bert: {hidden_activation: 3}", "bert.hidden_activation", "str", "3", "hidden_a"),
            ("type: fnet\nfnet: {attention_layers: 1}", "fnet.attention_layers", "tuple", "1", ""),
        ],
    )
    def test_values_of_wrong_types(
        self,
        yaml_file: pathlib.Path,
        text: str,
        name: str,
        expected: str,
        received: str,
        example: str,
    ) -> None:
        yaml_file.write_text(text)
        rule, told, shown = _error(yaml_file).split("\n")
        assert rule == f"{name} in the encoder's configuration must be of type {expected}."
        assert told.startswith(f"  received: {received}")
        assert told.endswith(" in FILE")
        assert shown.startswith(f"  example:  {example}")

    def test_all_mistakes_are_told_together(self, yaml_file: pathlib.Path) -> None:
        yaml_file.write_text("bert: {num_layer: 3, hidden_size: big, norm_first: 2}")
        with pytest.raises(errors.UserErrors) as raised:
            _read(yaml_file)
        assert [error.rule.split()[0] for error in raised.value.errors] == [
            *("Every", "bert.hidden_size", "bert.norm_first")
        ]

    @pytest.mark.parametrize(("text", "shown"), [("brt", "'brt'"), ("[a]", "['a']"), ("", "None")])
    def test_unknown_types(self, yaml_file: pathlib.Path, text: str, shown: str) -> None:
        yaml_file.write_text(f"type: {text}")
        assert _error(yaml_file) == (
            f"An encoder's type must be one of {_TYPES}.\n"
            f"  received: type {shown} in FILE\n"
            "  example:  type: bert"
        )

    @pytest.mark.parametrize("where", ["laughs: *l9", "bert: {num_layers: *l9}", "bert: {ab: *l9}"])
    def test_a_value_that_unfolds_to_a_billion(self, yaml_file: pathlib.Path, where: str) -> None:
        laughs = ["l0: &l0 [lol]", *(f"l{i}: &l{i} [{f'*l{i - 1},' * 10}]" for i in range(1, 10))]
        yaml_file.write_text("\n".join([*laughs, where]))
        assert len(_error(yaml_file)) < 10_000

    def test_a_list_that_holds_itself(self, yaml_file: pathlib.Path) -> None:
        yaml_file.write_text("type: fnet\nfnet: {attention_layers: &a [*a]}")
        assert _error(yaml_file) == (
            "The file must be valid YAML.\n"
            "  received: FILE: more than 100,000 values, or an alias inside of what it stands for"
        )


class TestParamsYaml:
    def test_the_bundled_run(self) -> None:
        path = testing.TESTDATA / "bert_tiny" / "params.yaml"
        stored = yaml.safe_load(path.read_text())["task"]["model"]
        architecture = _read(path)
        assert architecture.type == "bert"
        assert architecture.encoder.as_dict() == stored["encoder"]["bert"]
        assert architecture.mlm_activation == stored["mlm_activation"] == "gelu"

    @pytest.mark.parametrize(
        ("activation", "expected"),
        [("mlm_activation: tanh", "tanh"), ("mlm_activation: null", None), ("", "relu")],
    )
    def test_the_activation_of_the_head(
        self, yaml_file: pathlib.Path, activation: str, expected: str | None
    ) -> None:
        encoder = "encoder: {type: bert, bert: {hidden_activation: relu}}"
        yaml_file.write_text(f"task: {{model: {{{encoder}, {activation}}}}}")
        assert _read(yaml_file).mlm_activation == expected
        assert _read(yaml_file, mlm_activation="swish").mlm_activation == "swish"

    @pytest.mark.parametrize(
        ("text", "missing"),
        [
            ("task: 3", "task.model"),
            ("task: {train_data: {}}", "task.model"),
            ("task: {model: {}}", "encoder"),
            ("task: {model: {encoder: bert}}", "encoder"),
        ],
    )
    def test_another_task(self, yaml_file: pathlib.Path, text: str, missing: str) -> None:
        yaml_file.write_text(text)
        assert _error(yaml_file) == (
            "The params.yaml of a pre-training run must hold task.model.encoder.\n"
            f"  received: FILE without {missing}"
        )


class TestBertJson:
    def test_a_released_file(self, json_file: pathlib.Path) -> None:
        extra = {"directionality": "bidi", "pooler_fc_size": 768, "pooler_type": "first_token"}
        json_file.write_text(json.dumps({**_BERT_JSON, **extra}))
        architecture = _read(json_file)
        expected = dataclasses.replace(
            tfnlp_encoders.BertEncoderConfig(),
            vocab_size=100,
            hidden_size=8,
            num_layers=3,
            num_attention_heads=2,
            hidden_activation="relu",
            intermediate_size=12,
            dropout_rate=0.2,
            attention_dropout_rate=0.3,
            max_position_embeddings=16,
            type_vocab_size=3,
            initializer_range=0.04,
        )
        assert architecture.type == "bert"
        assert architecture.encoder.as_dict() == expected.as_dict()
        assert architecture.mlm_activation == "relu"

    def test_a_released_albert(self, json_file: pathlib.Path) -> None:
        extra = {"num_hidden_groups": 1, "inner_group_num": 1, "embedding_size": 6}
        json_file.write_text(json.dumps({**_BERT_JSON, **extra}))
        architecture = _read(json_file)
        assert architecture.type == "albert"
        assert architecture.encoder.embedding_width == 6
        assert architecture.encoder.num_layers == 3

    @pytest.mark.parametrize("key", ["num_hidden_groups", "inner_group_num"])
    def test_an_albert_of_several_groups(self, json_file: pathlib.Path, key: str) -> None:
        json_file.write_text(json.dumps({**_BERT_JSON, "num_hidden_groups": 1, key: 2}))
        assert _error(json_file) == (
            "TF-NLP's ALBERT has one group of one layer, as all released ones have.\n"
            f'  received: "{key}": 2 in FILE\n'
            f'  example:  "{key}": 1'
        )

    def test_defaults_of_the_original_code(self, json_file: pathlib.Path) -> None:
        sizes = dict.fromkeys(("vocab_size", "hidden_size", "num_hidden_layers"), 8)
        sizes |= {"num_attention_heads": 2}
        json_file.write_text(json.dumps(sizes))
        assert _read(json_file).encoder.type_vocab_size == 16
        json_file.write_text(json.dumps({**sizes, "num_hidden_groups": 1}))
        albert = _read(json_file).encoder
        assert (albert.type_vocab_size, albert.embedding_width) == (2, 128)

    def test_missing_keys(self, json_file: pathlib.Path) -> None:
        json_file.write_text('{"model_type": "bert", "vocab_size": 100, "hidden_size": 8}')
        assert _error(json_file) == (
            "A BERT configuration must hold vocab_size, hidden_size, num_hidden_layers, "
            "num_attention_heads.\n"
            "  received: FILE without num_hidden_layers, num_attention_heads"
        )


class TestGin:
    def _error(self, *bindings: str) -> str:
        encoder_configs.register_configurables()
        gin.parse_config(bindings)
        return _error()

    @pytest.mark.parametrize("encoder_type", encoder_configs.ENCODER_TYPES[:-1])
    def test_every_type(self, encoder_type: str) -> None:
        encoder_configs.register_configurables()
        name = type(getattr(tfnlp_encoders.EncoderConfig(), encoder_type)).__name__
        gin.parse_config(f"encoder.type = '{encoder_type}'\nencoder.config = @{name}()")
        gin.parse_config(f"{name}.initializer_range = 0.5")
        architecture = _read()
        expected = dataclasses.replace(architecture.encoder.__class__(), initializer_range=0.5)
        assert architecture.encoder.as_dict() == expected.as_dict()
        assert (architecture.type, architecture.source) == (encoder_type, "gin")

    def test_the_configuration_of_another_type(self) -> None:
        message = self._error("encoder.type = 'albert'", "encoder.config = @BertEncoderConfig()")
        assert message.startswith(
            "encoder.config must be the configuration of encoder.type = 'albert'.\n"
            "  received: BertEncoderConfig(vocab_size=30522, "
        )
        assert message.endswith("\n  example:  encoder.config = @AlbertEncoderConfig()")

    def test_no_type(self) -> None:
        message = self._error("encoder.config = @BertEncoderConfig()")
        assert message.startswith(f"An encoder's type must be one of {_TYPES}.\n  received: type ")


@pytest.mark.parametrize("given", [{}, {"encoder_config_file": "a", "bert_config_file": "b"}])
def test_no_or_several_sources(given: dict[str, Any]) -> None:
    with pytest.raises(errors.UserError, match=r"^An encoder needs exactly one source of its"):
        encoder_configs.read_architecture(settings.EncoderSettings(**given), settings.MlmSettings())
