"""What is set on top of an encoder's configuration from a file, and in which order."""

from __future__ import annotations

import logging
import pathlib
from typing import Any

import gin
import pytest
from official.nlp.configs import encoders as tfnlp_encoders

import launch
from exporter import config_overrides, encoder_configs, errors
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"


@pytest.fixture(name="config")
def _config() -> tfnlp_encoders.EncoderConfig:
    encoder_configs.register_configurables()
    config = tfnlp_encoders.EncoderConfig(type="bert")
    config.bert.override({"num_layers": 3, "hidden_size": 8}, is_strict=True)
    return config


class TestAsType:
    def test_the_same_type(self) -> None:
        content = {"type": "bert", "bert": {"num_layers": 2, "unknown": 1}}
        assert config_overrides.as_type(content, "bert") == content

    @pytest.mark.parametrize("before", [{}, {"type": "bert"}])
    def test_another_type(self, before: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "exporter")
        values = {"num_layers": 2, "norm_first": True, "embedding_size": 4}
        assert config_overrides.as_type({**before, "bert": values}, "albert") == {
            "type": "albert",
            "albert": {"num_layers": 2},
        }
        (message,) = caplog.messages
        assert message == (
            "The configuration of type 'bert' is read as one of type 'albert', without "
            "embedding_size, norm_first."
        )

    def test_a_type_with_all_fields(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "exporter")
        content = {"type": "any", "any": {"num_layers": 2, "norm_first": True}}
        assert config_overrides.as_type(content, "bert_v2") == {
            "type": "bert_v2",
            "bert_v2": {"num_layers": 2, "norm_first": True},
        }
        (message,) = caplog.messages
        assert message == "The configuration of type 'any' is read as one of type 'bert_v2'."

    @pytest.mark.parametrize("content", [{"type": "any"}, {"type": "any", "any": 3}])
    def test_what_is_wrong_is_left_to_be_told(self, content: dict[str, Any]) -> None:
        assert config_overrides.as_type(content, "bert") == content


class TestGin:
    def test_fields_that_are_bound(self, config: tfnlp_encoders.EncoderConfig) -> None:
        gin.parse_config("BertEncoderConfig.hidden_size = %SIZE\nSIZE = 16")
        gin.parse_config("encoders.BertEncoderConfig.norm_first = True")
        gin.parse_config("AlbertEncoderConfig.num_layers = 7")
        config_overrides.apply_gin(config)
        encoder = config.get()
        assert (encoder.hidden_size, encoder.norm_first, encoder.num_layers) == (16, True, 3)
        assert config_overrides.bound_fields(encoder) == {
            "hidden_size": "BertEncoderConfig.hidden_size",
            "norm_first": "BertEncoderConfig.norm_first",
        }

    def test_a_field_that_is_bound_to_its_default(
        self, config: tfnlp_encoders.EncoderConfig
    ) -> None:
        gin.parse_config("BertEncoderConfig.num_layers = 12")
        config_overrides.apply_gin(config)
        assert config.get().num_layers == 12

    def test_nothing_bound(self, config: tfnlp_encoders.EncoderConfig) -> None:
        before = config.as_dict()
        config_overrides.apply_gin(config)
        assert config.as_dict() == before
        assert config_overrides.bound_fields(config.get()) == {}

    def test_a_class_that_gin_does_not_know(self) -> None:
        assert config_overrides.bound_fields(tfnlp_encoders.hyperparams.Config()) == {}

    def test_gin_knows_that_it_had_an_effect(self, config: tfnlp_encoders.EncoderConfig) -> None:
        gin.parse_config("BertEncoderConfig.num_layers = 2")
        config_overrides.apply_gin(config)
        assert "BertEncoderConfig.num_layers = 2" in gin.operative_config_str()

    def test_other_types(self, config: tfnlp_encoders.EncoderConfig) -> None:
        gin.parse_config("BertEncoderConfig.num_layers = 'two'")
        gin.parse_config("BertEncoderConfig.norm_first = 1")
        with pytest.raises(errors.UserErrors) as raised:
            config_overrides.apply_gin(config)
        assert str(raised.value) == (
            "BertEncoderConfig.num_layers must be of type int, as in the encoder's configuration.\n"
            "  received: 'two'\n"
            "  example:  BertEncoderConfig.num_layers = 12\n"
            "BertEncoderConfig.norm_first must be of type bool, as in the encoder's configuration."
            "\n"
            "  received: 1\n"
            "  example:  BertEncoderConfig.norm_first = False"
        )
        assert [error.setting for error in raised.value.errors] == [
            "BertEncoderConfig.num_layers",
            "BertEncoderConfig.norm_first",
        ]
        assert config.get().num_layers == 3


# In the README's order: what is set first, and all that is set after it.
_ORDER = ("first.gin", "second.gin", "--gin_params", "--gin_params again", "--default_seq_length")


@pytest.mark.parametrize("last", range(len(_ORDER)), ids=_ORDER)
def test_later_ones_win(
    last: int, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binding = "preprocessing.default_seq_length"
    for i, name in enumerate(_ORDER[:2]):
        (tmp_path / name).write_text(f"{binding} = {10 + i}")
    flags = [
        f"--gin_file={tmp_path / _ORDER[0]}",
        f"--gin_file={tmp_path / _ORDER[1]}",
        f"--gin_params={binding} = 12",
        f"--gin_params={binding} = 13",
        "--default_seq_length=14",
    ][: last + 1]
    # Where a flag of another name stands, must not count.
    flags.sort(key=lambda flag: flag.partition("=")[0])
    arguments = [f"--export_path={tmp_path / 'out'}", "--export_type=preprocessing", "--dry_run"]
    arguments += [f"--vocab_file={_RUN}/vocab.txt", "--do_lower_case=true"]
    assert launch.run(["launch.py", *arguments, *flags]) == 0
    assert f"{binding} = {10 + last}\n" in capsys.readouterr().out


def test_gin_on_top_of_the_file_that_is_named_in_place_of_the_runs(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both differ from what the run recorded; the file's other fields count, not the run's."""
    text = (_RUN / "params.yaml").read_text()
    text = text.replace("hidden_activation: gelu", "hidden_activation: relu")
    file = tmp_path / "params.yaml"
    file.write_text(text.replace("norm_first: false", "norm_first: true"))
    status = launch.run(
        [
            "launch.py",
            f"--export_path={tmp_path / 'out'}",
            f"--pretraining_dir={_RUN}",
            f"--vocab_file={_RUN}/vocab.txt",
            f"--encoder_config_file={file}",
            "--do_lower_case=true",
            "--dry_run",
            "--gin_params=BertEncoderConfig.hidden_activation = 'swish'",
        ]
    )
    rule = "An encoder must be built as it was trained, unless the difference is allowed by name."
    recorded = f"{_RUN}/params.yaml"
    told = capsys.readouterr().err
    assert told[told.index("error: ") :] == (
        f"error: {rule}\n"
        f"  received: hidden_activation = 'swish', trained with 'gelu' ({recorded})\n"
        "  where:    --gin_params=BertEncoderConfig.hidden_activation = 'swish'\n"
        "  example:  pretraining.allow_overrides = ['hidden_activation']\n"
        f"error: {rule}\n"
        f"  received: norm_first = True, trained with False ({recorded})\n"
        f"  where:    --encoder_config_file={file}\n"
        "  example:  pretraining.allow_overrides = ['norm_first']\n"
    )
    assert status == errors.EXIT_USER_ERROR
