"""Measures sweeps over the bundled run: how fast points are planned and exported, and in what room.

    python -m benchmarks.sweeps --planned=1000 --exported=100

Exports are of `all`, verified, 2 poolers by as many sequence lengths, in as many processes as there
are cores and memory for, and then a few in one process alone. Times are told in units of what
`import tensorflow` takes, too, for machines differ.
"""

from __future__ import annotations

import pathlib
import statistics
import sys
import tempfile
from collections.abc import Sequence

from absl import app, flags

from benchmarks import processes, sources

_PLANNED = flags.DEFINE_integer("planned", 1000, "How many points are planned.", lower_bound=2)
_EXPORTED = flags.DEFINE_integer("exported", 100, "How many points are exported.", lower_bound=2)
_ALONE = flags.DEFINE_integer(
    "alone",
    12,
    "How many points are exported in one process, and then twice as many.",
    lower_bound=2,
)
_RUN = sources.ROOT / "tests" / "testdata" / "bert_tiny"
_IMPORT = (sys.executable, "-c", "import tensorflow")
_WAYS = ("equal_size", "longest_first", "first_only", "waterfall")
_LONGEST = 128
_FEWEST = 2  # Points.


def command(folder: pathlib.Path, points: int, *more: str) -> list[str]:
    """Returns the command of a sweep over about so many points.

    Args:
      folder: Where to.
      points: At most 8 for each sequence length up to 128.
      *more: More flags.
    """
    ways = _WAYS if points > 2 * (_LONGEST - 8) else _WAYS[:1]
    count = points // (2 * len(ways))
    params = (
        "product.parts = [@pooler/axis(), @way/axis(), @length/axis()]",
        "pooler/axis.values = [@restored_pooler, @identity_pooler]",
        "way/axis.name = 'preprocessing.truncation'",
        f"way/axis.values = {list(ways)}",
        f"length/axis.values = {list(range(_LONGEST, _LONGEST - count, -1))}",
    )
    return [
        sys.executable,
        str(sources.ROOT / "launch.py"),
        *("--mode=sweep", "--gin_file=configs/sweeps/poolers_lengths.gin", "--do_lower_case=true"),
        *(f"--pretraining_dir={_RUN}", f"--vocab_file={_RUN}/vocab.txt", f"--export_path={folder}"),
        *(f"--gin_params={line}" for line in params),
        *more,
    ]


def main(argv: Sequence[str]) -> None:
    """Measures, and prints one line for each figure."""
    del argv
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        imports = [processes.run(_IMPORT, folder / "log.txt").seconds for _ in range(3)]
        unit = statistics.median(imports)
        print(f"`import tensorflow`: {unit:.1f} s")
        two, planned = (_run(folder, "p", n, "--dry_run") for n in (_FEWEST, _PLANNED.value))
        print(
            f"{_PLANNED.value} points planned: {_told(planned, unit)}; "
            f"{planned.seconds - two.seconds:.1f} s more than {_FEWEST}"
        )
        local = "--gin_params=sweep.launcher = @local()"
        exported = _run(folder, "exported", _EXPORTED.value, local)
        print(f"{_EXPORTED.value} points exported: {_told(exported, unit)}")
        few, many = (_run(folder, f"of_{n}", n * _ALONE.value, "") for n in (1, 2))
        grown = (many.peak_bytes - few.peak_bytes) / _ALONE.value
        print(
            f"{_ALONE.value} and twice as many points in one process: peaks of "
            f"{few.peak_bytes / 1e6:.0f} and {many.peak_bytes / 1e6:.0f} MB, "
            f"{grown / 1e6:.2f} MB a point"
        )


def _told(usage: processes.Usage, unit: float) -> str:
    return f"{usage.seconds:.1f} s, {usage.seconds / unit:.1f} imports"


def _run(folder: pathlib.Path, name: str, points: int, *more: str) -> processes.Usage:
    flags_given = [flag for flag in more if flag]
    return processes.run(command(folder / name, points, *flags_given), folder / "log.txt")


if __name__ == "__main__":
    app.run(main)
