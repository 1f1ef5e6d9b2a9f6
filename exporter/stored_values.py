"""Looks at a checkpoint's values while they are copied, so that nothing is read twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from exporter import errors, tensor_bundles

_SHOWN = 5


@dataclasses.dataclass
class Statistics:
    """What is known of one tensor's values.

    Attributes:
      lowest: The least finite value.
      highest: The greatest finite value.
      num_values: How many values were seen.
      num_not_finite: How many of them are NaN or infinite.
    """

    lowest: float = float("inf")
    highest: float = float("-inf")
    num_values: int = 0
    num_not_finite: int = 0

    @property
    def constant(self) -> float | None:
        """The value that all have, or None."""
        is_constant = self.lowest == self.highest and not self.num_not_finite
        return self.lowest if is_constant else None

    def add(self, values: np.ndarray) -> None:
        """Takes more values, float `[N]` (N: how many), into account."""
        self.num_values += values.size
        lowest, highest = float(values.min()), float(values.max())
        if not (np.isfinite(lowest) and np.isfinite(highest)):
            finite = np.isfinite(values)
            self.num_not_finite += int(values.size - np.count_nonzero(finite))
            values = values[finite]
            if not values.size:
                return
            lowest, highest = float(values.min()), float(values.max())
        self.lowest, self.highest = min(self.lowest, lowest), max(self.highest, highest)


class Watch:
    """Sees the bytes of tensors as they pass.

    Attributes:
      statistics: What was seen of each tensor of floating-point numbers.
    """

    def __init__(self) -> None:
        self.statistics: dict[tensor_bundles.Entry, Statistics] = {}

    def __call__(self, entry: tensor_bundles.Entry, piece: bytes) -> None:
        """Takes a slice of a tensor, which ends where a value does, into account."""
        if entry.dtype.is_floating and piece:
            values = np.frombuffer(piece, entry.dtype.as_numpy_dtype)
            seen = self.statistics.setdefault(entry, Statistics())
            if seen.num_values * values.itemsize < entry.size:  # Or all were seen before.
                seen.add(values)

    def told(self, entries: Iterable[tensor_bundles.Entry]) -> list[list[float] | None]:
        """Returns what was seen of each tensor, as JSON knows it."""
        seen = (self.statistics.get(entry) for entry in entries)
        return [None if one is None else list(dataclasses.astuple(one)) for one in seen]

    def tell(
        self, entries: Iterable[tensor_bundles.Entry], told: Iterable[Sequence[Any] | None]
    ) -> None:
        """Takes into account what was seen of tensors elsewhere.

        Args:
          entries: The tensors.
          told: What `told` returned for them there.
        """
        for entry, one in zip(entries, told, strict=True):
            if one is not None:
                self.statistics[entry] = Statistics(*one)

    def require_finite(
        self, names: Mapping[tensor_bundles.Entry, str], *, received: str, setting: str
    ) -> None:
        """Raises if a value is NaN or infinite.

        Args:
          names: What to call the tensors.
          received: The checkpoint, for the error.
          setting: The gin name that it was bound to.

        Raises:
          UserError: With the tensors' names and how many values of each.
        """
        bad = [
            f"{names[entry]} ({seen.num_not_finite} of {seen.num_values})"
            for entry, seen in self.statistics.items()
            if seen.num_not_finite and entry in names
        ]
        if bad:
            more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
            raise errors.UserError(
                "All weights must be finite; these are NaN or infinite, because training diverged "
                "or the file is damaged.",
                example="a checkpoint of an earlier step",
                received=f"{received}: {', '.join(bad[:_SHOWN])}{more}",
                setting=setting,
            )
