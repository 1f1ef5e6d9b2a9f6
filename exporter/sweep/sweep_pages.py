"""A sweep's results as a page: a table that can be sorted, and plots over the axes."""

from __future__ import annotations

import collections
import dataclasses
import html
import json
import urllib.parse
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from exporter import pages, svg_dots

Record = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class _Column:
    """A number of each export.

    Attributes:
      key: Its name in the records.
      title: What it is called, with its unit.
      unit: What it is divided by.
      digits: How it is written.
    """

    key: str
    title: str
    unit: float = 1
    digits: str = ".3f"

    def value(self, record: Record) -> float | None:
        """Returns it in its unit, or None where it is not known."""
        value = record.get(self.key)
        return None if value is None else value / self.unit

    def cell(self, record: Record) -> str:
        """Returns it as a cell of the table."""
        value = self.value(record)
        shown = "" if value is None else f"{value:{self.digits}}"
        return _cell(shown, "" if value is None else repr(value), "number")


_BYTES = _Column("bytes", "size, MB", 1e6, ".2f")
_LOAD = _Column("load_seconds", "load time, s")
_DIFFERENCE = _Column("max_difference", "largest difference", digits=".3g")
_PLOTTED = (_BYTES, _LOAD, _DIFFERENCE)
_NUMBERS = (
    _BYTES,
    _Column("saved_model_bytes", "saved_model.pb, MB", 1e6),
    _LOAD,
    _Column("seconds", "export time, s", digits=".1f"),
    _DIFFERENCE,
    _Column("step", "step", digits=".0f"),
)
_COLOURS = len(svg_dots.COLORS)
_STYLE = """body { max-width: 90em; }
th button { font: inherit; font-weight: bold; color: inherit; background: none;
            border: 0; padding: 0; cursor: pointer; text-align: inherit; }
th button::after { content: " \\2195"; color: var(--soft); font-weight: normal; }
th[aria-sort=ascending] button::after { content: " \\2191"; color: inherit; }
th[aria-sort=descending] button::after { content: " \\2193"; color: inherit; }
th button:focus-visible, a:focus-visible, summary:focus-visible {
  outline: 2px solid var(--first); outline-offset: 2px; }
a { color: var(--first); }
th[scope=row] { font-weight: normal; min-width: 12em; }
.wide:focus-visible { outline: 2px solid var(--first); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5em 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr));
         gap: 1em; }
@media print { body { max-width: none; margin: 0; } .wide { overflow: visible; }
  th button::after { content: ""; } tr, svg { break-inside: avoid; } a { color: inherit; } }
"""
# Numbers by value, texts as people sort them; what is not known comes last.
_SCRIPT = """<script>
"use strict";
function sort(head) {
  const body = head.closest("table").tBodies[0];
  const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const key = (row) => row.cells[head.cellIndex].dataset.value;
  const isNumber = head.classList.contains("number");
  const compare = (a, b) => isNumber ? a - b : a.localeCompare(b, undefined, {numeric: true});
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const rows = Array.from(body.rows);
  rows.sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    if (left === "" || right === "") return (left === "") - (right === "");
    return sign * compare(left, right);
  });
  body.append(...rows);
}
for (const button of document.querySelectorAll("th button"))
  button.addEventListener("click", () => sort(button.closest("th")));
</script>
"""


def page(
    folder: str, labels: Sequence[str], records: Sequence[Record], scored: Sequence[str] = ()
) -> str:
    """Returns the page.

    Args:
      folder: The sweep's folder, in which the page is.
      labels: The axes' labels.
      records: The results, as `results.write` returns them.
      scored: The names of the exports' scores in them, which are shown first.
    """
    scores = [
        _Column(name, name, digits=".1f" if name.endswith("_per_second") else ".4f")
        for name in scored
    ]
    name = folder.rstrip("/").rpartition("/")[2]
    plots = "".join(_plots(labels, records, [*scores, *_PLOTTED]))
    body = f"{_table(labels, records, [*scores, *_NUMBERS])}{_failures(records)}{plots}{_SCRIPT}"
    return pages.page(f"Sweep {name}", _summary(records), body, _STYLE)


def _summary(records: Sequence[Record]) -> str:
    counts = collections.Counter(record["status"] for record in records)
    total = sum(record["bytes"] or 0 for record in records)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return (
        f"{len(records)} exports: {told}; {total / 1e6:.1f} MB, where equal files count each time."
    )


def _table(labels: Sequence[str], records: Sequence[Record], columns: Sequence[_Column]) -> str:
    numbers = {label for label in labels if _is_number(label, records)}
    heads = [
        _head("name", ""),
        *(_head(label, "number" if label in numbers else "") for label in labels),
        _head("status", ""),
        *(_head(column.title, "number") for column in columns),
        _head("verification", ""),
    ]
    rows = "\n".join(
        f"<tr>{''.join(_cells(labels, numbers, columns, record))}</tr>" for record in records
    )
    return (
        '<p class="hint">A click on a column\'s name sorts by it; another one, the other way round.'
        '</p>\n<div class="wide" tabindex="0" role="region" aria-label="Results"><table>\n'
        f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table></div>\n"
    )


def _head(title: str, kind: str) -> str:
    return (
        f'<th scope="col" class="{kind}"><button type="button">{html.escape(title)}</button></th>'
    )


def _cells(
    labels: Sequence[str], numbers: Container[str], columns: Sequence[_Column], record: Record
) -> Iterator[str]:
    name, card = html.escape(record["name"]), _link(record["record"], "README.md")
    is_complete = record["status"] == "succeeded"
    shown = f'<a href="{card}">{name}</a>' if is_complete else name
    yield f'<th scope="row" data-value="{name}">{shown}</th>'
    for label in labels:
        value = _shown(record[label]) if label in record else ""
        yield _cell(value, value, "number" if label in numbers else "")
    yield _status(record)
    for column in columns:
        yield column.cell(record)
    yield _verification(record)


def _status(record: Record) -> str:
    status = html.escape(record["status"])
    kind = {"succeeded": "passed", "failed": "failed"}.get(record["status"], "noted")
    shown = f'<span class="{kind}">{status}</span>'
    if record["status"] != "missing":
        shown = f'<a class="{kind}" href="{_link(record["log"])}">{status}</a>'
    return f'<td data-value="{status}">{shown}</td>'


def _verification(record: Record) -> str:
    found = record["verification"]
    if found != "passed":
        return _cell(found or "", found or "")
    report, count = _link(record["record"], "report.txt"), record["checks_passed"]
    return f'<td data-value="passed {count}"><a href="{report}">passed</a>, {count} checks</td>'


def _failures(records: Sequence[Record]) -> str:
    """What was said of those that failed."""
    told = []
    for record in records:
        if record["message"] is not None:
            first, _, rest = record["message"].partition("\n")
            more = f"<pre>{html.escape(rest)}</pre>" if rest else ""
            told.append(
                f"<details><summary><strong>{html.escape(record['name'])}</strong>: "
                f"{html.escape(first)}</summary>{more}</details>\n"
            )
    return f"<h2>What failed</h2>\n{''.join(told)}" if told else ""


def _cell(shown: str, value: str, kind: str = "") -> str:
    return f'<td class="{kind}" data-value="{html.escape(value)}">{html.escape(shown)}</td>'


def _link(*parts: str) -> str:
    """A path relative to the page; a colon in it is no scheme's."""
    return "./" + urllib.parse.quote("/".join(parts))


def _is_number(label: str, records: Sequence[Record]) -> bool:
    """Whether an axis has nothing but numbers."""
    return all(type(record[label]) in (int, float) for record in records if label in record)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plots(
    labels: Sequence[str], records: Sequence[Record], columns: Sequence[_Column]
) -> Iterator[str]:
    """Plots over each axis with several values, of what is known of several exports."""
    for label in labels:
        there = [record for record in records if label in record]
        values = list(dict.fromkeys(_shown(record[label]) for record in there))
        plotted = [c for c in columns if any(c.value(record) is not None for record in there)]
        if len(values) > 1 and plotted:
            yield f'<h2>By {html.escape(label)}</h2>\n<div class="plots">\n'
            for column in plotted:
                yield _plot(column, label, labels, there)
            yield "</div>\n"


def _plot(column: _Column, label: str, labels: Sequence[str], records: Sequence[Record]) -> str:
    is_number = _is_number(label, records)
    names = [] if is_number else list(dict.fromkeys(_shown(record[label]) for record in records))
    coloured = _coloured_by(label, labels, records)
    series: dict[str, list[svg_dots.Dot]] = {}
    for record in records:
        value = column.value(record)
        if value is not None:
            x = record[label] if is_number else names.index(_shown(record[label]))
            key = "" if coloured is None else _shown(record.get(coloured))
            series.setdefault(key, []).append(svg_dots.Dot(x, value, record["name"]))
    made = [svg_dots.Series(key, dots) for key, dots in series.items()]
    return svg_dots.plot(column.title, made, x_label=label, names=names)


def _coloured_by(label: str, labels: Sequence[str], records: Sequence[Record]) -> str | None:
    """The other axis by which dots are coloured: the first with as many values as colours."""
    for other in labels:
        count = len({_shown(record.get(other)) for record in records})
        if other != label and 1 < count <= _COLOURS:
            return other
    return None
