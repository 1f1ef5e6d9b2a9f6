"""Times functions in turn."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence

_MIN_CALLS = 5
_MAX_CALLS = 200
_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class Seconds:
    """What a call takes.

    Attributes:
      wall: From its start to its end.
      processor: Of all cores together. What else the machine does disturbs it less.
    """

    wall: float
    processor: float


def in_turn(functions: Sequence[Callable[[], object]], calls: int | None = None) -> list[Seconds]:
    """Calls functions in turn and returns the medians of each.

    Args:
      functions: What to call; each has been called before.
      calls: How often, or None for as many as some seconds have room for.
    """
    if calls is None:
        spent = sum(_seconds(function).wall for function in functions)
        calls = min(_MAX_CALLS, max(_MIN_CALLS, round(_SECONDS / spent)))
    rounds = [[_seconds(function) for function in functions] for _ in range(calls)]
    return [
        Seconds(
            statistics.median(one.wall for one in spent),
            statistics.median(one.processor for one in spent),
        )
        for spent in zip(*rounds, strict=True)
    ]


def _seconds(function: Callable[[], object]) -> Seconds:
    start, processor = time.perf_counter(), time.process_time()
    function()
    return Seconds(time.perf_counter() - start, time.process_time() - processor)
