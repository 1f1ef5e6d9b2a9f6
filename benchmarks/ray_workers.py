"""How much faster a sweep on Ray is with two workers than with one, on this machine.

    .venv-ray/bin/python -m benchmarks.ray_workers --rounds=3

Each point is an encoder with another pooler, built, written and verified; all else is planning,
starting Ray and starting workers, which both sweeps do. With --source the points are those of a
folder that `benchmarks.make_source` has made, else of the bundled run.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading
import time

from benchmarks import processes, sources

_RUN = sources.ROOT / "tests" / "testdata" / "bert_tiny"
_SWEEP = """
sweep.launcher = @ray()
ray.num_workers = {workers}
tokenizer.vocab_file = '{vocabulary}'
tokenizer.do_lower_case = True
checkpoint.model_checkpoint_path = '{checkpoint}'
encoder.encoder_config_file = '{encoder}'
export.export_type = 'model'
export.pooler = @initialized_pooler
sweep.points = @axis()
axis.name = 'initialized_pooler.seed'
axis.values = {seeds}
"""


class _Peak(threading.Thread):
    """Watches how much memory workers have had, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._end = threading.Event()

    def run(self) -> None:
        """Looks now and then."""
        while not self._end.wait(0.3):
            for path in pathlib.Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError, IndexError):  # It has ended meanwhile.
                    self._look(path)

    def _look(self, process: pathlib.Path) -> None:
        if (process / "cmdline").read_bytes().startswith(b"ray::SweepWorker"):
            status = (process / "status").read_text()
            self.bytes = max(self.bytes, int(status.partition("VmHWM:")[2].split()[0]) * 1024)

    def stop(self) -> int:
        """Ends, and returns the largest."""
        self._end.set()
        self.join()
        return self.bytes


def _sweep(folder: pathlib.Path, workers: int, points: int, source: pathlib.Path | None) -> float:
    """Returns how many seconds a sweep took."""
    found = None if source is None else sources.Source(source)
    text = _SWEEP.format(
        workers=workers,
        vocabulary=_RUN / "vocab.txt" if found is None else found.vocabulary,
        checkpoint=_RUN if found is None else found.checkpoint,
        encoder=_RUN / "params.yaml" if found is None else found.encoder_config,
        seeds=list(range(points)),
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "sweep.gin").write_text(text)
    flags = ["--mode=sweep", f"--gin_file={folder}/sweep.gin", f"--export_path={folder}/out"]
    launch = str(sources.ROOT / "launch.py")
    return processes.run([sys.executable, launch, *flags], folder / "log.txt").seconds


def main() -> None:
    """Prints the times of each round, and their ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--source", type=pathlib.Path)
    arguments = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(arguments.rounds):
            peak = _Peak()
            peak.start()
            one, two = (
                _sweep(pathlib.Path(folder) / "sweep", n, arguments.points, arguments.source)
                for n in (1, 2)
            )
            ratios.append(one / two)
            print(
                f"{time.strftime('%H:%M:%S')} round {index + 1}: 1 worker {one:.1f} s, 2 workers "
                f"{two:.1f} s: {ratios[-1]:.2f}; a worker at most {peak.stop() / 1e6:.0f} MB",
                flush=True,
            )
    print(f"2 workers are {statistics.median(ratios):.2f} times as fast as 1 (median)")


if __name__ == "__main__":
    main()
