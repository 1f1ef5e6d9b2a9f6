"""Which job goes to which process, for launchers that have several."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from exporter.sweep import jobs

# What a process needs beside weights, and how many times the weights, at most: 0.78 GB was measured
# for a tiny encoder and 3.18 GB for 0.44 GB of weights, verified, however many points there are.
_BYTES = 800_000_000
_TIMES_WEIGHTS = 6

# Jobs of one group by their graphs.
_Blocks = dict[str, collections.deque[jobs.Job]]


def memory(weights: int) -> int:
    """Returns how many bytes of memory a process needs.

    Args:
      weights: The size of the largest checkpoint that it exports.
    """
    return _BYTES + _TIMES_WEIGHTS * weights


def in_order(planned: Iterable[jobs.Job]) -> list[jobs.Job]:
    """Returns the jobs in the order in which one process would take them."""
    queue = Queue(planned)
    found: list[jobs.Job] = []
    while (job := queue.next(found[-1] if found else None)) is not None:
        found.append(job)
    return found


def _grouped(planned: Iterable[jobs.Job]) -> dict[str, _Blocks]:
    groups: dict[str, _Blocks] = {}
    for job in planned:
        block = groups.setdefault(job.group, {}).setdefault(job.graphs, collections.deque())
        block.append(job)
    return groups


class Queue:
    """Jobs by what they share: each process goes on with what it has loaded while there is more.

    Args:
      planned: The jobs.
    """

    def __init__(self, planned: Iterable[jobs.Job]) -> None:
        # Nothing in it is empty.
        self._groups = _grouped(planned)
        self._begun_groups: set[str] = set()
        self._begun_blocks: set[tuple[str, str]] = set()

    def next(self, last: jobs.Job | None, room: int | None = None) -> jobs.Job | None:
        """Takes a job.

        Args:
          last: What the process has done last, and so has loaded.
          room: The size of the largest checkpoint that it has memory for; None for any.

        Returns:
          None if there is no more.
        """
        if last is not None and last.group in self._groups:
            return self._take(last.group, last.graphs)
        group = self._other(room)
        if group is None:
            return None
        goes_on = last is not None and (group, last.graphs) not in self._begun_blocks
        return self._take(group, last.graphs if last is not None and goes_on else None)

    def put_back(self, job: jobs.Job) -> None:
        """Makes a job the next one of its group that is begun."""
        blocks = self._groups.get(job.group, {})
        block = blocks.pop(job.graphs, collections.deque())
        if not block:  # Else somebody may be at it.
            self._begun_blocks.discard((job.group, job.graphs))
        block.appendleft(job)
        self._groups[job.group] = {job.graphs: block, **blocks}

    def _other(self, room: int | None) -> str | None:
        """Returns a group that nobody has begun, or else the one with most graphs left."""
        fitting = (
            name
            for name, blocks in self._groups.items()
            if room is None or next(iter(blocks.values()))[0].weights <= room
        )
        begun = []
        for name in fitting:
            if name not in self._begun_groups:
                return name
            begun.append(name)
        return max(begun, key=lambda name: len(self._groups[name]), default=None)

    def _take(self, group: str, graphs: str | None = None) -> jobs.Job:
        """Takes a job of a group, of these graphs if there is one, else of some nobody has begun.

        Two processes that begin the same graphs would both make them.
        """
        blocks = self._groups[group]
        if graphs not in blocks:
            fresh = (name for name in blocks if (group, name) not in self._begun_blocks)
            graphs = next(fresh, None)
        if graphs is None:
            graphs = max(blocks, key=lambda name: len(blocks[name]))
        self._begun_groups.add(group)
        self._begun_blocks.add((group, graphs))
        job = blocks[graphs].popleft()
        if not blocks[graphs]:
            del blocks[graphs]
        if not blocks:
            del self._groups[group]
        return job

    def weights(self) -> list[int]:
        """Returns the sizes of the checkpoints of the jobs that wait, the largest first."""
        blocks = (block for group in self._groups.values() for block in group.values())
        return sorted((job.weights for block in blocks for job in block), reverse=True)
