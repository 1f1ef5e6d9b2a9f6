"""Which job goes to which process, for launchers that have several."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from exporter.sweep import jobs

# What a process needs beside weights, and how many times the weights, at most: 0.78 GB was measured
# for a tiny encoder and 2.47 GB for 0.44 GB of weights, verified, however many points there are.
_BYTES = 800_000_000
_TIMES_WEIGHTS = 4


def memory(weights: int) -> int:
    """Returns how many bytes of memory a process needs.

    Args:
      weights: The size of the largest checkpoint that it exports.
    """
    return _BYTES + _TIMES_WEIGHTS * weights


class Queue:
    """Jobs by what they share: each process goes on with what it has loaded while there is more.

    Args:
      planned: The jobs.
    """

    def __init__(self, planned: Sequence[jobs.Job]) -> None:
        self._groups: dict[str, collections.deque[jobs.Job]] = {}
        for job in planned:
            self._groups.setdefault(job.group, collections.deque()).append(job)
        self._begun: set[str] = set()

    def next(self, group: str | None, room: int | None = None) -> jobs.Job | None:
        """Takes a job.

        Args:
          group: What the process has loaded.
          room: The size of the largest checkpoint that it has memory for; None for any.

        Returns:
          None if there is no more.
        """
        if group is not None and self._groups.get(group):
            return self._groups[group].popleft()
        rest = {
            name: waiting
            for name, waiting in self._groups.items()
            if waiting and (room is None or waiting[0].weights <= room)
        }
        fresh = [name for name in rest if name not in self._begun]
        if fresh:
            self._begun.add(fresh[0])
            return rest[fresh[0]].popleft()
        # The other end: neighbours have most in common.
        return max(rest.values(), key=len).pop() if rest else None

    def put_back(self, job: jobs.Job) -> None:
        """Makes a job the next one of its group."""
        self._groups[job.group].appendleft(job)

    def weights(self) -> list[int]:
        """Returns the sizes of the checkpoints of the jobs that wait, the largest first."""
        waiting = (job.weights for group in self._groups.values() for job in group)
        return sorted(waiting, reverse=True)
