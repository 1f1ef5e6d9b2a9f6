"""What was measured: for each figure, some values of each contender."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from benchmarks import commands


@dataclasses.dataclass(frozen=True)
class Figure:
    """A line of the table.

    Attributes:
      name: What is measured.
      unit: "s", "ms", "us", "MB", "lines/s", "pairs/s", "sentences/s" or "times".
      more_is_better: Whether a ratio above 1 is good.
    """

    name: str
    unit: str
    more_is_better: bool = False


class Samples:
    """The values of several figures, each measured several times, in the order of their coming."""

    def __init__(self) -> None:
        self._values: dict[Figure, dict[str, list[float]]] = {}

    def add(self, figure: Figure, values: Mapping[str, float]) -> None:
        """Adds a value of each contender."""
        of_figure = self._values.setdefault(figure, {name: [] for name in commands.CONTENDERS})
        for contender in commands.CONTENDERS:
            of_figure[contender].append(values[contender])

    def summaries(self) -> list[Summary]:
        """Returns one summary a figure."""
        return [
            Summary(figure, *(Spread.of(values[name]) for name in commands.CONTENDERS))
            for figure, values in self._values.items()
        ]


@dataclasses.dataclass(frozen=True)
class Spread:
    """Values of the same thing.

    Attributes:
      median: Their median.
      min: The smallest.
      max: The largest.
      values: All, in the order in which they were measured.
    """

    median: float
    min: float
    max: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Returns the spread of some values, at least one."""
        return cls(statistics.median(values), min(values), max(values), tuple(values))


@dataclasses.dataclass(frozen=True)
class Summary:
    """A figure's values.

    Attributes:
      figure: Which figure.
      predecessor: The predecessor's.
      exporter: The exporter's.
    """

    figure: Figure
    predecessor: Spread
    exporter: Spread

    @property
    def ratio(self) -> float:
        """The exporter's median divided by the predecessor's."""
        return self.exporter.median / self.predecessor.median
