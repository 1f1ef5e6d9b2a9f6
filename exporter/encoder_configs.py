"""Reads an encoder's architecture: YAML, a run's params.yaml, BERT's JSON or gin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gin
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import (
    builders,
    config_overrides,
    config_values,
    errors,
    files,
    gin_state,
    settings,
    sharing,
)

_DEFAULTS = tfnlp_encoders.EncoderConfig()
ENCODER_TYPES = tuple(
    field.name
    for field in dataclasses.fields(_DEFAULTS)
    if dataclasses.is_dataclass(getattr(_DEFAULTS, field.name))
)

_YAML_SETTING = "encoder.encoder_config_file"
# The keys of bert_config.json and what BertEncoderConfig calls them.
_BERT_JSON_KEYS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_attention_heads",
    "hidden_act": "hidden_activation",
    "intermediate_size": "intermediate_size",
    "hidden_dropout_prob": "dropout_rate",
    "attention_probs_dropout_prob": "attention_dropout_rate",
    "max_position_embeddings": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "initializer_range": "initializer_range",
    "embedding_size": "embedding_size",
}
_BERT_JSON_REQUIRED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
# Where a key is not there: original BERT's default, in place of TF-NLP's.
_BERT_TYPE_VOCAB_SIZE = 16
# The default of `task.model.mlm_activation`.
_TRAINERS_ACTIVATION = "gelu"


@dataclasses.dataclass(frozen=True)
class Architecture:
    """An encoder and the masked-language-model head that belongs to it, still on paper.

    Attributes:
      config: The encoder's configuration.
      mlm_activation: Activation of the head's dense layer, or None for none.
      source: Where it was read, for messages.
      is_record: Whether that is what a pre-training run recorded.
      pooled_output: How `pooled_output` is made in an encoder without a pooler, one of
        `choices.POOLINGS`; None leaves it to the encoder.
    """

    config: tfnlp_encoders.EncoderConfig
    mlm_activation: str | None
    source: str
    is_record: bool = False
    pooled_output: str | None = None

    @property
    def type(self) -> str:
        """The encoder's type in `EncoderConfig`."""
        return self.config.type

    @property
    def max_seq_length(self) -> int | None:
        """The longest sequence that the encoder takes; None for no limit (XLNet)."""
        names = ("max_position_embeddings", "max_sequence_length")
        longest = next((getattr(self.encoder, n) for n in names if hasattr(self.encoder, n)), None)
        if self.type == "bigbird" and longest is not None and self.encoder.block_size:
            return longest - longest % self.encoder.block_size  # It takes whole blocks alone.
        return longest

    @property
    def encoder(self) -> Any:
        """The configuration dataclass of the encoder's type."""
        return self.config.get()


def register_configurables() -> None:
    """Makes TF-NLP's encoder configurations bindable: `BertEncoderConfig.num_layers = 6`."""
    for name in ENCODER_TYPES:
        config_class = type(getattr(_DEFAULTS, name))
        if name != "any" and config_class.__name__ not in _registered:
            gin.external_configurable(config_class, module="encoders")
            _registered.add(config_class.__name__)


_registered: set[str] = set()


def read_architecture(
    encoder: settings.EncoderSettings, mlm: settings.MlmSettings, *, setting: str = _YAML_SETTING
) -> Architecture:
    """Resolves the settings.

    Args:
      encoder: Where the encoder's architecture comes from.
      mlm: What is said of the head.
      setting: The gin name of what named the YAML file, for errors.

    Raises:
      UserError: No or more than one source is set, or the source cannot be read or is wrong.
    """
    errors.raise_all(encoder.mistakes())
    files_read = (encoder.encoder_config_file, encoder.bert_config_file)
    versions = tuple(sharing.version(path) for path in files_read if path)
    key = (versions, repr(encoder), repr(mlm), setting, gin_state.of_encoders())
    return sharing.once("architecture", key, lambda: _read_architecture(encoder, mlm, setting))


def _read_architecture(
    encoder: settings.EncoderSettings, mlm: settings.MlmSettings, setting: str
) -> Architecture:
    if encoder.encoder_config_file:
        architecture = _from_yaml(encoder, setting)
    elif encoder.bert_config_file:
        architecture = _from_bert_json(encoder)
    elif encoder.bypassed:
        architecture = Architecture(tfnlp_encoders.EncoderConfig(), _TRAINERS_ACTIVATION, "gin")
    else:
        architecture = _from_gin(encoder)
    if mlm.mlm_activation is not None:
        architecture = dataclasses.replace(architecture, mlm_activation=mlm.mlm_activation)
    return dataclasses.replace(architecture, pooled_output=encoder.pooled_output)


def _from_yaml(encoder: settings.EncoderSettings, setting: str) -> Architecture:
    path = encoder.encoder_config_file or ""
    content = files.read_yaml(path, setting=setting)
    if "task" not in content:
        config = _of_file(encoder, content, path, setting)
        return Architecture(config, _own_activation(config), path)
    model = _member(content, ("task", "model"), path, setting)
    config = _of_file(encoder, _member(model, ("encoder",), path, setting), path, setting)
    return Architecture(config, model.get("mlm_activation", _own_activation(config)), path, True)


def _of_file(
    encoder: settings.EncoderSettings, content: Mapping[str, Any], path: str, setting: str
) -> tfnlp_encoders.EncoderConfig:
    if encoder.type is not None:
        encoder_type = _checked_type(encoder.type, setting="encoder.type")
        content = config_overrides.as_type(content, encoder_type)
    config = encoder_config(content, path, setting=setting, own=encoder.config)
    config_overrides.apply_gin(config)
    return config


def _member(
    content: Mapping[str, Any], names: tuple[str, ...], path: str, setting: str
) -> Mapping[str, Any]:
    value: Any = content
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        return value
    raise errors.UserError(
        "The params.yaml of a pre-training run must hold task.model.encoder.",
        received=f"{path} without {'.'.join(names)}",
        setting=setting,
    )


def _from_bert_json(encoder: settings.EncoderSettings) -> Architecture:
    path, setting = encoder.bert_config_file or "", "encoder.bert_config_file"
    content = files.read_json(path, setting=setting)
    missing = [key for key in _BERT_JSON_REQUIRED if key not in content]
    if missing:
        raise errors.UserError(
            f"A BERT configuration must hold {', '.join(_BERT_JSON_REQUIRED)}.",
            received=f"{path} without {', '.join(missing)}",
            setting=setting,
        )
    # Released files hold more keys ("directionality", "pooler_type", ...) that BERT never reads.
    values = {ours: content[key] for key, ours in _BERT_JSON_KEYS.items() if key in content}
    encoder_type = "bert"
    if "num_hidden_groups" in content:
        encoder_type = "albert"
        if "embedding_size" in values:
            values["embedding_width"] = values.pop("embedding_size")
        _check_one_group(content, path, setting)
    else:
        values.setdefault("type_vocab_size", _BERT_TYPE_VOCAB_SIZE)
    config = _of_file(encoder, {"type": encoder_type, encoder_type: values}, path, setting)
    return Architecture(config, _own_activation(config), path)


def _check_one_group(content: Mapping[str, Any], path: str, setting: str) -> None:
    for key in ("num_hidden_groups", "inner_group_num"):
        if content.get(key, 1) != 1:
            raise errors.UserError(
                "TF-NLP's ALBERT has one group of one layer, as all released ones have.",
                example=f'"{key}": 1',
                received=f'"{key}": {content[key]} in {path}',
                setting=setting,
            )


def _from_gin(encoder: settings.EncoderSettings) -> Architecture:
    config = tfnlp_encoders.EncoderConfig(type=_checked_type(encoder.type, setting="encoder.type"))
    expected = type(getattr(config, config.type))
    if not isinstance(encoder.config, expected):
        raise errors.UserError(
            f"encoder.config must be the configuration of encoder.type = {config.type!r}.",
            example=f"encoder.config = @{expected.__name__}()",
            received=repr(encoder.config),
            setting="encoder.config",
        )
    if config.type == "any":
        builders.require(encoder.config, setting="encoder.config")
    setattr(config, config.type, encoder.config)
    return Architecture(config, _own_activation(config), "gin")


def encoder_config(
    content: Mapping[str, Any], source: str, *, setting: str, own: Any = None
) -> tfnlp_encoders.EncoderConfig:
    """Loads an `EncoderConfig` strictly.

    Args:
      content: What the YAML file holds: "type" and the configuration of that type.
      source: The file, for errors.
      setting: The gin name that the file was bound to.
      own: The class of the configuration for type "any", or None.

    Raises:
      UserError: A name is unknown, or a value has the wrong type.
    """
    encoder_type = _checked_type(content.get("type", "bert"), setting=setting, source=source)
    config = tfnlp_encoders.EncoderConfig(type=encoder_type)
    if encoder_type == "any":
        config.any = builders.configuration(own, content.get("any"), source, setting=setting)
    errors.raise_all(config_values.mistakes(content, config, source, setting))
    try:
        config.override(dict(content), is_strict=True)
    except (TypeError, RecursionError) as error:
        raise errors.UserError(
            f"TF-NLP must be able to load the encoder's configuration; it says: {error}",
            received=source,
            setting=setting,
        ) from error
    return config


def _checked_type(encoder_type: Any, *, setting: str, source: str | None = None) -> str:
    if encoder_type in ENCODER_TYPES:
        return encoder_type
    raise errors.UserError(
        f"An encoder's type must be one of {', '.join(ENCODER_TYPES)}.",
        example="type: bert",
        received=f"type {encoder_type!r}" + (f" in {source}" if source else ""),
        setting=setting,
    )


def _own_activation(config: tfnlp_encoders.EncoderConfig) -> str | None:
    encoder = config.get()
    for name in ("hidden_activation", "inner_activation"):
        if hasattr(encoder, name):
            return getattr(encoder, name)
    return None
