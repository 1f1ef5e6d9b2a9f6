from __future__ import annotations

import itertools
import math
from xml.etree import ElementTree

import hypothesis
import pytest
from hypothesis import strategies as st

from exporter import svg_plots

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_FLOATS = st.floats(-1e6, 1e6)


def _parsed(plot: str) -> ElementTree.Element:
    return ElementTree.fromstring(plot.replace("<svg ", f'<svg xmlns="{_NAMESPACE[1:-1]}" ', 1))


def _all(plot: str, tag: str) -> list[ElementTree.Element]:
    return list(_parsed(plot).iter(f"{_NAMESPACE}{tag}"))


def _places(element: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = (place.split(",") for place in element.attrib["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


def test_a_line_goes_from_edge_to_edge() -> None:
    plot = svg_plots.plot(
        "loss", [svg_plots.Line("a", [0, 5, 10], [0.0, 1.0, 0.5])], x_label="step", y_label="nats"
    )

    (line,) = _all(plot, "polyline")
    # 640 by 320, less the margins: up is less in SVG.
    assert _places(line) == [(64.0, 276.0), (344.0, 34.0), (624.0, 155.0)]
    texts = [text.text for text in _all(plot, "text")]
    assert texts == [
        *("0", "0.2", "0.4", "0.6", "0.8", "1"),
        *("0", "2", "4", "6", "8", "10"),
        *("a", "step", "loss (nats)"),
    ]
    assert _parsed(plot).attrib["aria-label"] == "loss: a"


def test_a_band_surrounds_its_line() -> None:
    line = svg_plots.Line("a", [0, 10], [1.0, 2.0], low=[0.0, 1.0], high=[2.0, 3.0])
    plot = svg_plots.plot("", [line], x_label="", y_label="")

    (band,) = _all(plot, "polygon")
    top_left, top_right, bottom_right, bottom_left = _places(band)
    (drawn,) = _all(plot, "polyline")
    start, end = _places(drawn)
    assert top_left[1] < start[1] < bottom_left[1]
    assert top_right[1] < end[1] < bottom_right[1]


def test_what_is_no_finite_number_is_left_out() -> None:
    line = svg_plots.Line("a", [0, 1, 2, 3], [1.0, math.nan, math.inf, 2.0])
    plot = svg_plots.plot("", [line], x_label="", y_label="")

    (drawn,) = _all(plot, "polyline")
    assert len(_places(drawn)) == 2
    assert "nan" not in plot
    assert "inf" not in plot


def test_one_point_is_a_dot() -> None:
    plot = svg_plots.plot("", [svg_plots.Line("a", [7], [0.5])], x_label="", y_label="")

    (dot,) = _all(plot, "circle")
    assert (dot.attrib["cx"], dot.attrib["cy"]) == ("344.0", "155.0")


def test_nothing_to_plot_is_said() -> None:
    lines = [svg_plots.Line("a", [], []), svg_plots.Line("b", [1], [math.nan])]
    assert svg_plots.plot("a < b", lines, x_label="", y_label="") == (
        "<p>a &lt; b: nothing to plot.</p>\n"
    )


def test_labels_are_text() -> None:
    lines = [svg_plots.Line('<"&', [0, 1], [0.0, 1.0])]
    plot = svg_plots.plot("a<b", lines, x_label="x&y", y_label="")

    assert _parsed(plot).attrib["aria-label"] == 'a<b: <"&'
    assert {'<"&', "a<b", "x&y"} <= {text.text for text in _all(plot, "text")}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.71, 0.93, [0.7, 0.75, 0.8, 0.85, 0.9, 0.95]),
        (1.0, 120.0, [0.0, 25.0, 50.0, 75.0, 100.0, 125.0]),
        (0.0, 0.0, [-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6]),
        (3.0, 3.0, [1.0, 2.0, 3.0, 4.0, 5.0]),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert svg_plots.ticks(low, high) == pytest.approx(expected)


@hypothesis.settings(deadline=None)
@hypothesis.given(_FLOATS, _FLOATS)
def test_ticks_enclose_what_is_plotted(a: float, b: float) -> None:
    low, high = sorted((a, b))
    found = svg_plots.ticks(low, high)

    slack = 1e-6 * (found[-1] - found[0])
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 9
    steps = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert steps == pytest.approx([steps[0]] * len(steps))


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(st.tuples(_FLOATS, _FLOATS), min_size=2, max_size=9))
def test_all_that_is_drawn_is_within_the_frame(points: list[tuple[float, float]]) -> None:
    xs, ys = zip(*points, strict=True)
    plot = svg_plots.plot("", [svg_plots.Line("a", xs, ys)], x_label="", y_label="")

    for x, y in _places(_all(plot, "polyline")[0]):
        assert 64 <= x <= 624
        assert 34 <= y <= 276
