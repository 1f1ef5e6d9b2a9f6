"""Why values of a checkpoint may stay out of an export, and the account of all values."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Mapping, Sequence

from exporter import errors, tensor_bundles

SETTING = "checks.ignored_values"
_VALUE_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_HEAD = "masked-language-model head, not exported"

# What a checkpoint may hold that is no part of an export, and why. Tried in this order.
_IGNORED = (
    (r"_CHECKPOINTABLE_OBJECT_GRAPH$", "graph of the checkpoint's objects"),
    (r".*/\.OPTIMIZER_SLOT/", "optimizer slot"),
    (r"(.*/)?_?optimizer/", "optimizer state"),
    (r"(save_counter|global_step|iterations)/", "step counter"),
    (r".*/(adam_[mv]|AdamWeightDecayOptimizer(_\d+)?|lamb_[mv])$", "optimizer slot"),
    (r"(global_step|.*beta[12]_power)$", "step counter"),
    (r"cls/seq_relationship/", "classification head, not exported"),
    (r"cls/predictions/", _HEAD),
    # TF-NLP's project token_dropping: its encoders are plain BERTs but in training.
    (r".*/_token_importance_embed/", "importance of tokens, for training only"),
    (r".*/\.ATTRIBUTES/OBJECT_CONFIG_JSON$", "Keras configuration"),
    (r"(model/|pretrainer/)?masked_lm/", _HEAD),
    (
        r"(encoder|model|pretrainer)/(.*/)?(_mask_embedding|mask_emb\.Smask_emb)/",
        "queries of XLNet's pre-training",
    ),
    (r"(model/|pretrainer/)?classification_heads/", "classification head, not exported"),
    (r"[\w-]+\.\.\w+/", "classification head, not exported"),
)


def reasons(
    keys: Iterable[str], *, with_head: bool, also_ignored: Sequence[str] = ()
) -> dict[str, str | None]:
    """Says why values that no variable takes stay out of an export.

    Args:
      keys: The values' keys in the checkpoint.
      with_head: Whether the masked-language-model head is exported.
      also_ignored: Regular expressions of whole keys that a user lets go, without the suffix
        that TensorFlow gives them.

    Returns:
      A reason for each key, or None where there is none.

    Raises:
      UserError: An expression is none, or fits nothing.
    """
    chosen = [_compiled(pattern) for pattern in also_ignored]
    found: dict[str, str | None] = {}
    used = set()
    for key in keys:
        reason = next((why for pattern, why in _IGNORED if re.match(pattern, key)), None)
        if reason == _HEAD and with_head:
            reason = None
        if reason is None:
            fitting = next((p for p in chosen if p.fullmatch(shown(key))), None)
            used.add(fitting)
            reason = None if fitting is None else f"chosen by {SETTING}"
        found[key] = reason
    idle = [pattern.pattern for pattern in chosen if pattern not in used]
    if idle:
        raise errors.UserError(
            f"Each expression of {SETTING} must fit values that have no other place.",
            example=f"{SETTING} = ['my_head/.*']",
            received=", ".join(map(repr, idle)),
            setting=SETTING,
        )
    return found


def counts(why: Mapping[str, str]) -> str:
    """Returns reasons and how many values have them, as one line."""
    counter = collections.Counter(why.values())
    return ", ".join(f"{count} {reason}" for reason, count in counter.items()) or "none"


def shown(key: str) -> str:
    """Returns a value's key without the suffix that TensorFlow gives it."""
    return key.removesuffix(_VALUE_SUFFIX)


def record(
    entries: Mapping[str, tensor_bundles.Entry],
    used: Mapping[str, str],
    why: Mapping[str, str],
    others: Mapping[str, str],
) -> str:
    """Returns a line of tab-separated text for each value of the checkpoint and each variable.

    Args:
      entries: The checkpoint's values.
      used: The variables that took a value, by the value's key.
      why: The reasons of the others, by key.
      others: Where variables have their values from that took none, by their names.
    """
    lines = ["what became of it\tvariable\tshape\tdtype\tvalue in the checkpoint"]
    for key, entry in sorted(entries.items(), key=lambda item: (item[0] not in used, item[0])):
        fate = "used" if key in used else f"ignored: {why[key]}"
        shape = "x".join(map(str, entry.shape)) or "scalar"
        lines.append(f"{fate}\t{used.get(key, '')}\t{shape}\t{entry.dtype.name}\t{shown(key)}")
    lines += [f"initialized: {source}\t{name}\t\t\t" for name, source in sorted(others.items())]
    return "\n".join(lines) + "\n"


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise errors.UserError(
            f"{SETTING} takes regular expressions of keys.",
            example=f"{SETTING} = ['my_head/.*']",
            received=f"{pattern!r} ({error})",
            setting=SETTING,
        ) from None
