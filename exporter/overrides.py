"""Whether an encoder is configured as the pre-training run recorded it in params.yaml.

Activation, order of norms and dropout show in no weight: a wrong one would make a wrong export of a
right checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter import (
    config_overrides,
    encoder_configs,
    errors,
    pretraining,
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
_MISSING = object()


def check(
    architecture: encoder_configs.Architecture,
    run: pretraining.Run,
    encoder: settings.EncoderSettings,
    allowed: Iterable[str],
) -> list[errors.UserError]:
    """Returns a mistake for each value that is not the run's.

    Args:
      architecture: The configuration.
      run: What the run recorded.
      encoder: Where the configuration comes from.
      allowed: Names of what may differ, as `pretraining.allow_overrides` has them.
    """
    if encoder.bypassed:  # Nothing of the configuration was used, then as now.
        return []
    mistakes = []
    allowed = list(allowed)
    for name, trained, now in _differences(architecture, run.model):
        if not pretraining_gin.is_allowed(name, allowed):
            mistake = pretraining_gin.override(name, trained, run.params_file, now)
            mistake.setting = _setting(name, architecture, encoder)
            mistakes.append(mistake)
    return mistakes


def _differences(
    architecture: encoder_configs.Architecture, model: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yields what differs: its name, its value in training and its value now."""
    recorded = _mapping(model.get("encoder"))
    trained_type = recorded.get("type", "bert")
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
