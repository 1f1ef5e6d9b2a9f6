"""Numbers in an encoder's configuration that cannot be right, told before anything is built."""

from __future__ import annotations

import math
from typing import Any

import gin

from exporter import checkpoints, config_overrides, encoder_configs, errors, structures

# Whatever is built so many times: one layer takes some hundredths of a second.
_REPEATED = (*structures.FIELDS["layers"], "num_feedforward_networks")
_MOST_REPEATED = 1000
_POSITIVE = (*structures.FIELDS["hidden size"], *structures.FIELDS["vocabulary"])
_HEADS = structures.FIELDS["attention heads"]
_SIZES = tuple(
    name
    for of in ("hidden size", "inner size", "vocabulary", "embedding size", "positions", "types")
    for name in structures.FIELDS[of]
)
_ALWAYS_POSSIBLE = 1_000_000
# All layers of these have the same values.
_SHARING_LAYERS = ("albert",)
_DROPOUT = "dropout"
_BUILD_ENCODER = "official.nlp.configs.encoders.build_encoder"


def mistakes(architecture: encoder_configs.Architecture, setting: str) -> list[errors.UserError]:
    """Returns the mistakes that the configuration alone tells.

    Args:
      architecture: The encoder on paper; not of a class of a user's own, nor made by gin.
      setting: The gin name of what named its file.
    """
    encoder = architecture.encoder
    rules = {
        name: rule
        for name, value in encoder.as_dict().items()
        if (rule := _rule(name, value, encoder)) is not None
    }
    return [_mistake(name, rule, architecture, setting) for name, rule in rules.items()]


def misfits(
    architecture: encoder_configs.Architecture, checkpoint: checkpoints.Checkpoint, setting: str
) -> list[errors.UserError]:
    """Returns the sizes that are beyond all that a checkpoint has.

    Others are compared value by value when the encoder was built.

    Args:
      architecture: As `mistakes` takes it.
      checkpoint: The checkpoint.
      setting: As `mistakes` takes it.
    """
    count = len(checkpoint.entries)
    largest = max((math.prod(e.shape) for e in checkpoint.entries.values()), default=0)
    found = []
    for name, value in architecture.encoder.as_dict().items():
        if not isinstance(value, int):
            continue
        shares = architecture.type in _SHARING_LAYERS
        if name in structures.FIELDS["layers"] and value > count and not shares:
            rule = f"must not be larger than the number of values in the checkpoint, {count}"
        elif name in _SIZES and value > max(largest, _ALWAYS_POSSIBLE):
            rule = f"must not be larger than the largest value in the checkpoint, {largest} numbers"
        else:
            continue
        found.append(_mistake(name, rule, architecture, setting, checkpoint.prefix))
    return found


def _rule(name: str, value: Any, encoder: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if _DROPOUT in name and not 0 <= value <= 1:
        return "must be a number from 0 to 1"
    if not math.isfinite(value):
        return "must be a finite number"
    if name in _REPEATED and not 0 <= value <= _MOST_REPEATED:
        return f"must be from 0 to {_MOST_REPEATED}"
    if name in _POSITIVE and value < 1:
        return "must be at least 1"
    if name in _HEADS and value < 1 and _has_attention(encoder):
        return "must be at least 1"
    return None


def _has_attention(encoder: Any) -> bool:
    """Whether heads are asked for: FNet and sparse mixers may do without, and gin's own layers."""
    known = gin.config._REGISTRY.matching_selectors(_BUILD_ENCODER)
    if known and gin.get_bindings(_BUILD_ENCODER, resolve_references=False):
        return False
    return bool(getattr(encoder, "attention_layers", True))


def _mistake(
    name: str, rule: str, architecture: encoder_configs.Architecture, setting: str, than: str = ""
) -> errors.UserError:
    encoder = architecture.encoder
    default = getattr(type(encoder)(), name)
    return errors.UserError(
        f"{name} in the encoder's configuration {rule}.",
        example=f"{name}: {default!r}",
        received=f"{name}: {getattr(encoder, name)!r} in {architecture.source}"
        + (f", with {than}" if than else ""),
        setting=config_overrides.bound_fields(encoder).get(name, setting),
    )
