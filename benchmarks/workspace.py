"""One encoder's files and exports, and the processes that make and use them."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shlex
import shutil
from collections.abc import Callable

from benchmarks import commands, processes, sizes, sources


@dataclasses.dataclass(frozen=True)
class Job:
    """One export.

    Attributes:
      contender: Who exports.
      export_type: What.
      verify: Whether it is verified.
    """

    contender: str
    export_type: str
    verify: bool = False

    @property
    def name(self) -> str:
        """The name of the export's folder."""
        return f"{self.contender}_{self.export_type}" + ("_verified" if self.verify else "")


class Workspace:
    """Where one encoder is exported and its exports are used.

    Attributes:
      size: Which encoder.
      source: Its files.
      sentence_model: The folder that its weights are from, if they are those of a published BERT.
    """

    def __init__(
        self,
        size: sizes.Size,
        folder: pathlib.Path,
        say: Callable[[str], None],
        sentence_model: str | None = None,
    ) -> None:
        """Makes the encoder's files unless they are there.

        Args:
          size: Which encoder.
          folder: For the encoder's files and all exports of it.
          say: Shows a line of progress.
          sentence_model: A folder with the weights of a BERT of sentences, for one size.
        """
        self.sentence_model = sentence_model if size.name == sizes.OF_SENTENCES else None
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        self.size = size
        self._folder, self._say = folder, say
        self._log = folder / "log.txt"
        self.source = sources.Source(folder / "source")
        if not self.source.folder.exists():
            self._make_source()

    def _make_source(self) -> None:
        self._say(f"{self.size.name}: making what is exported")
        unfinished = self._folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        processes.run(
            commands.make_source(self.size.name, unfinished, self.sentence_model), self._log
        )
        unfinished.rename(self.source.folder)

    def path(self, job: Job) -> pathlib.Path:
        """Returns where an export is."""
        return self._folder / "exports" / job.name

    def import_tensorflow(self, contender: str) -> processes.Usage:
        """Imports TensorFlow as a contender does, and nothing else."""
        return processes.run(commands.import_tensorflow(contender), self._log)

    def export(self, job: Job) -> processes.Usage:
        """Exports, in place of an earlier export of the same kind.

        Raises:
          BenchmarkError: The command failed, or did not write what it was to write.
        """
        path = self.path(job)
        for folder in (path, path.with_name(path.name + ".record")):
            shutil.rmtree(folder, ignore_errors=True)
        command = commands.export(
            job.contender, job.export_type, self.source, path, verify=job.verify
        )
        usage = processes.run(command, self._log)
        for saved_model in commands.saved_models(job.export_type, path):
            if not (saved_model / "saved_model.pb").is_file():
                raise processes.BenchmarkError(
                    f"Each command must write its export; there is none in {saved_model} after\n"
                    f"  {shlex.join(command)}\nIts output ends with:\n{processes.tail(self._log)}"
                )
        self._say(f"  {job.name}: {usage.seconds:.1f} s, {usage.peak_bytes / 1e6:.0f} MB")
        return usage

    @property
    def sweep_path(self) -> pathlib.Path:
        """Where a sweep's exports are."""
        return self._folder / "exports" / "sweep"

    def sweep(self) -> processes.Usage:
        """Makes a sweep of exports, in place of an earlier one.

        Raises:
          BenchmarkError: The command failed, which it does where an export is missing.
        """
        shutil.rmtree(self.sweep_path, ignore_errors=True)
        usage = processes.run(commands.sweep(self.source, self.sweep_path), self._log)
        self._say(f"  sweep: {usage.seconds:.1f} s, {usage.peak_bytes / 1e6:.0f} MB")
        return usage

    def probe(self, kind: str, *arguments: object) -> list[float]:
        """Uses exports in a process of its own.

        Args:
          kind: How, a function of `benchmarks.probes`.
          *arguments: Its arguments.

        Returns:
          What it measured.

        Raises:
          BenchmarkError: It failed.
        """
        return self._measured(kind, commands.probe(kind, self._output, *arguments))

    def peer(self, python: str) -> list[float]:
        """Runs `benchmarks.peer` as `probe` does.

        Args:
          python: A Python that has the peer.
        """
        return self._measured("peer", commands.peer(python, self._output, self.source.vocabulary))

    def embedding_peers(self, python: str, sentence_model: str) -> list[float]:
        """Runs `benchmarks.embedding_peers` as `probe` does.

        Args:
          python: A Python that has the peers.
          sentence_model: The folder of the model that they embed with.
        """
        command = commands.embedding_peers(python, self._output, sentence_model)
        return self._measured("embedding peers", command)

    @property
    def _output(self) -> pathlib.Path:
        return self._folder / "probe.json"

    def _measured(self, kind: str, command: list[str]) -> list[float]:
        self._output.unlink(missing_ok=True)
        processes.run(command, self._log)
        values: list[float] = json.loads(self._output.read_text(encoding="utf-8"))
        self._say(f"  {kind}: {', '.join(f'{value:.4g}' for value in values)}")
        return values
