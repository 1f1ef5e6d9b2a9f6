"""Measurements as dots in inline SVG, over numbers or names, coloured by the page (`pages`)."""

from __future__ import annotations

import dataclasses
import html
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence

from exporter import svg_plots

COLORS = ("--first", "--second", "--third", "--fourth")
# Told apart without colours, too.
_SHAPES = (
    "M-4,0 A4,4 0 1 0 4,0 A4,4 0 1 0 -4,0 Z",
    "M-3.6,-3.6 H3.6 V3.6 H-3.6 Z",
    "M0,-4.6 L4.4,3.4 H-4.4 Z",
    "M0,-5 L5,0 L0,5 L-5,0 Z",
)
_WIDTH, _HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 46, 46
_MANY = 400  # More dots than this are an outline instead.
_FEW_TICKS = 12
_LETTER = 6.4  # A letter's width.
_LONGEST_NAME = 16


@dataclasses.dataclass(frozen=True)
class Dot:
    """One measurement.

    Attributes:
      x: Where it is: a number, or the index of a name.
      y: What was measured.
      name: What was measured there.
    """

    x: float
    y: float
    name: str


@dataclasses.dataclass(frozen=True)
class Series:
    """Measurements of one colour.

    Attributes:
      label: What they have in common, or "".
      dots: At most one for each thing that was measured.
    """

    label: str
    dots: Sequence[Dot]

    def by_x(self) -> dict[float, list[float]]:
        """Returns what was measured at each place, in their order."""
        found: dict[float, list[float]] = {}
        for dot in sorted(self.dots, key=lambda dot: dot.x):
            found.setdefault(dot.x, []).append(dot.y)
        return found


@dataclasses.dataclass(frozen=True)
class _Frame:
    """What the picture shows: smallest and largest values."""

    left: float
    right: float
    bottom: float
    top: float

    def x(self, value: float) -> float:
        """Returns where a value is, across."""
        share = (value - self.left) / (self.right - self.left)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Returns where a value is, downwards."""
        share = (value - self.bottom) / (self.top - self.bottom)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def beside(self, offset: float) -> _Frame:
        """Returns what draws everything so many pixels to the right."""
        moved = offset * (self.right - self.left) / (_WIDTH - _LEFT - _RIGHT)
        return dataclasses.replace(self, left=self.left - moved, right=self.right - moved)

    def places(self, points: Iterable[tuple[float, float]]) -> str:
        """Returns points as SVG writes them."""
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)


def plot(title: str, series: Sequence[Series], *, x_label: str, names: Sequence[str] = ()) -> str:
    """Returns a plot of dots from zero upwards, and lines through the means of each series.

    Very many dots are not drawn one by one, but as the area that they fill.

    Args:
      title: What was measured.
      series: At most four; what is no finite number is left out.
      x_label: What is across.
      names: What is there, where that is no number: dots are at their indices.

    Returns:
      SVG, as wide as there is room for; without any finite number a sentence in its place.
    """
    series = [
        Series(one.label, [d for d in one.dots if math.isfinite(d.x) and math.isfinite(d.y)])
        for one in series
    ]
    dots = [dot for one in series for dot in one.dots]
    if not dots:
        return f"<p>{html.escape(title)}: nothing to plot.</p>\n"
    heights = [dot.y for dot in dots]
    y_ticks = svg_plots.ticks(min(0.0, *heights), max(0.0, *heights))
    x_ticks = _x_ticks({dot.x for dot in dots}, names)
    frame = _Frame(*_edges([x for x, _ in x_ticks], dots, names), y_ticks[0], y_ticks[-1])
    label = f"{title} by {x_label}: {len(dots)} values, {min(heights):.6g} to {max(heights):.6g}"
    parts = [
        svg_plots.text(8, 16, title, "start"),
        *_legend(series),
        *_grid(frame, x_ticks, y_ticks),
        svg_plots.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, x_label, "middle"),
        # Equal values of several series are beside each other.
        *(
            part
            for i, one in enumerate(series)
            for part in _drawn(frame.beside((i - (len(series) - 1) / 2) * 7), one, i, len(dots))
        ),
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(label)}" '
        f'style="width: 100%; max-width: {_WIDTH * 1.4:.0f}px; font: 12px sans-serif">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _x_ticks(values: set[float], names: Sequence[str]) -> list[tuple[float, str]]:
    """Where something is said below the axis, and what."""
    if names:
        return [(float(i), name) for i, name in enumerate(names)]
    chosen = sorted(values)
    if len(chosen) > _FEW_TICKS:
        chosen = svg_plots.ticks(chosen[0], chosen[-1])
    return [(value, f"{value:.6g}") for value in chosen]


def _edges(
    ticks: Sequence[float], dots: Sequence[Dot], names: Sequence[str]
) -> tuple[float, float]:
    """The left and right edges: half a step, or a little, beside what is shown."""
    values = [*ticks, *(dot.x for dot in dots)]
    low, high = min(values), max(values)
    room = 0.5 if names else (high - low) / 20 or max(abs(high), 1.0) / 2
    return low - room, high + room


def _grid(
    frame: _Frame, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[float]
) -> Iterator[str]:
    for y in y_ticks:
        line = frame.places([(frame.left, y), (frame.right, y)])
        yield f'<polyline points="{line}" stroke="var(--line)" fill="none"/>'
        yield svg_plots.text(_LEFT - 6, frame.y(y) + 4, f"{y:.6g}", "end")
    end = -math.inf
    for x, name in x_ticks:
        shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
        half = len(shown) * _LETTER / 2
        if frame.x(x) - half > end:  # The others would be written over each other.
            yield svg_plots.text(frame.x(x), _HEIGHT - _BOTTOM + 16, shown, "middle")
            end = frame.x(x) + half


def _legend(series: Sequence[Series]) -> Iterator[str]:
    left = 14.0
    for i, one in enumerate(series):
        if one.label:
            yield f'<path transform="translate({left:.1f},29)" d="{_SHAPES[i]}" {_fill(i)}/>'
            yield svg_plots.text(left + 9, 33, one.label, "start")
            left += 9 + _LETTER * len(one.label) + 20


def _drawn(frame: _Frame, one: Series, index: int, count: int) -> Iterator[str]:
    found = one.by_x()
    if count > _MANY:
        upper = [(x, max(ys)) for x, ys in found.items()]
        lower = [(x, min(ys)) for x, ys in reversed(found.items())]
        area = frame.places([*upper, *lower])
        yield f'<polygon points="{area}" {_fill(index)} fill-opacity="0.2"/>'
    if len(found) > 1:
        means = frame.places((x, statistics.mean(ys)) for x, ys in found.items())
        yield (
            f'<polyline points="{means}" fill="none" stroke="var({COLORS[index]})" '
            'stroke-opacity="0.6"/>'
        )
    for dot in one.dots if count <= _MANY else ():
        place = f"translate({frame.x(dot.x):.1f},{frame.y(dot.y):.1f})"
        yield (
            f'<path transform="{place}" d="{_SHAPES[index]}" {_fill(index)} fill-opacity="0.8">'
            f"<title>{html.escape(dot.name)}: {dot.y:.6g}</title></path>"
        )


def _fill(index: int) -> str:
    return f'fill="var({COLORS[index]})"'
