"""Whether an encoder is configured as the pre-training run recorded it in params.yaml.

Activation, order of norms and dropout show in no weight: a wrong one would make a wrong export of a
right checkpoint.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import gin
import tensorflow as tf

from exporter import (
    checkpoints,
    config_overrides,
    encoder_configs,
    errors,
    files,
    gin_parsing,
    pretraining_gin,
    settings,
)

# What says how to train or what else to return, and changes no output.
_HARMLESS = (
    *("initializer_range", "use_gradient_checkpointing"),
    *("return_all_encoder_outputs", "return_attention_scores", "return_word_embeddings"),
)
# Types that compute the same. "any" is whatever its builder is, which params.yaml does not say.
_EQUAL = ({"bert", "bert_v2"},)
# What is active in training only.
_DROPOUT = "dropout"
_MISSING = object()

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Record:
    """What a pre-training run recorded of what it trained.

    Attributes:
      model: `task.model`, as it stands in params.yaml.
      params_file: That file.
      named: Whether the user named the run, and not only a checkpoint in it.
    """

    model: Mapping[str, Any]
    params_file: str
    named: bool = True


def beside(checkpoint: str) -> Record | None:
    """Finds the record of the run that a checkpoint lies in.

    Args:
      checkpoint: The checkpoint's prefix.

    Returns:
      None where there is no params.yaml, or none of a run.
    """
    params_file = f"{_run_folder(checkpoint)}/params.yaml"
    if not tf.io.gfile.exists(params_file):
        return None
    try:
        params = files.read_yaml(params_file, setting=checkpoints.SETTING)
    except errors.UserError as error:
        _logger.info("Not compared with what is beside the checkpoint: %s", error.received)
        return None
    return Record(_mapping(_mapping(params.get("task")).get("model")), params_file, named=False)


def check_gin(checkpoint: str, allowed: Iterable[str]) -> list[errors.UserError]:
    """Returns a mistake for each difference to the gin of the run that a checkpoint lies in.

    Args:
      checkpoint: The checkpoint's prefix.
      allowed: Names of what may differ, as `pretraining.allow_overrides` has them.
    """
    record = pretraining_gin.read_folder(_run_folder(checkpoint), checkpoint)
    if record is None:
        return []
    applied = gin_parsing.parse([], [gin_parsing.Source(gin.config_str(), "gin")])
    return pretraining_gin.check_unapplied(record.parsed.bindings, applied.bindings, allowed)


def _run_folder(checkpoint: str) -> str:
    """The folder of the run that a checkpoint is of: its own, or the one above for best ones."""
    folder, _, name = checkpoint.rpartition("/")
    if name.startswith("best_ckpt-"):
        folder = folder.rpartition("/")[0]
    return folder or "."


def check(
    architecture: encoder_configs.Architecture,
    record: Record,
    encoder: settings.EncoderSettings,
    allowed: Iterable[str],
) -> list[errors.UserError]:
    """Returns a mistake for each value that is not the run's.

    Args:
      architecture: The configuration.
      record: What the run recorded.
      encoder: Where the configuration comes from.
      allowed: Names of what may differ, as `pretraining.allow_overrides` has them.
    """
    if encoder.bypassed:  # Nothing of the configuration was used, then as now.
        return []
    mistakes = []
    allowed = list(allowed)
    for name, trained, now in _differences(architecture, record.model):
        mistake = pretraining_gin.override(name, trained, record.params_file, now)
        if not record.named and _DROPOUT in name:
            _logger.warning("%s", mistake.received)
        elif not pretraining_gin.is_allowed(name, allowed):
            mistake.setting = _setting(name, architecture, encoder)
            mistakes.append(mistake)
    return mistakes


def _differences(
    architecture: encoder_configs.Architecture, model: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yields what differs: its name, its value in training and its value now."""
    recorded = _mapping(model.get("encoder"))
    trained_type = recorded.get("type", architecture.type)
    if not _same_type(trained_type, architecture.type):
        yield "type", trained_type, architecture.type
    else:
        for name, trained in _mapping(recorded.get(trained_type)).items():
            now = getattr(architecture.encoder, str(name), _MISSING)
            if now is not _MISSING and name not in _HARMLESS and not _same(trained, now):
                yield str(name), trained, now
    trained = model.get("mlm_activation", architecture.mlm_activation)
    if trained != architecture.mlm_activation:
        yield "mlm_activation", trained, architecture.mlm_activation


def _mapping(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, Mapping) else {}


def _same_type(trained: Any, now: str) -> bool:
    return trained in ("any", now) or any({trained, now} <= equal for equal in _EQUAL)


def _same(trained: Any, now: Any) -> bool:
    if isinstance(trained, list | tuple) and isinstance(now, list | tuple):
        return list(trained) == list(now)
    return bool(trained == now)


def _setting(
    name: str, architecture: encoder_configs.Architecture, encoder: settings.EncoderSettings
) -> str:
    """Returns the gin name of what decides a field."""
    if name == "mlm_activation":
        return "mlm.mlm_activation"
    if name == "type" and encoder.type is not None:
        return "encoder.type"
    bound = config_overrides.bound_fields(architecture.encoder)
    return bound.get(name, encoder.sources[0])
