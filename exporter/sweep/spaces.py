"""What a sweep varies, as gin says it: axes and their combinations, which yield points.

    sweep.points = @product()
    product.parts = [@pooler/axis(), @length/axis()]
    pooler/axis.name = 'export.pooler'
    pooler/axis.values = [@restored_pooler, @identity_pooler]
    length/axis.name = 'preprocessing.default_seq_length'
    length/axis.values = [64, 128]

Values stay as they were written: nothing that they refer to is called or imported here.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import gin

from exporter import errors
from exporter.sweep import conditions, run_checkpoints, varied

_OF = "must be an axis or a combination, with parentheses."


@dataclasses.dataclass(frozen=True)
class Choice:
    """One value of one axis.

    Attributes:
      label: What the axis is called in names and results.
      setting: What it binds: a parameter, a macro or `varied.GIN_FILE`.
      value: The value as it was parsed.
      where: Where it was said.
      called: What the value is called in names and results; None for what it is.
    """

    label: str
    setting: str
    value: Any
    where: str
    called: str | None = None

    @property
    def plain(self) -> Any:
        """The value as JSON knows it; what is referred to by its name."""
        return varied.plain(self.value) if self.called is None else self.called


Point = tuple[Choice, ...]


@dataclasses.dataclass(frozen=True)
class Context:
    """What axes may ask of the configuration that they vary.

    Attributes:
      pretraining_dir: The value of `pretraining.pretraining_dir`, or None.
    """

    pretraining_dir: str | None = None


class Space:
    """A set of points in an order.

    Attributes:
      place: Where it was said, for errors. Set when it is made of what gin says.
    """

    place: str = "(not set)"

    def points(self, context: Context) -> Iterator[Point]:
        """Yields the points.

        Raises:
          UserError: What was said of it cannot be right.
        """
        raise NotImplementedError

    def mistake(self, rule: str, *, example: str, received: str) -> errors.UserError:
        """Returns an error that names the place."""
        return errors.UserError(rule, example=example, received=received, where=self.place)

    def require_spaces(self, parts: Sequence[Any], rule: str, *, example: str) -> None:
        """Raises the mistake of a rule and an example if something in `parts` is no space."""
        wrong = [part for part in parts if not isinstance(part, Space)]
        if wrong:
            received = ", ".join(getattr(part, "__name__", repr(part)) for part in wrong)
            raise self.mistake(rule, example=example, received=received)


@gin.configurable("axis", module="exporter.sweep")
@dataclasses.dataclass
class Axis(Space):
    """The values of one setting.

    Attributes:
      name: What is varied: a gin parameter, a macro, or "gin_file" for whole gin files.
      values: Its values, as one would bind them.
      label: What the axis is called in names of exports and in results. None takes the last part
        of `name`.
      labels: What its values are called there and in conditions, one for each. None calls them
        what they are.
    """

    name: str = gin.REQUIRED
    values: Sequence[Any] = dataclasses.field(default=gin.REQUIRED, metadata={"as_written": True})
    label: str | None = None
    labels: Sequence[str] | None = None

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        if not self.values:
            raise self.mistake(
                "An axis must have values.", example="axis.values = [64, 128]", received="none"
            )
        label = self.label or varied.label_of(self.name)
        labels = [None] * len(self.values) if self.labels is None else list(self.labels)
        if self.labels is not None and len(set(labels)) != len(self.values):
            raise self.mistake(
                f"axis.labels must be as many as there are values, {len(self.values)}, and differ.",
                example="axis.labels = ['small', 'large']",
                received=repr(self.labels),
            )
        for value, called in zip(self.values, labels, strict=True):
            yield (Choice(label, self.name, value, self.place, called),)


@gin.configurable("checkpoints", module="exporter.sweep")
@dataclasses.dataclass
class Checkpoints(Space):
    """Checkpoints of a pre-training run.

    Attributes:
      steps: "all", or a list of global steps, among which "latest" and "best" may be.
      every: Of all, each n-th is taken, counted so that the last one is among them.
      pretraining_dir: The run's directory. None takes `pretraining.pretraining_dir`.
      label: What the axis is called.
    """

    steps: str | Sequence[int | str] = "all"
    every: int = 1
    pretraining_dir: str | None = None
    label: str = "checkpoint"

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        directory = self.pretraining_dir or context.pretraining_dir
        if directory is None:
            raise self.mistake(
                "The checkpoints of a run need the run's directory.",
                example="--pretraining_dir=/models/bert_run",
                received="neither pretraining.pretraining_dir nor checkpoints.pretraining_dir",
            )
        if self.every < 1:
            raise self.mistake(
                "checkpoints.every must be at least 1.",
                example="checkpoints.every = 10",
                received=str(self.every),
            )
        run: Point = ()
        if self.pretraining_dir is not None:
            run = (Choice("run", "pretraining.pretraining_dir", directory, self.place),)
        for step in self._steps(directory):
            yield (*run, Choice(self.label, "pretraining.checkpoint", step, self.place))

    def _steps(self, directory: str) -> Sequence[int | str]:
        if not isinstance(self.steps, str):
            return self.steps
        if self.steps != "all":
            raise self.mistake(
                "checkpoints.steps must be 'all' or a list.",
                example="checkpoints.steps = [1000, 'best']",
                received=repr(self.steps),
            )
        there = run_checkpoints.steps(directory, self.place)
        return there[::-1][:: self.every][::-1]


@dataclasses.dataclass
class _Combination(Space):
    parts: Sequence[Any] = gin.REQUIRED

    def _parts(self, context: Context) -> list[list[Point]]:
        if not self.parts:
            raise self.mistake(
                "A combination must have parts.",
                example="product.parts = [@pooler/axis(), @length/axis()]",
                received="none",
            )
        self.require_spaces(
            self.parts,
            "Parts of a combination must be axes or combinations, with parentheses.",
            example="product.parts = [@pooler/axis(), @length/axis()]",
        )
        return [list(part.points(context)) for part in self.parts]

    def _joined(self, points: Iterable[Point]) -> Point:
        joined = tuple(itertools.chain.from_iterable(points))
        settings = [varied.full_name(c.setting) for c in joined if c.setting != varied.GIN_FILE]
        labels = [choice.label for choice in joined]
        for what, names in (("setting", settings), ("label", labels)):
            twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
            if twice:
                raise self.mistake(
                    f"Parts that are combined must not have the same {what}.",
                    example="size/axis.label = 'size'" if what == "label" else "one axis for both",
                    received=", ".join(twice),
                )
        return joined


@gin.configurable("product", module="exporter.sweep")
@dataclasses.dataclass
class Product(_Combination):
    """Each point of one part with each of the others. The last part varies first.

    Attributes:
      parts: Axes or other combinations.
    """

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        for points in itertools.product(*self._parts(context)):
            yield self._joined(points)


@gin.configurable("zipped", module="exporter.sweep")
@dataclasses.dataclass
class Zipped(_Combination):
    """The first point of each part, then the second of each, and so on.

    Attributes:
      parts: Axes or other combinations, of equal lengths.
    """

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        parts = self._parts(context)
        lengths = [len(part) for part in parts]
        if len(set(lengths)) > 1:
            raise self.mistake(
                "Parts that are zipped must have equally many points.",
                example="zipped.parts = [@encoder/axis(), @checkpoint/axis()], with 3 values each",
                received=" and ".join(map(str, lengths)),
            )
        for points in zip(*parts, strict=True):
            yield self._joined(points)


@gin.configurable("union", module="exporter.sweep")
@dataclasses.dataclass
class Union(_Combination):
    """The points of all parts, one part after the other, each point once.

    Attributes:
      parts: Axes or other combinations.
    """

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        seen = set()
        for point in itertools.chain.from_iterable(self._parts(context)):
            key = repr(sorted((choice.setting, repr(choice.value)) for choice in point))
            if key not in seen:
                seen.add(key)
                yield point


@gin.configurable("points", module="exporter.sweep")
@dataclasses.dataclass
class Points(Space):
    """Points, each written out.

    Attributes:
      values: The points: `{'export.pooler': @identity_pooler, 'LENGTH': 64}`.
    """

    values: Sequence[Any] = dataclasses.field(default=gin.REQUIRED, metadata={"as_written": True})

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        for point in self.values:
            if not _is_point(point):
                raise self.mistake(
                    "A point must be settings with values.",
                    example="points.values = [{'preprocessing.default_seq_length': 64}]",
                    received=repr(point),
                )
            yield tuple(
                Choice(varied.label_of(name), name, value, self.place)
                for name, value in point.items()
            )


@gin.configurable("where", module="exporter.sweep")
@dataclasses.dataclass
class Where(Space):
    """The points that fulfil a condition; the others are dropped.

    Attributes:
      of: An axis or combination.
      keep: The condition, of labels, literals and Python's operators for comparisons, logic and
        arithmetic: "length <= 128 or pooler == 'identity_pooler'".
    """

    of: Space = gin.REQUIRED
    keep: str = gin.REQUIRED

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        self.require_spaces([self.of], f"where.of {_OF}", example="where.of = @axis()")
        condition = conditions.parse(self.keep, self.place)
        for point in self.of.points(context):
            if condition.holds({choice.label: choice.plain for choice in point}):
                yield point


@gin.configurable("sample", module="exporter.sweep")
@dataclasses.dataclass
class Sample(Space):
    """Some points, drawn at random and in the order that they have.

    Attributes:
      of: An axis or combination.
      count: How many.
      seed: The same seed draws the same points.
    """

    of: Space = gin.REQUIRED
    count: int = gin.REQUIRED
    seed: int = 0

    def points(self, context: Context) -> Iterator[Point]:
        """As `Space.points`."""
        self.require_spaces([self.of], f"sample.of {_OF}", example="sample.of = @axis()")
        points = list(self.of.points(context))
        if not 0 < self.count <= len(points):
            raise self.mistake(
                f"sample.count must be from 1 to {len(points)}, the number of points.",
                example=f"sample.count = {max(1, len(points) // 2)}",
                received=str(self.count),
            )
        drawn = random.Random(self.seed).sample(range(len(points)), self.count)
        for index in sorted(drawn):
            yield points[index]


def _is_point(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(n, str) for n in value)
