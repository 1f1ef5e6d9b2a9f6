"""SavedModels that several exports of a sweep have in common: written and verified once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable

import numpy as np

from exporter import manifests, plans, poolers, reports, restorations, shared_files, sharing

# Reports and digests are small.
_KEPT = 64


@dataclasses.dataclass(frozen=True)
class Product:
    """A SavedModel that is complete but for its manifest.

    Attributes:
      report: What was verified, or None.
      digests: Its files' sizes and digests, by relative path.
    """

    report: reports.Report | None
    digests: shared_files.Digests


def make(key: Hashable, path: str, write: Callable[[], reports.Report | None]) -> Product:
    """Writes and verifies a SavedModel, or links the files of one that is equal.

    Args:
      key: All that it depends on.
      path: Its folder, where nothing is yet.
      write: Writes and verifies it; raises if it is not what it came from.
    """
    folder = sharing.folder()
    if folder is None:
        return _written(path, write)
    written = []

    def fresh() -> Product:
        product = _written(path, write)
        shared_files.add(folder, path, product.digests)
        written.append(product)
        return product

    product = sharing.once("product", key, fresh, keep=_KEPT)
    if not written and not shared_files.place(folder, path, product.digests):
        return fresh()
    return product


def _written(path: str, write: Callable[[], reports.Report | None]) -> Product:
    return Product(write(), manifests.digests(path))


def common_key(plan: plans.Plan) -> Hashable:
    """Returns what decides something of each SavedModel: vocabulary, verification and warm-up."""
    chosen = plan.chosen
    version = sharing.version(plan.text.path)
    return version, repr(plan.tokenizer), chosen.verify, repr(chosen.warmup)


def values_key(restoration: restorations.Restoration) -> Hashable:
    """Returns what decides the values of an encoder's variables."""
    version = sharing.version(f"{restoration.checkpoint.prefix}.index")
    return version, restoration.weights, tuple(sorted(restoration.keys.values()))


def pooler_key(pooler: poolers.Pooler, shape: tuple[int, int] | None) -> Hashable:
    """Returns what decides a pooler's values.

    Args:
      pooler: Where they come from.
      shape: The kernel's `[D, D]` (D: hidden size), or None where there is no pooler.
    """
    values = b""
    if pooler.make_values is not None and shape is not None:
        values = b"".join(np.asarray(v).tobytes() for v in pooler.make_values(shape, shape[1:]))
    return pooler.name, pooler.checkpoint_item, values
