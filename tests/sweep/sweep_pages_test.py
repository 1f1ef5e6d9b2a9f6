"""A sweep's page: what is on it, and in a browser that sorts it."""

from __future__ import annotations

import html.parser
import re
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.sweep import sweep_pages
from tests import browsers

_EVIL = "<script>alert(1)</script>\"'&:/"


def _record(name: str, size: int | None, **more: Any) -> dict[str, Any]:
    """A record as `results.write` returns it."""
    failed = size is None
    return {
        "name": name,
        "status": "failed" if failed else "succeeded",
        "message": f"{_EVIL}: rule\n  received: {_EVIL}" if failed else None,
        "seconds": 1.25,
        "bytes": size,
        "saved_model_bytes": None if failed else 200_000,
        "load_seconds": None if failed else 0.5,
        "verification": None if failed else "passed",
        "checks_passed": None if failed else 15,
        "max_difference": None if failed else 1e-7,
        "step": None if failed else 6000,
        "export": name,
        "record": f"{name}.record",
        "log": f"{name}.record/log.txt",
        "digest": "00",
        **more,
    }


_RECORDS = [
    _record("a-9", 9_000_000, pooler="a", length=9),
    _record("b-9", 30_000_000, pooler="b", length=9),
    _record("a-100", None, pooler="a", length=100),
    _record("b-100", 100_000_000, pooler="b", length=100),
]
_LABELS = ["pooler", "length"]


def test_scores_come_first_and_are_plotted() -> None:
    scored = [
        {**record, "linear_probe.accuracy": 0.5 + i / 10, "linear_probe.accuracy.low": 0.1}
        for i, record in enumerate(_RECORDS)
    ]
    page = sweep_pages.page("/out", _LABELS, scored, ["linear_probe.accuracy"])
    head, *rows = _Table(page).rows
    assert head[:5] == ["name", "pooler", "length", "status", "linear_probe.accuracy"]
    assert [row[4] for row in rows] == ["0.5000", "0.6000", "0.7000", "0.8000"]
    assert "linear_probe.accuracy.low" not in page
    plots = re.findall('<svg[^>]*aria-label="([^"]*)"', page)
    assert sum("linear_probe.accuracy" in plot for plot in plots) == 2


class _Table(html.parser.HTMLParser):
    """Collects the texts of the table's cells, and all links and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.scripts = 0
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True
        elif tag == "script":
            self.scripts += 1
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data


def test_the_table() -> None:
    page = sweep_pages.page("/sweeps/first", _LABELS, _RECORDS)
    assert "<h1>Sweep first</h1>\n<p>4 exports: 3 succeeded, 1 failed; 139.0 MB, " in page
    rows = _Table(page).rows
    assert rows[0] == [
        *("name", "pooler", "length", "status", "size, MB", "saved_model.pb, MB", "load time, s"),
        *("export time, s", "largest difference", "step", "verification"),
    ]
    assert rows[1] == [
        *("a-9", "a", "9", "succeeded", "9.00", "0.200", "0.500", "1.2", "1e-07", "6000"),
        "passed, 15 checks",
    ]
    assert rows[3] == ["a-100", "a", "100", "failed", "", "", "", "1.2", "", "", ""]


def test_links_are_into_the_folder() -> None:
    page = sweep_pages.page("/sweeps/first", _LABELS, _RECORDS)
    assert _Table(page).links[:5] == [
        *("./a-9.record/README.md", "./a-9.record/log.txt", "./a-9.record/report.txt"),
        *("./b-9.record/README.md", "./b-9.record/log.txt"),
    ]
    assert "./a-100.record/log.txt" in page
    assert "./a-100.record/README.md" not in page
    assert not re.findall(r"https?:|url\(|@import", page)


def test_texts_of_users_are_texts() -> None:
    records = [
        _record(_EVIL, 1000, **{_EVIL: _EVIL}, status=_EVIL, verification=_EVIL),
        _record("other", None, **{_EVIL: ["a", None]}),
    ]
    page = sweep_pages.page(f"/{_EVIL[:-1]}", [_EVIL], records)
    table = _Table(page)
    assert table.scripts == 1
    assert table.rows[1][:4] == [_EVIL, _EVIL, _EVIL, "0.00"]
    assert table.rows[2][:3] == ["other", '["a", null]', "failed"]
    assert page.count("<script>") == 1
    assert page.count("alert(1)") == page.count("&lt;script&gt;alert(1)&lt;/script&gt;")
    for link in table.links:
        assert re.fullmatch(r"\./[\w%./-]+", link)


def test_plots_are_over_axes_of_several_values() -> None:
    records = [{**record, "seed": 1} for record in _RECORDS]
    page = sweep_pages.page("/s", [*_LABELS, "seed"], records)
    assert re.findall(r"<h2>(.*)</h2>", page) == ["What failed", "By pooler", "By length"]
    assert re.findall(r'aria-label="(.*?)"', page)[1:] == [
        "size, MB by pooler: 3 values, 9 to 100",
        "load time, s by pooler: 3 values, 0.5 to 0.5",
        "largest difference by pooler: 3 values, 1e-07 to 1e-07",
        "size, MB by length: 3 values, 9 to 100",
        "load time, s by length: 3 values, 0.5 to 0.5",
        "largest difference by length: 3 values, 1e-07 to 1e-07",
    ]


def test_nothing_is_plotted_of_nothing() -> None:
    page = sweep_pages.page("/s", ["length"], [_record("a", None, length=1, message=None)])
    assert "<svg" not in page
    assert "<h2>" not in page


@pytest.fixture(name="browser", scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browsers.Page]:
    path = tmp_path_factory.mktemp("sweep") / "results.html"
    path.write_text(sweep_pages.page("/sweeps/first", _LABELS, _RECORDS))
    with browsers.page() as page:
        page.open(path)
        yield page
        assert page.requests == [path.as_uri()]
        assert page.complaints == []


_ORDER = "Array.from(document.querySelectorAll('tbody th'), cell => cell.textContent).join(' ')"
_SORTED = (
    "Array.from(document.querySelectorAll('th[aria-sort]'), "
    "head => head.textContent + ' ' + head.getAttribute('aria-sort')).join()"
)


def _click(title: str) -> str:
    return (
        "Array.from(document.querySelectorAll('th button')).find(button => "
        f"button.textContent === '{title}').click()"
    )


def test_a_click_on_a_name_sorts(browser: browsers.Page) -> None:
    assert browser.value(_ORDER) == "a-9 b-9 a-100 b-100"
    assert browser.value(_SORTED) == ""
    browser.value(_click("size, MB"))
    assert browser.value(_ORDER) == "a-9 b-9 b-100 a-100"
    assert browser.value(_SORTED) == "size, MB ascending"
    browser.value(_click("size, MB"))  # What is not known stays last.
    assert browser.value(_ORDER) == "b-100 b-9 a-9 a-100"
    assert browser.value(_SORTED) == "size, MB descending"
    browser.value(_click("name"))  # As people sort, 9 before 100.
    assert browser.value(_ORDER) == "a-9 a-100 b-9 b-100"
    assert browser.value(_SORTED) == "name ascending"


def test_keys_do_the_same(browser: browsers.Page) -> None:
    browser.value("document.querySelector('.wide').focus()")
    for _ in range(3):
        browser.press("Tab")
    assert browser.value("document.activeElement.textContent") == "length"
    browser.press("Enter")
    assert browser.value(_SORTED) == "length ascending"
    browser.press("Enter")
    assert browser.value(_ORDER) == "a-100 b-100 a-9 b-9"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser: browsers.Page, scheme: str) -> None:
    browser.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    page = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(_channels(page)) < 300) == (scheme == "dark")
    for part in ("body", ".hint", "td a", "th a", ".failed", "tbody th"):
        colour = browser.value(f"getComputedStyle(document.querySelector('{part}')).color")
        assert _contrast(page, colour) >= 4.5, part


def test_it_prints_light_and_whole(browser: browsers.Page) -> None:
    browser.call(
        "Emulation.setEmulatedMedia",
        media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("getComputedStyle(document.querySelector('.wide')).overflowX") == "visible"


def test_the_page_is_no_wider_than_a_telephone(browser: browsers.Page) -> None:
    browser.call("Emulation.setEmulatedMedia", media="screen")
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=800,
        deviceScaleFactor=1,
        mobile=True,
    )
    assert browser.value("document.documentElement.scrollWidth") == 360


def _channels(colour: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", colour)[:3]]


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG 2.1 defines it (relative luminance)."""
    lights = []
    for colour in (one, other):
        parts = [channel / 255 for channel in _channels(colour)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)
