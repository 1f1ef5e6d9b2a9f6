"""What products depend on: see `products`."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable

import numpy as np
import tensorflow as tf

from exporter import plans, poolers, restorations, sharing


def common(plan: plans.Plan) -> Hashable:
    """Returns what decides something of each SavedModel: the vocabulary."""
    return sharing.version(plan.text.path), repr(plan.tokenizer)


def checks(plan: plans.Plan) -> Hashable:
    """Returns what decides how a SavedModel is verified, and its warm-up requests."""
    return plan.chosen.verify, repr(plan.chosen.warmup)


def values(restoration: restorations.Restoration, variables: Iterable[tf.Variable]) -> Hashable:
    """Returns what decides variables' values, but for those of a pooler that is made.

    Args:
      restoration: Where they come from.
      variables: Of an encoder that is built of the same architecture.
    """
    version = sharing.version(f"{restoration.checkpoint.prefix}.index")
    keys = tuple(restoration.keys.get(variable.ref()) for variable in variables)
    return version, restoration.weights, keys


def pooler(chosen: poolers.Pooler, shape: tuple[int, int] | None) -> Hashable:
    """Returns what decides a pooler's values.

    Args:
      chosen: Where they come from.
      shape: The kernel's `[D, D]` (D: hidden size), or None where there is no pooler.
    """
    digest = hashlib.sha256()
    if chosen.make_values is not None and shape is not None:
        for made in chosen.make_values(shape, shape[1:]):
            digest.update(np.asarray(made).tobytes())
    return chosen.name, chosen.checkpoint_item, digest.hexdigest()
