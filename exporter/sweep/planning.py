"""From a sweep's configuration to its exports, each of them checked before the first one starts."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gin

from exporter import config, errors, export, gin_files, gin_parsing, pretraining_gin
from exporter.sweep import divided, effects, jobs, names, spaces, varied

_EXPORT = "exporter.export"
_PREPARED = ("export_path", "export_type", "pooler", "verify", "overwrite")
_WHERE = "the sweep"
_SHOWN_MISTAKES = 20
_SHOWN_NAMES = 3


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep's exports, not yet checked.

    Attributes:
      folder: The folder of all of them.
      names: Their names.
      points: What is varied, in the names' order.
      shared: The configuration that they share.
      search_paths: Where gin files that are values are looked for.
    """

    folder: str
    names: Sequence[str]
    points: Sequence[spaces.Point]
    shared: Sequence[gin_parsing.Statement]
    search_paths: tuple[str, ...]

    def statements(self, index: int) -> list[gin_parsing.Statement]:
        """Returns the whole configuration of a point.

        Args:
          index: Which point.

        Raises:
          UserError: A value is no gin, or names a gin file that is none.
        """
        path = f"{self.folder.rstrip('/')}/{self.names[index]}"
        found = list(self.shared)
        for said in self.own(index):
            found += said
        found += [_of_export("export_path", path), _of_export("dry_run", False)]
        # What an earlier run of the sweep has begun, this one may replace.
        if gin_files.matching(f"{path}.record", jobs.STATE_FILE, "export.export_path"):
            found.append(_of_export("overwrite", True))
        return found

    def own(self, index: int) -> list[tuple[gin_parsing.Statement, ...]]:
        """Returns what each value of a point says.

        Raises:
          UserError: A value is no gin, or names a gin file that is none.
        """
        return [self._parsed(_source(choice)) for choice in self.points[index]]

    def _parsed(self, source: gin_parsing.Source) -> tuple[gin_parsing.Statement, ...]:
        known = self._cache.get(source)
        if known is None:
            parsed = gin_parsing.parse([], [source], self.search_paths)
            errors.raise_all(parsed.mistakes)
            known = self._cache[source] = tuple(parsed.statements)
        return known

    @functools.cached_property
    def _cache(self) -> dict[gin_parsing.Source, tuple[gin_parsing.Statement, ...]]:
        return {}


def points(
    shared: gin_parsing.Parsed,
    space: spaces.Space,
    template: str | None,
    *,
    where: str,
    search_paths: tuple[str, ...] = (),
) -> Sweep:
    """Finds a sweep's points and their names.

    Args:
      shared: The configuration that the exports share.
      space: The points.
      template: The template of names, or None.
      where: Where that was said.
      search_paths: Where gin files that are values are looked for.

    Raises:
      UserError: There is no folder, no point, something that cannot be varied, or two points of
        one name.
    """
    folder = bound(shared, "export.export_path")
    if not folder:
        raise errors.UserError(
            "A sweep needs a folder for its exports: export.export_path.",
            example="--export_path=/tmp/bert_sweep",
            where="(not set)",
        )
    found = list(space.points(spaces.Context(bound(shared, pretraining_gin.SETTING))))
    if not found:
        raise errors.UserError(
            "A sweep must have points.",
            example="where.keep = 'default_seq_length <= 128'",
            received="none",
            where=space.place,
        )
    _check_varied(found)
    names.check_labels(found, jobs.COLUMNS)
    made = names.of_points(found, template, where)
    return Sweep(folder, made, found, tuple(shared.statements), search_paths)


def _check_varied(points: Sequence[spaces.Point]) -> None:
    settings = {c.setting: c.where for point in points for c in point}
    settings.pop(varied.GIN_FILE, None)
    found = [varied.mistake(setting, where) for setting, where in settings.items()]
    errors.raise_all([mistake for mistake in found if mistake is not None])


def bound(parsed: gin_parsing.Parsed, setting: str) -> Any:
    """Returns the literal that a setting of ours is bound to, or None."""
    binding = pretraining_gin.bound(parsed.bindings, setting)
    return None if binding is None else binding.value


def check(sweep: Sweep, prepare: Callable[[], None] | None) -> list[jobs.Job]:
    """Checks each point as a dry run of its export does, and makes jobs of them.

    Args:
      sweep: The points.
      prepare: Is called when the first look, which needs no TensorFlow, has found no mistake; None
        where nothing is to be.

    Returns:
      The jobs, in the points' order.

    Raises:
      UserError: There are mistakes; all that were found are told, with the points' names.
    """
    resolved = _each(sweep, lambda index: _resolve(sweep, index))
    effects.require_different(sweep.names, sweep.points, [found.values for found in resolved])
    if prepare is not None:
        prepare()
    export.import_tensorflow()
    with _quietly():
        return _each(sweep, lambda index: _job(sweep, index, resolved[index]))


@dataclasses.dataclass(frozen=True)
class _Point:
    """A point's configuration: its statements, what they come to, and what says what it is."""

    statements: Sequence[gin_parsing.Statement]
    resolved: config.Resolved
    values: Mapping[str, Any]


def _resolve(sweep: Sweep, index: int) -> _Point:
    statements = sweep.statements(index)
    resolved = config.resolve_parsed(gin_parsing.Parsed(statements), _EXPORT)
    errors.raise_all(effects.mistakes(sweep.points[index], sweep.own(index), resolved))
    return _Point(statements, resolved, effects.values(resolved))


def _job(sweep: Sweep, index: int, point: _Point) -> jobs.Job:
    from exporter.sweep import inputs

    point.resolved.apply(quietly=True)
    said = inputs.lines(point.values)

    def prepared() -> jobs.Job:
        given = gin.get_bindings(_EXPORT)
        path, plan = export.prepare(**{name: given[name] for name in _PREPARED if name in given})
        plan.check()
        return jobs.Job(
            name=sweep.names[index],
            path=path,
            values={choice.label: choice.plain for choice in sweep.points[index]},
            bindings=divided.sources(point.statements),
            digest=inputs.digest(point.resolved, said, plan),
            group=inputs.group(said, plan),
            graphs=inputs.graphs(said),
            weights=inputs.weights(plan),
            export_type=plan.chosen.export_type,
            reads=inputs.files(plan),
        )

    return point.resolved.call(prepared)


def _each(sweep: Sweep, function: Callable[[int], Any]) -> list[Any]:
    """Calls a function for each point, and tells the mistakes of all of them together."""
    results = []
    mistakes: dict[str, tuple[errors.UserError, list[str]]] = {}
    for index, name in enumerate(sweep.names):
        result, found = _attempt(function, index)
        results.append(result)
        for error in found:
            mistakes.setdefault(str(error), (error, []))[1].append(name)
    listed = list(mistakes.values())[:_SHOWN_MISTAKES]
    errors.raise_all([_told(error, found, len(sweep.names)) for error, found in listed])
    return results


def _attempt(function: Callable[[int], Any], index: int) -> tuple[Any, Sequence[errors.UserError]]:
    try:
        return function(index), ()
    except errors.UserErrors as error:
        return None, error.errors
    except errors.UserError as error:
        return None, (error,)


def _told(error: errors.UserError, found: Sequence[str], count: int) -> errors.UserError:
    shown = ", ".join(found[:_SHOWN_NAMES])
    more = f" and {len(found) - _SHOWN_NAMES} more" if len(found) > _SHOWN_NAMES else ""
    if len(found) == count and count > 1:
        shown, more = f"all {count} points", ""
    return errors.UserError(
        f"{shown}{more}: {error.rule}",
        example=error.example,
        received=error.received,
        where=error.where,
    )


def _source(choice: spaces.Choice) -> gin_parsing.Source:
    if choice.setting == varied.GIN_FILE:
        return gin_parsing.Source(f"include {choice.value!r}", choice.where)
    return gin_parsing.Source(f"{choice.setting} = {choice.value!r}", choice.where)


def _of_export(parameter: str, value: Any) -> gin_parsing.Binding:
    return gin_parsing.Binding("", _EXPORT, parameter, value, _WHERE)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """While open, nothing is logged: each export says it again."""
    logger = logging.getLogger("exporter")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
