from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from typing import Any

import gin
import pytest

from exporter import settings

_ALL = tuple(
    member
    for _, member in inspect.getmembers(settings, inspect.isclass)
    if dataclasses.is_dataclass(member)
)
_DEFAULTS = {
    "encoder.encoder_config_file": None,
    "encoder.bert_config_file": None,
    "encoder.type": None,
    "encoder.config": None,
    "encoder.pooled_output": None,
    "mlm.mlm_activation": None,
    "checkpoint.model_checkpoint_path": None,
    "checkpoint.weights": "raw",
    "pretraining.pretraining_dir": None,
    "pretraining.checkpoint": "latest",
    "pretraining.allow_overrides": (),
    "tokenizer.vocab_file": None,
    "tokenizer.sp_model_file": None,
    "tokenizer.do_lower_case": None,
    "tokenizer.strip_accents": None,
    "tokenizer.keep_special_tokens": False,
    "tokenizer.special_tokens": None,
    "preprocessing.default_seq_length": None,
    "preprocessing.tokenize_with_offsets": False,
    "preprocessing.disable_assert": False,
    "preprocessing.max_segments": 2,
    "preprocessing.truncation": "equal_size",
    "preprocessing.head_percent": 25,
    "preprocessing.pad_to_longest": False,
    "preprocessing.pack_for_xla": False,
    "text_embedding.vector": "pooled_output",
    "text_embedding.num_layers": None,
    "text_embedding.normalize": False,
    "text_embedding.pad_to_longest": True,
    "warmup.batch_sizes": (),
    "warmup.seq_lengths": (128,),
    "checks.allow_padded_vocabulary": False,
    "checks.allow_unlikely_casing": False,
    "checks.ignored_values": (),
}


def _gin_name(settings_class: type) -> str:
    return gin.config._inverse_lookup(settings_class).name


def test_names_and_defaults() -> None:
    defaults = {
        f"{_gin_name(settings_class)}.{name}": value
        for settings_class in _ALL
        for name, value in dataclasses.asdict(settings_class()).items()
    }
    assert defaults == _DEFAULTS


@pytest.mark.parametrize("name", _DEFAULTS)
def test_each_is_bound_by_gin_under_its_name(name: str) -> None:
    gin.parse_config(f"exporter.{name} = 'ours'")
    selector, _, field = name.partition(".")
    (settings_class,) = [member for member in _ALL if _gin_name(member) == selector]
    assert getattr(settings_class(), field) == "ours"


@pytest.mark.parametrize("settings_class", _ALL)
def test_values_cannot_be_changed_afterwards(settings_class: type) -> None:
    field = dataclasses.fields(settings_class)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(settings_class(), field, "other")


@pytest.mark.parametrize("settings_class", _ALL)
def test_every_field_is_described(settings_class: type) -> None:
    for field in dataclasses.fields(settings_class):
        assert f"      {field.name}: " in (settings_class.__doc__ or ""), field.name


def test_importing_them_does_not_import_tensorflow() -> None:
    program = "import sys; from exporter import settings; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "given",
    [
        {"encoder_config_file": "encoder.yaml"},
        {"bert_config_file": "bert_config.json"},
        {"type": "bert", "config": object()},
    ],
)
def test_one_source_of_the_architecture(given: dict[str, Any]) -> None:
    assert settings.EncoderSettings(**given).mistakes() == []


@pytest.mark.parametrize(
    ("given", "received", "setting"),
    [
        ({}, "none", "encoder.encoder_config_file"),
        ({"encoder_config_file": ""}, "none", "encoder.encoder_config_file"),
        ({"type": "bert"}, "none", "encoder.encoder_config_file"),
        (
            {"encoder_config_file": "encoder.yaml", "bert_config_file": "bert.json"},
            "encoder.encoder_config_file and encoder.bert_config_file",
            "encoder.bert_config_file",
        ),
        (
            {"bert_config_file": "bert.json", "type": "bert", "config": object()},
            "encoder.bert_config_file and encoder.config",
            "encoder.config",
        ),
    ],
)
def test_no_or_several_sources_of_the_architecture(
    given: dict[str, Any], received: str, setting: str
) -> None:
    (mistake,) = settings.EncoderSettings(**given).mistakes()
    assert str(mistake) == (
        "An encoder needs exactly one source of its architecture: --encoder_config_file, "
        "--bert_config_file, or encoder.type and encoder.config in gin.\n"
        f"  received: {received}\n"
        "  example:  --encoder_config_file=bert_encoder.yaml"
    )
    assert mistake.setting == setting


@pytest.mark.parametrize("given", [{"vocab_file": "vocab.txt"}, {"sp_model_file": "spm.model"}])
def test_one_tokenizer(given: dict[str, str]) -> None:
    assert settings.TokenizerSettings(**given).mistakes() == []


@pytest.mark.parametrize(
    ("given", "received", "setting"),
    [
        ({}, "none", "tokenizer.vocab_file"),
        ({"vocab_file": "", "do_lower_case": True}, "none", "tokenizer.vocab_file"),
        (
            {"vocab_file": "vocab.txt", "sp_model_file": "spm.model"},
            "vocab.txt and spm.model",
            "tokenizer.sp_model_file",
        ),
    ],
)
def test_no_or_two_tokenizers(given: dict[str, Any], received: str, setting: str) -> None:
    (mistake,) = settings.TokenizerSettings(**given).mistakes()
    assert str(mistake) == (
        "Exactly one of --vocab_file and --sp_model_file is needed.\n"
        f"  received: {received}\n"
        "  example:  --vocab_file=vocab.txt"
    )
    assert mistake.setting == setting


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, None),
        (
            {"max_segments": 0},
            (
                "preprocessing.max_segments must be at least 1.\n  received: 0\n"
                "  example:  preprocessing.max_segments = 2"
            ),
        ),
        (
            {"head_percent": 100},
            (
                "preprocessing.head_percent must be from 1 to 99.\n  received: 100\n"
                "  example:  preprocessing.head_percent = 25"
            ),
        ),
        (
            {"pad_to_longest": True, "pack_for_xla": True},
            (
                "preprocessing.pack_for_xla needs padding to the sequence length: XLA compiles for "
                "one shape, whatever the lengths of the texts.\n"
                "  received: pad_to_longest = True with pack_for_xla = True\n"
                "  example:  preprocessing.pad_to_longest = False"
            ),
        ),
    ],
)
def test_preprocessing_that_cannot_be(values: dict[str, Any], message: str | None) -> None:
    mistakes = settings.PreprocessingSettings(**values).mistakes()
    assert [str(mistake) for mistake in mistakes] == ([] if message is None else [message])
