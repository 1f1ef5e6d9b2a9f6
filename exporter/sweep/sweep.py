"""The root of `--mode=sweep`: one gin file in, many verified exports out."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gin

from exporter import config, errors, progress, shared_files, sharing
from exporter.sweep import (
    divided,
    jobs,
    launchers,
    local,  # noqa: F401 (registers itself)
    monitor,
    names,
    objects,
    planning,
    ray_cluster,  # noqa: F401 (registers itself)
    scheduling,
    scores,
    spaces,
)

if TYPE_CHECKING:
    from exporter.sweep import states

_ROOT = "exporter.sweep.sweep"
_POINTS, _DRY_RUN = "sweep.points", "export.dry_run"
_RESULTS_EVERY = 10.0  # Seconds.
_RECEIVED = "received:"
_PLANNING, _RUNNING = "planning a sweep", "running the exports of a sweep"


@gin.configurable("sweep", module="exporter.sweep")
@dataclasses.dataclass
class Sweep:
    """Makes an export of each point.

    What else is bound, the exports share; each point's values are applied after that. The exports
    are written to folders in `export.export_path`.

    Attributes:
      points: What is varied: an axis or a combination of axes.
      name: The template of the exports' names, with an axis's label in braces for its value. None
        joins all values.
      launcher: Where the exports run.
      evaluate: What is measured of each export when it is complete: `@scores()`, `@throughput()` or
        a list of these; None for nothing.
    """

    points: Any = gin.REQUIRED
    name: str | None = None
    launcher: Any = dataclasses.field(default_factory=launchers.InProcess)
    evaluate: Any = None


@dataclasses.dataclass(frozen=True)
class _Planned:
    """What is to be done.

    Attributes:
      exports: All points' exports.
      reasons: Why each is to be made, by its name; None for those that are complete.
    """

    exports: Sequence[jobs.Job]
    reasons: Mapping[str, str | None]

    @property
    def wanted(self) -> list[jobs.Job]:
        """Those that are to be made."""
        return [job for job in self.exports if self.reasons[job.name]]

    @property
    def folder(self) -> str:
        """The folder of all exports, in its plain form."""
        return os.path.dirname(self.exports[0].path)


def run(configuration: config.Config) -> None:
    """Runs a sweep, or prints what it would do.

    Args:
      configuration: What the user said.

    Raises:
      UserError: There are mistakes in it; nothing was started.
      IncompleteError: Exports failed; the others are complete.
    """
    parsed = config.parse(configuration)
    errors.raise_all(parsed.mistakes)
    parts = divided.divide(parsed)
    resolved = config.resolve_parsed(parts.sweep, _ROOT)
    sweep = objects.Maker(resolved).make(_ROOT)
    if not isinstance(sweep.points, spaces.Space):
        raise _not_called(_POINTS, "@product()", resolved)
    if not hasattr(sweep.launcher, "run") or isinstance(sweep.launcher, type):
        raise _not_called("sweep.launcher", "@in_process()", resolved)
    with _located(resolved):
        getattr(sweep.launcher, "check", lambda: None)()
        measures = scores.measures(sweep.evaluate)
    found = planning.points(
        parts.exports,
        sweep.points,
        sweep.name,
        where=resolved.where(names.SETTING) or resolved.where(_POINTS) or "",
        search_paths=configuration.search_paths,
    )
    dry_run = planning.bound(parts.exports, _DRY_RUN)
    prepare = None if dry_run else getattr(sweep.launcher, "prepare", None)
    with _located(resolved):
        planned = _plan(found, measures, prepare)
    if dry_run:
        print("\n".join(_described(found, planned)))
        return
    with _located(resolved):
        _launch(sweep.launcher, planned)


@contextlib.contextmanager
def _located(resolved: config.Resolved) -> Iterator[None]:
    """While open, mistakes of settings of the sweep get their places."""
    try:
        yield
    except errors.UserError as error:
        error.locate(resolved.where)
        raise


def _plan(
    found: planning.Sweep, measures: Sequence[scores.Measure], prepare: Callable[[], None] | None
) -> _Planned:
    with sharing.results():
        planned = planning.check(found, prepare)
        progress.tell(_PLANNING)  # What TensorFlow's import has told is over.
        if measures:
            planned = scores.planned(planned, measures)
        from exporter.sweep import states

        # Exports have files in common, which are read once where they must be.
        reasons = {j.name: states.why(j, states.read(j.record)) for j in planned}
    return _Planned(planned, reasons)


def _launch(launcher: launchers.Launcher, planned: _Planned) -> None:
    """Runs what is to be done, and writes what came of it.

    Raises:
      UserError: There is no room, or the launcher cannot go on.
      IncompleteError: Exports failed; the others are complete.
    """
    from exporter.sweep import kept_texts, states

    known = {j.name: s for j in planned.exports if (s := states.read(j.record)) is not None}
    course = _Course(planned, known)
    shared = planned.exports[0].shared
    with contextlib.ExitStack() as stack:
        if shared is not None:
            with kept_texts.telling(shared):
                stack.enter_context(shared_files.kept(shared))
                _link_known(planned, shared)
        course.run(launcher)
        records = course.write(with_page=True)
    _summarize(planned, records)


class _Course:
    """What has become of a sweep's exports so far.

    Args:
      planned: What is to be done.
      known: What is known of each export, by its name; changed with what happens.
    """

    def __init__(self, planned: _Planned, known: dict[str, states.State]) -> None:
        self._planned = planned
        self._known = known
        count = len(planned.wanted)
        self._seen = monitor.Monitor(count, len(planned.exports) - count, sys.stderr)
        self._written = time.monotonic()

    def run(self, launcher: launchers.Launcher) -> None:
        """Runs what is to be done, until it is or the sweep cannot go on.

        Raises:
          UserError: There is no room, or the launcher cannot go on.
        """
        progress.tell(_RUNNING)
        events = launcher.run(scheduling.in_order(self._planned.wanted))
        try:
            for event in events:
                self._see(event)
        except BaseException:
            getattr(events, "close", lambda: None)()
            self._seen.end()
            with contextlib.suppress(errors.UserError):  # What came first is told.
                self.write(with_page=True)
            raise
        self._seen.end()

    def _see(self, event: launchers.Event) -> None:
        from exporter.sweep import kept_texts

        if event.state is None:
            self._seen.see(event)
            return
        self._known[event.job.name] = event.state
        if event.state.stops:
            raise kept_texts.no_room(_received(event.state.message or event.job.name))
        self._seen.see(event)
        progress.tell(_RUNNING)
        if time.monotonic() - self._written > _RESULTS_EVERY:
            self.write()
            self._written = time.monotonic()

    def write(self, *, with_page: bool = False) -> Sequence[Mapping[str, Any]]:
        """Writes what is known, and returns it.

        Args:
          with_page: Whether the page is written, too.

        Raises:
          UserError: There is no room or permission.
        """
        from exporter.sweep import results

        folder, exports = self._planned.folder, self._planned.exports
        records = results.write(folder, exports, self._known)
        if with_page:
            results.write_page(folder, exports, records)
        return records


def _received(message: str) -> str:
    """Returns what a mistake's message says was received, or its first line."""
    lines = [line.strip() for line in message.splitlines()]
    told = [line for line in lines if line.startswith(_RECEIVED)]
    return told[0].removeprefix(_RECEIVED).strip() if told else lines[0]


def _link_known(planned: _Planned, shared: str) -> None:
    """Makes the files known of exports that are complete, where others are to be made."""
    from exporter import manifests

    if not planned.wanted:
        return
    complete = [job.path for job in planned.exports if not planned.reasons[job.name]]
    for path in complete:
        found = manifests.of_export(path)
        shared_files.add_all(shared, [(folder, found[folder]["files"]) for folder in found])


def _summarize(planned: _Planned, records: Sequence[Mapping[str, Any]]) -> None:
    """Tells how the sweep ended.

    Raises:
      IncompleteError: Exports failed.
    """
    counts = collections.Counter(record["status"] for record in records)
    complete = counts.pop("succeeded", 0)
    skipped = len(planned.exports) - len(planned.wanted)
    print(
        f"{len(planned.exports)} exports in {planned.folder}: {complete - skipped} succeeded, "
        f"{skipped} skipped, {sum(counts.values())} failed"
    )
    if counts:
        failed = [record["name"] for record in records if record["status"] != "succeeded"]
        raise errors.IncompleteError(
            f"{len(failed)} of {len(records)} exports failed: {', '.join(failed[:10])}"
            f"{', ...' if len(failed) > 10 else ''}. What each said is in results.jsonl and in "
            "NAME.record/log.txt."
        )


def _described(found: planning.Sweep, planned: _Planned) -> Iterator[str]:
    """Yields what would be done, one line a point."""
    points = dict(zip(found.names, found.points, strict=True))
    for job in planned.exports:
        reason = planned.reasons[job.name]
        said = ", ".join(f"{choice.setting} = {choice.value!r}" for choice in points[job.name])
        yield f"{job.name}: {f'to be exported ({reason})' if reason else 'complete'}: {said}"
    wanted = len(planned.wanted)
    yield (
        f"{len(planned.exports)} points in {planned.folder}: {wanted} to be exported, "
        f"{len(planned.exports) - wanted} complete"
    )


def _not_called(setting: str, example: str, resolved: config.Resolved) -> errors.UserError:
    return errors.UserError(
        f"{setting} must be an object, which gin makes of a name with parentheses.",
        example=f"{setting} = {example}",
        received=f"{setting} = {resolved.value(setting)!r}",
        where=resolved.where(setting),
    )
