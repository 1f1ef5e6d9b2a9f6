"""Plots as inline SVG, coloured by the page that they are on (`pages`)."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence

_COLORS = ("--first", "--second", "--third", "--fourth")
_DASHES = ("", "7 4", "2 3", "9 3 2 3")  # Lines that lie on each other are both seen.
_WIDTH, _HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 44
_TICKS = 5
_TINY = 1e-30  # As good as zero: no steps are made of it.
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclasses.dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
      label: What it is, in the legend.
      xs: Where its points are.
      ys: Their values; what is no finite number is left out.
      low: The lower edge of a band around it, or nothing.
      high: The upper edge of the band.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()

    def _finite(self, values: Sequence[float]) -> list[tuple[float, float]]:
        pairs = zip(self.xs, values, strict=True) if values else ()
        return [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]

    @property
    def points(self) -> list[tuple[float, float]]:
        """The points that can be drawn."""
        return self._finite(self.ys)

    @property
    def band(self) -> list[tuple[float, float]]:
        """The outline of the band: its upper edge, and its lower one backwards."""
        return [*self._finite(self.high), *reversed(self._finite(self.low))]


@dataclasses.dataclass(frozen=True)
class _Frame:
    """The plotted area, and what it shows: smallest and largest values."""

    left: float
    right: float
    bottom: float
    top: float

    def at(self, x: float, y: float) -> str:
        """Returns the place of a point in the picture."""
        across = (x - self.left) / (self.right - self.left)
        up = (y - self.bottom) / (self.top - self.bottom)
        px = _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
        py = _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)
        return f"{px:.1f},{py:.1f}"


def plot(title: str, lines: Sequence[Line], *, x_label: str, y_label: str) -> str:
    """Returns a plot of lines with bands; a line of one point is a dot.

    Args:
      title: What is plotted.
      lines: The lines, at most four.
      x_label: What is across.
      y_label: What is upwards.

    Returns:
      SVG, as wide as there is room for; without any finite point a sentence in its place.
    """
    points = [point for line in lines for point in (*line.points, *line.band)]
    if not points:
        return f"<p>{html.escape(title)}: nothing to plot.</p>\n"
    x_ticks, y_ticks = (ticks(min(values), max(values)) for values in zip(*points, strict=True))
    frame = _Frame(x_ticks[0], x_ticks[-1], y_ticks[0], y_ticks[-1])
    styles = list(zip(lines, _COLORS, _DASHES, strict=False))
    parts = [
        *_grid(frame, x_ticks, y_ticks),
        *(_band(frame, line, color) for line, color, _ in styles if line.band),
        *(_line(frame, line, color, dash) for line, color, dash in styles),
        *_legend(styles),
        text(_WIDTH / 2, _HEIGHT - 8, x_label, "middle"),
        text(_LEFT, 14, f"{title} ({y_label})" if y_label else title, "start"),
    ]
    label = html.escape(f"{title}: {', '.join(line.label for line in lines)}", quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}" '
        f'style="width: 100%; max-width: {_WIDTH}px; font: 13px sans-serif">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def ticks(low: float, high: float) -> list[float]:
    """Returns round numbers in even steps, from at most `low` to at least `high`.

    Args:
      low: The smallest value.
      high: The largest value.
    """
    size = max(abs(low), abs(high))
    if size < _TINY or high - low <= size * 1e-9:
        half = 0.5 if size < _TINY else size / 2
        low, high = low - half, high + half
    rough = (high - low) / _TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in _NICE if factor * unit >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _grid(frame: _Frame, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> Iterable[str]:
    for y in y_ticks:
        start, end = frame.at(frame.left, y), frame.at(frame.right, y)
        yield f'<path d="M{start} L{end}" stroke="var(--line)" fill="none"/>'
        yield text(_LEFT - 6, float(start.split(",")[1]) + 4, f"{y:.6g}", "end")
    for x in x_ticks:
        across = float(frame.at(x, frame.bottom).split(",")[0])
        yield text(across, _HEIGHT - _BOTTOM + 16, f"{x:.6g}", "middle")


def _line(frame: _Frame, line: Line, color: str, dash: str) -> str:
    points = line.points
    if len(points) == 1:
        x, y = frame.at(*points[0]).split(",")
        return f'<circle cx="{x}" cy="{y}" r="3.5" fill="var({color})"/>'
    places = " ".join(frame.at(*point) for point in points)
    return (
        f'<polyline points="{places}" fill="none" stroke="var({color})" stroke-width="2"'
        + (f' stroke-dasharray="{dash}"' if dash else "")
        + "/>"
    )


def _band(frame: _Frame, line: Line, color: str) -> str:
    places = " ".join(frame.at(*point) for point in line.band)
    return f'<polygon points="{places}" fill="var({color})" fill-opacity="0.18"/>'


def _legend(styles: Iterable[tuple[Line, str, str]]) -> Iterable[str]:
    right = float(_WIDTH - _RIGHT)
    for line, color, dash in reversed(list(styles)):
        yield text(right, 14, line.label, "end")
        right -= 7.5 * len(line.label) + 6
        yield (
            f'<path d="M{right - 24},10 L{right},10" stroke="var({color})" stroke-width="2" '
            f'stroke-dasharray="{dash or "none"}" fill="none"/>'
        )
        right -= 36


def text(x: float, y: float, words: str, anchor: str) -> str:
    """Returns words in a picture.

    Args:
      x: Where they are, across.
      y: Where their line is, downwards.
      words: What is said.
      anchor: What of them is at `x`: "start", "middle" or "end".
    """
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var(--soft)">'
        f"{html.escape(words)}</text>"
    )
