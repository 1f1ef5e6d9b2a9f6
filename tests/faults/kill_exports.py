"""Ends exports at random moments by a signal and looks at what is then under their names.

    python -m tests.faults.kill_exports --kills=50
    python -m tests.faults.kill_exports --kills=50 --signal=SIGTERM

runs from the project's folder: real commands on the bundled pre-training run, of all types, to a
new name and over an older export. After each kill there must be nothing, the complete old export
or the complete new one under the name, whose parts belong together; and the next export must sweep
away what the killed one left. After SIGTERM or SIGINT, nothing may be left at all. With --fork,
exports are forks of one process that has imported TensorFlow already, which saves some seconds
each.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import functools
import os
import pathlib
import random
import signal
import tempfile
import time
from collections.abc import Sequence

from tests.faults import running

# Not the name of a step: when the process starts.
_START = "start"
# The exit statuses of the processes that each signal ends; before the launcher listens, the
# system's.
_STATUSES = {
    signal.SIGKILL: (-signal.SIGKILL,),
    signal.SIGTERM: (143, -signal.SIGTERM),
    signal.SIGINT: (130, -signal.SIGINT),
}
_WORDS = {143: "terminated", 130: "interrupted"}


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to send the signal: so many seconds after a step has ended."""

    step: str
    seconds: float

    def __str__(self) -> str:
        return f"{1000 * self.seconds:.1f} ms after {self.step!r}"


class Killer:
    """Runs exports and ends them.

    Attributes:
      found: How often there was what under an export's name.
    """

    def __init__(
        self, start: running.Start, folder: pathlib.Path, seed: int, number: signal.Signals
    ) -> None:
        """Will write exports to a folder, and choose the moments by a seed.

        Args:
          start: Starts an export.
          folder: The folder.
          seed: The seed.
          number: The signal that ends exports.
        """
        self.found: collections.Counter[str] = collections.Counter()
        self._start = start
        self._folder = folder
        self._signal = number
        self._random = random.Random(seed)
        self._gaps: dict[str, dict[str, float]] = {}
        # What must be under the names.
        self._markers: dict[pathlib.Path, int | None] = {}

    def kill_one(self, export_type: str, *, overwrite: bool) -> None:
        """Starts an export, kills it and looks at what is there.

        Args:
          export_type: What to export.
          overwrite: Whether to a name that has an export, or to a new one.

        Raises:
          AssertionError: There is something else than must be.
        """
        if export_type not in self._gaps:
            self._measure(export_type)
        path = self._path(export_type, overwrite)
        before = self._markers.setdefault(path)
        marker = 1 - (before or 0)
        moment = self._moment(export_type)
        killed = self._kill(running.flags(export_type, path, marker), moment)
        after = running.examined(path)
        assert after in (before, marker), f"{path}: {after} after {before} and {marker}"

        outcome = "new" if after == marker else "old" if overwrite else "nothing"
        outcome += "" if killed else " (had ended)"
        self.found[outcome] += 1
        print(f"{path.name}, ended {moment}: {outcome}", flush=True)
        self._markers[path] = after
        if not overwrite and after is not None:
            path.rename(self._folder / f"set_aside_{self.found.total()}")
            self._markers[path] = None

    def sweep(self) -> int:
        """Exports once more to each name that has been used, after which nothing may be left over.

        Returns:
          How many killed exports had left something.
        """
        before = self._staging_folders()
        for path in sorted(self._markers):
            export = self._start(running.flags(path.name.partition("_")[2], path, 0))
            collections.deque(running.steps(export), maxlen=0)
            assert export.wait() == 0
            assert running.examined(path) == 0
        assert not self._staging_folders(), f"left by the next exports: {self._staging_folders()}"
        return len(before)

    def _path(self, export_type: str, overwrite: bool) -> pathlib.Path:
        return self._folder / f"{'old' if overwrite else 'new'}_{export_type}"

    def _staging_folders(self) -> list[str]:
        return [path.name for path in self._folder.iterdir() if ".staging-" in path.name]

    def _measure(self, export_type: str) -> None:
        """Finds out how long after each step's end the next one ends, or the process."""
        path = self._path(export_type, overwrite=True)
        begin = time.monotonic()
        export = self._start(running.flags(export_type, path, 0))
        steps = [(_START, begin), *((step, time.monotonic()) for step in running.steps(export))]
        status = export.wait()
        assert status == 0, f"an export that nobody killed ended with status {status}"
        ends = [end for _, end in steps[1:]] + [time.monotonic()]
        gaps = {step: end - begin for (step, begin), end in zip(steps, ends, strict=True)}
        self._gaps[export_type] = gaps
        self._markers[path] = 0

    def _moment(self, export_type: str) -> Moment:
        """Chooses a moment: every step is as likely, however long it takes."""
        gaps = self._gaps[export_type]
        step = self._random.choice(sorted(gaps))
        return Moment(step, self._random.uniform(0, 1.1) * gaps[step])

    def _kill(self, flags: Sequence[str], moment: Moment) -> bool:
        """Returns whether an export was killed; false if it had ended by then."""
        export = self._start(flags)
        steps = running.steps(export)
        if moment.step != _START:
            next((step for step in steps if step == moment.step), None)
        time.sleep(moment.seconds)
        os.kill(export.pid, self._signal)
        told = "".join(export.stderr or ())
        status = export.wait()
        statuses = _STATUSES[self._signal]
        assert status in (0, *statuses), f"ended {moment}, it had status {status}: {told}"
        word = _WORDS.get(status)  # The last one: TensorFlow may say before what it was doing.
        if word is not None and told:  # The launcher listened.
            assert told.endswith(f"{word}\n"), f"ended {moment}: {told}"
        if self._signal != signal.SIGKILL:
            assert not self._staging_folders(), f"ended {moment}, it left something: {told}"
        return status != 0


def main() -> None:
    """Kills as many exports as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    names = [number.name for number in _STATUSES]
    parser.add_argument("--signal", choices=names, default=names[0])
    parser.add_argument("--fork", action="store_true", help="fork instead of starting anew")
    parser.add_argument("--export_type", action="append", choices=running.EXPORT_TYPES)
    arguments = parser.parse_args()
    export_types = arguments.export_type or running.EXPORT_TYPES
    running.import_all()
    with tempfile.TemporaryDirectory() as folder:
        start: running.Start = running.process
        if arguments.fork:
            start = functools.partial(running.Fork, supervised=True)
        number = signal.Signals[arguments.signal]
        killer = Killer(start, pathlib.Path(folder).resolve(), arguments.seed, number)
        for i in range(arguments.kills):
            which = i % len(export_types)
            killer.kill_one(export_types[which], overwrite=i // len(export_types) % 2 == 1)
        left = killer.sweep()
    print(", ".join(f"{count} times {found}" for found, count in sorted(killer.found.items())))
    print(f"{left} left something in staging, which the next exports removed")


if __name__ == "__main__":
    main()
