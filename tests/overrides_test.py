"""Differences between what a run recorded and how its encoder is to be built."""

from __future__ import annotations

import logging
import pathlib
from typing import Any

import gin
import pytest
import yaml
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import encoder_configs, overrides, settings

_RULE = "An encoder must be built as it was trained, unless the difference is allowed by name."
_FILE = settings.EncoderSettings(encoder_config_file="encoder.yaml")
_TRAINED = {"hidden_activation": "relu", "num_layers": 2}


def _architecture(
    encoder_type: str = "bert", mlm_activation: str | None = "gelu", **fields: Any
) -> encoder_configs.Architecture:
    config = tfnlp_encoders.EncoderConfig(type=encoder_type)
    config.override({encoder_type: {**_TRAINED, **fields}}, is_strict=True)
    return encoder_configs.Architecture(config, mlm_activation, "encoder.yaml")


def _record(
    encoder_type: str = "bert", named: bool = True, mlm_activation: str = "gelu", **fields: Any
) -> overrides.Record:
    encoder = {"type": encoder_type, encoder_type: {**_TRAINED, **fields}}
    model = {"encoder": encoder, "mlm_activation": mlm_activation}
    return overrides.Record(model, "RUN/params.yaml", named)


def _check(
    architecture: encoder_configs.Architecture,
    record: overrides.Record,
    *allowed: str,
    encoder: settings.EncoderSettings = _FILE,
) -> list[tuple[str | None, str | None]]:
    """Returns what is said to be received, and the setting that decides it."""
    mistakes = overrides.check(architecture, record, encoder, allowed)
    assert all(mistake.rule == _RULE for mistake in mistakes)
    return [(mistake.received, mistake.setting) for mistake in mistakes]


class TestCheck:
    def test_what_was_trained(self) -> None:
        assert _check(_architecture(), _record()) == []

    def test_fields_that_differ(self) -> None:
        now = _architecture(hidden_activation="gelu", num_layers=3, norm_first=True)
        setting = "encoder.encoder_config_file"
        assert _check(now, _record(norm_first=False)) == [
            ("hidden_activation = 'gelu', trained with 'relu' (RUN/params.yaml)", setting),
            ("num_layers = 3, trained with 2 (RUN/params.yaml)", setting),
            ("norm_first = True, trained with False (RUN/params.yaml)", setting),
        ]

    def test_the_whole_message(self) -> None:
        (mistake,) = overrides.check(_architecture(num_layers=3), _record(), _FILE, [])
        assert str(mistake) == (
            f"{_RULE}\n"
            "  received: num_layers = 3, trained with 2 (RUN/params.yaml)\n"
            "  example:  pretraining.allow_overrides = ['num_layers']"
        )

    def test_what_is_allowed_by_name(self) -> None:
        now = _architecture(hidden_activation="gelu", num_layers=3)
        assert _check(now, _record(), "hidden_activation", "num_layers") == []
        (left,) = _check(now, _record(), "num_layers", "activation")
        assert left[0] is not None
        assert left[0].startswith("hidden_activation = ")

    @pytest.mark.parametrize(
        ("now", "trained"),
        [
            ({"initializer_range": 0.5}, {"initializer_range": 0.02}),
            ({"return_attention_scores": True}, {"return_attention_scores": False}),
            ({}, {"a_field_of_another_version": 1}),
        ],
    )
    def test_what_changes_no_output(self, now: dict[str, Any], trained: dict[str, Any]) -> None:
        assert _check(_architecture(**now), _record(**trained)) == []

    def test_lists_and_tuples_are_the_same(self) -> None:
        now = _architecture("funnel", pool_stride=(1, 2))
        trained = {"pool_stride": [1, 2]}
        assert _check(now, _record("funnel", **trained)) == []
        (mistake,) = _check(now, _record("funnel", pool_stride=[1, 3]))
        assert mistake[0] == "pool_stride = (1, 2), trained with [1, 3] (RUN/params.yaml)"

    @pytest.mark.parametrize(("now", "trained"), [("bert_v2", "bert"), ("bert", "bert_v2")])
    def test_types_that_compute_the_same(self, now: str, trained: str) -> None:
        assert _check(_architecture(now), _record(trained)) == []
        assert len(_check(_architecture(now), _record(trained, num_layers=5))) == 1

    def test_any_may_be_of_every_type(self) -> None:
        """What its BUILDER makes is not recorded, but its fields are."""
        assert _check(_architecture("bert_v2"), _record("any", token_keep_k=5)) == []
        (mistake,) = _check(_architecture("bert_v2"), _record("any", hidden_activation="gelu"))
        assert mistake[0] == "hidden_activation = 'relu', trained with 'gelu' (RUN/params.yaml)"

    @pytest.mark.parametrize(
        ("encoder", "setting"),
        [
            (_FILE, "encoder.encoder_config_file"),
            (settings.EncoderSettings("encoder.yaml", type="kernel"), "encoder.type"),
        ],
    )
    def test_another_type(self, encoder: settings.EncoderSettings, setting: str) -> None:
        now = _architecture("kernel", hidden_activation="gelu")
        assert _check(now, _record(), encoder=encoder) == [
            ("type = 'kernel', trained with 'bert' (RUN/params.yaml)", setting)
        ]

    def test_the_activation_of_the_head(self) -> None:
        assert _check(_architecture(mlm_activation="tanh"), _record()) == [
            ("mlm_activation = 'tanh', trained with 'gelu' (RUN/params.yaml)", "mlm.mlm_activation")
        ]

    def test_the_setting_of_a_field_that_gin_sets(self) -> None:
        encoder_configs.register_configurables()
        gin.parse_config("BertEncoderConfig.num_layers = 3")
        ((_, setting),) = _check(_architecture(num_layers=3), _record())
        assert setting == "BertEncoderConfig.num_layers"

    def test_dropout_of_a_run_that_was_not_named(self, caplog: pytest.LogCaptureFixture) -> None:
        """Those who name a checkpoint and a file often leave dropout to its default."""
        now, trained = _architecture(dropout_rate=0.1), {"dropout_rate": 0.0}
        assert len(_check(now, _record(**trained))) == 1
        caplog.set_level(logging.WARNING, "exporter")
        assert _check(now, _record(named=False, **trained)) == []
        assert caplog.messages == ["dropout_rate = 0.1, trained with 0.0 (RUN/params.yaml)"]

    def test_nothing_of_the_configuration_is_used(self) -> None:
        gin.parse_config("from official.nlp.configs import encoders", skip_unknown=True)
        gin.parse_config("build_encoder.bypass_config = True")
        now, encoder = _architecture(num_layers=3), settings.EncoderSettings()
        assert _check(now, _record(), encoder=encoder) == []

    @pytest.mark.parametrize("model", [{}, {"encoder": 3}, {"encoder": {"type": "bert"}}])
    def test_a_record_that_says_nothing(self, model: dict[str, Any]) -> None:
        assert _check(_architecture(), overrides.Record(model, "RUN/params.yaml")) == []


class TestBeside:
    @pytest.mark.parametrize("name", ["ckpt-3", "best/best_ckpt-1"])
    def test_the_run_of_a_checkpoint(self, name: str, tmp_path: pathlib.Path) -> None:
        model = {"encoder": {"type": "bert"}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"task": {"model": model}}))
        record = overrides.beside(f"{tmp_path}/{name}")
        assert record == overrides.Record(model, f"{tmp_path}/params.yaml", named=False)

    @pytest.mark.parametrize("text", ["task: 3", "task: {model: [1]}", "a: b"])
    def test_a_file_of_something_else(self, text: str, tmp_path: pathlib.Path) -> None:
        (tmp_path / "params.yaml").write_text(text)
        record = overrides.beside(f"{tmp_path}/ckpt-3")
        assert record is not None
        assert record.model == {}

    def test_a_file_that_is_no_yaml(
        self, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "exporter")
        (tmp_path / "params.yaml").write_text("a: [")
        assert overrides.beside(f"{tmp_path}/ckpt-3") is None
        (message,) = caplog.messages
        assert message.startswith(
            f"Not compared with what is beside the checkpoint: {tmp_path}/params.yaml: "
        )

    def test_no_file(self, tmp_path: pathlib.Path) -> None:
        assert overrides.beside(f"{tmp_path}/best/ckpt-3") is None
        assert overrides.beside("ckpt-3") is None


class TestGin:
    _TRAINED = "TransformerScaffold.norm_first = True\nTrainer.train_dataset = None\n"

    @pytest.fixture(name="run")
    def _run(self, tmp_path: pathlib.Path) -> pathlib.Path:
        (tmp_path / "operative_config.train.gin").write_text(self._TRAINED)
        return tmp_path

    @pytest.mark.parametrize("name", ["ckpt-3", "best/best_ckpt-1"])
    def test_a_binding_that_is_forgotten(self, name: str, run: pathlib.Path) -> None:
        (mistake,) = overrides.check_gin(f"{run}/{name}", [])
        file = f"{run}/operative_config.train.gin"
        assert str(mistake) == (
            f"{_RULE}\n"
            f"  received: TransformerScaffold.norm_first is not set, trained with True ({file}:1)\n"
            "  where:    --gin_file (not given)\n"
            f"  example:  --gin_file={file}, or pretraining.allow_overrides = "
            "['TransformerScaffold.norm_first']"
        )
        assert overrides.check_gin(f"{run}/{name}", ["norm_first"]) == []

    @pytest.mark.parametrize(("value", "count"), [("True", 0), ("False", 1), ("%FIRST", 0)])
    def test_a_binding_that_is_there(self, value: str, count: int, run: pathlib.Path) -> None:
        import official.nlp.modeling.layers  # noqa: F401 (registers it)

        gin.parse_config(f"FIRST = True\nTransformerScaffold.norm_first = {value}")
        assert len(overrides.check_gin(f"{run}/ckpt-3", [])) == count

    def test_no_record(self, tmp_path: pathlib.Path) -> None:
        assert overrides.check_gin(f"{tmp_path}/ckpt-3", []) == []
        assert overrides.check_gin(f"{tmp_path}/no/ckpt-3", []) == []
