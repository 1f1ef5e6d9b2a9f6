"""Dots in SVG, at literal places."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from exporter import svg_dots

_NAMESPACE = "{http://www.w3.org/2000/svg}"


def _all(plot: str, tag: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(plot.replace("<svg ", f'<svg xmlns="{_NAMESPACE[1:-1]}" ', 1))
    return list(root.iter(f"{_NAMESPACE}{tag}"))


def _dots(plot: str) -> list[tuple[str, str]]:
    """Returns each dot's place and what is said of it."""
    found = [(path, path.find(f"{_NAMESPACE}title")) for path in _all(plot, "path")]
    return [
        (path.attrib["transform"].removeprefix("translate"), said.text or "")
        for path, said in found
        if said is not None
    ]


def _texts(plot: str) -> list[str]:
    return [text.text or "" for text in _all(plot, "text")]


def test_dots_over_names() -> None:
    dots = [svg_dots.Dot(0, 1.0, "a"), svg_dots.Dot(0, 3.0, "b"), svg_dots.Dot(1, 4.0, "<c>")]
    plot = svg_dots.plot("size", [svg_dots.Series("", dots)], x_label="kind", names=["x", "y"])
    # 440 by 280: 364 wide from 62 for the names 0 and 1 with half a step on both sides, 188 high
    # from 234 up for 0 to 4.
    assert _dots(plot) == [
        ("(153.0,187.0)", "a: 1"),
        ("(153.0,93.0)", "b: 3"),
        ("(335.0,46.0)", "<c>: 4"),
    ]
    *grid, means = (line.attrib["points"] for line in _all(plot, "polyline"))
    assert grid[0] == "62.0,234.0 426.0,234.0"
    assert means == "153.0,140.0 335.0,46.0"
    assert _texts(plot) == ["size", "0", "1", "2", "3", "4", "x", "y", "kind"]
    assert 'aria-label="size by kind: 3 values, 1 to 4"' in plot


def test_series_are_beside_each_other() -> None:
    series = [
        svg_dots.Series(label, [svg_dots.Dot(x, 2.0, label) for x in (10, 20)]) for label in "ab"
    ]
    plot = svg_dots.plot("load", series, x_label="length")
    assert [place for place, _ in _dots(plot)] == [
        *("(75.0,46.0)", "(406.0,46.0)", "(82.0,46.0)", "(413.0,46.0)"),
    ]
    shapes = {path.attrib["d"] for path in _all(plot, "path")}
    colours = {path.attrib["fill"] for path in _all(plot, "path")}
    assert len(shapes) == 2
    assert colours == {"var(--first)", "var(--second)"}
    assert _texts(plot)[:3] == ["load", "a", "b"]
    assert _texts(plot)[-3:] == ["10", "20", "length"]


def test_one_value() -> None:
    plot = svg_dots.plot("a & b", [svg_dots.Series("", [svg_dots.Dot(5, 0.0, "n")])], x_label="<l>")
    assert _dots(plot) == [("(244.0,140.0)", "n: 0")]
    assert len(_all(plot, "polyline")) == len(_texts(plot)[1:-2])
    assert (_texts(plot)[0], _texts(plot)[-1]) == ("a & b", "<l>")


def test_what_is_no_number_is_left_out() -> None:
    dots = [
        svg_dots.Dot(0, math.nan, "a"),
        svg_dots.Dot(1, 2.0, "b"),
        svg_dots.Dot(2, math.inf, ""),
    ]
    plot = svg_dots.plot("t", [svg_dots.Series("", dots)], x_label="x")
    assert [said for _, said in _dots(plot)] == ["b: 2"]
    nothing = svg_dots.plot("<t>", [svg_dots.Series("", dots[:1])], x_label="x")
    assert nothing == "<p>&lt;t&gt;: nothing to plot.</p>\n"


def test_names_are_not_written_over_each_other() -> None:
    names = [f"vocabulary number {i}" for i in range(40)]
    dots = [svg_dots.Dot(i, 1.0, name) for i, name in enumerate(names)]
    plot = svg_dots.plot("t", [svg_dots.Series("", dots)], x_label="x", names=names)
    shown = [text for text in _texts(plot) if text.startswith("vocab")]
    assert shown == ["vocabulary numb…"] * 4
    assert len(_dots(plot)) == 40


def test_very_many_are_an_area() -> None:
    dots = [svg_dots.Dot(i // 2, float(i % 2), "") for i in range(2000)]
    plot = svg_dots.plot("t", [svg_dots.Series("", dots)], x_label="x")
    assert _dots(plot) == []
    (area,) = _all(plot, "polygon")
    assert len(area.attrib["points"].split()) == 2000
    ticks = [text for text in _texts(plot) if re.fullmatch(r"\d+00", text)]
    assert ticks == ["200", "400", "600", "800", "1000"]
