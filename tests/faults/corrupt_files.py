"""Exports from damaged files, and damaged exports verified: each is told, or did not matter.

    python -m tests.faults.corrupt_files --cases=100
    python -m tests.faults.corrupt_files --cases=100 --of=models

runs from the project's folder, each command in a fork of one process that has imported TensorFlow.
An export must end with status 2, a message instead of a traceback, and nothing written; or be
complete and verified. Then the damage made no difference to what is exported ("no matter": equal
byte by byte, but for the manifest, to what the intact files give), or has left a file that is valid
and says something else ("other": a piece of a vocabulary, say, with another letter). For damaged
exports see `tests.faults.damaged_models`.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.faults import damaged_models, damages, running

_WRONG = "WRONG"
_MANIFEST = "export_manifest.json"
_SECONDS = 300
# What an export needs, and half as much again.
_MEGABYTES = 900


class Examiner:
    """Exports from damaged files and says what came of it."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Will write to a folder."""
        self._folder = folder
        self._intact: dict[tuple[str, ...], Mapping[str, bytes]] = {}

    @property
    def files(self) -> Iterable[str]:
        """The files that can be damaged."""
        return damages.arguments(self._folder)

    def outcome(self, case: damages.Case) -> tuple[str, running.Ended]:
        """Damages a file and exports.

        Returns:
          What came of it, and how it ended.

        Raises:
          AssertionError: The damage is not told, or told badly, or something is left.
        """
        flags = damages.arguments(self._folder)[case.file]
        with _files(self._folder):
            case.inflict(self._folder)
            ended = self._export(flags)
            exported = _contents(self._target)
            left = sorted(path.name for path in self._folder.iterdir() if "model" in path.name)
            assert not (self._folder / "RUN").exists(), "code was run"
        assert "Traceback" not in ended.told, ended.told
        assert ended.peak_mb < _MEGABYTES, f"{ended.peak_mb} MB"
        if ended.status == 0:
            shutil.rmtree(self._target)
            shutil.rmtree(f"{self._target}.record")
            same = exported == self._exported_intact(flags)
            return (damages.NO_MATTER if same else damages.OTHER), ended
        assert ended.status == 2, f"status {ended.status}: {ended.told}"
        assert ended.told.count("error: ") >= 1, ended.told
        assert left in (["spm.model"], []), left
        return damages.TOLD, ended

    @property
    def _target(self) -> pathlib.Path:
        return self._folder / "model"

    def _export(self, flags: Sequence[str]) -> running.Ended:
        return running.run([f"--export_path={self._target}", *flags], seconds=_SECONDS)

    def _exported_intact(self, flags: Sequence[str]) -> Mapping[str, bytes]:
        key = tuple(flags)
        if key not in self._intact:
            with _files(self._folder):
                ended = self._export(flags)
            assert ended.status == 0, ended.told
            self._intact[key] = _contents(self._target)
            shutil.rmtree(self._target)
            shutil.rmtree(f"{self._target}.record")
        return self._intact[key]


@contextlib.contextmanager
def _files(folder: pathlib.Path) -> Iterator[None]:
    """While open, a folder holds intact files; then nothing but an export."""
    damages.sources(folder)
    try:
        yield
    finally:
        for path in folder.iterdir():
            if path.name in ("model", "model.record"):
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _contents(folder: pathlib.Path) -> Mapping[str, bytes]:
    """Returns an export's files but its manifest, by name."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != _MANIFEST)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def main() -> int:
    """Damages as many files as the command line says, and returns 1 if one is not as it must be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--of", choices=("sources", "models"), default="sources")
    chosen = parser.parse_args()
    running.import_all()
    found: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        of = Examiner if chosen.of == "sources" else damaged_models.Examiner
        examiner = of(pathlib.Path(name).resolve())
        for case in damages.cases(examiner.files, chosen.cases, chosen.seed):
            try:
                outcome, ended = examiner.outcome(case)
            except AssertionError as error:
                found[_WRONG] += 1
                print(f"{case.file}, {case.damage}: {_WRONG} {error}", flush=True)
                continue
            found[outcome] += 1
            slowest = max(slowest, ended.seconds)
            message = ended.message.partition("\n")[0] if outcome == damages.TOLD else ""
            print(f"{case.file}, {case.damage}: {outcome} {message}", flush=True)
    print(", ".join(f"{count} times {outcome}" for outcome, count in sorted(found.items())))
    print(f"the slowest took {slowest:.1f} s")
    return 1 if found[_WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
