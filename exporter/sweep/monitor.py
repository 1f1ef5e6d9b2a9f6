"""How far a sweep is: one line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import collections
import time
from typing import TextIO

from exporter.sweep import launchers

_WIDTH = 99


class Monitor:
    """Shows what happens.

    Attributes:
      counts: How many exports ended how, by status.
    """

    def __init__(self, count: int, skipped: int, stream: TextIO) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self._count = count
        self._skipped = skipped
        self._running: set[str] = set()
        self._waiting: set[str] = set()
        self._stream = stream
        self._terminal = stream.isatty()
        self._start = time.monotonic()

    def see(self, event: launchers.Event) -> None:
        """Shows an event."""
        self._waiting.discard(event.job.name)
        if event.note is not None:
            self._running.discard(event.job.name)
            self._tell(f"{event.job.name}: {event.note}")
        elif event.waits:
            self._running.discard(event.job.name)
            self._waiting.add(event.job.name)
        elif event.state is None:
            self._running.add(event.job.name)
        else:
            self._running.discard(event.job.name)
            self.counts[event.state.status] += 1
            message = (event.state.message or "").split("\n")[0]
            seconds = f" in {event.state.seconds:.1f} s" if event.state.seconds else ""
            told = f"{event.job.name}: {event.state.status}{seconds}"
            if message or not self._terminal:
                self._tell(f"{told}: {message}" if message else f"{told}; {self.line()}")
        if self._terminal:
            print(f"\r\x1b[K{self.line()[:_WIDTH]}", end="", file=self._stream, flush=True)

    def end(self) -> None:
        """Leaves the last line as it is."""
        if self._terminal:
            print(file=self._stream)

    def line(self) -> str:
        """Returns how far the sweep is."""
        ended = sum(self.counts.values())
        parts = [
            f"{self._skipped + ended}/{self._skipped + self._count} done",
            f"{len(self._running)} running",
            f"{self.counts['failed']} failed",
        ]
        if self._waiting:
            parts.insert(2, f"{len(self._waiting)} waiting for another sweep")
        if 0 < ended < self._count:
            seconds = (time.monotonic() - self._start) / ended * (self._count - ended)
            parts.append(f"{_shown(seconds)} left")
        return ", ".join(parts)

    def _tell(self, line: str) -> None:
        clear = "\r\x1b[K" if self._terminal else ""
        print(f"{clear}{line}", file=self._stream, flush=True)


def _shown(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
