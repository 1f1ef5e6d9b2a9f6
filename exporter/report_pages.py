"""Writes reports: as JSON, as a table of text, and as a page of HTML that needs nothing else."""

from __future__ import annotations

import html
import string
from collections.abc import Iterable

from exporter import pages, records, reports

_SECTION = string.Template(
    """<h2>$subject</h2>
<p>$counts</p>
$table"""
)
_TABLE = string.Template(
    """<div class="wide"><table>
<tr><th>check</th><th>result</th><th>found</th></tr>
$rows
</table></div>
"""
)
_ROW = string.Template('<tr><td>$name</td><td class="$status">$label</td><td>$found$hint</td></tr>')
_LABELS = {reports.SKIPPED: "not checked", reports.NOTED: "note"}


def page(title: str, found: Iterable[reports.Report]) -> str:
    """Returns reports as a page of HTML.

    Args:
      title: What was checked.
      found: The reports.
    """
    found = tuple(found)
    sections = "".join(map(_section, found))
    return pages.page(f"Verification of {title}", reports.verdict(found), sections)


def _section(report: reports.Report) -> str:
    return _SECTION.substitute(
        subject=html.escape(report.subject),
        counts=html.escape(report.counts()),
        table=table(report.checks),
    )


def table(checks: Iterable[reports.Check]) -> str:
    """Returns checks as a table of HTML, for a page of `pages`."""
    return _TABLE.substitute(rows="\n".join(map(_row, checks)))


def _row(check: reports.Check) -> str:
    hint = ""
    if check.status == reports.FAILED and check.look_at is not None:
        hint = f'<br><span class="hint">look at: {html.escape(check.look_at)}</span>'
    return _ROW.substitute(
        name=html.escape(check.name),
        status=check.status,
        label=_LABELS.get(check.status, check.status),
        found=html.escape(check.told),
        hint=hint,
    )


def write(folder: str, title: str, found: Iterable[reports.Report]) -> None:
    """Writes `report.json`, `report.txt` and `report.html`.

    Args:
      folder: Made where it does not exist.
      title: What was checked.
      found: The reports.
    """
    found = tuple(found)
    records.write(
        folder,
        {
            "report.json": reports.to_json(found),
            "report.txt": reports.table(found),
            "report.html": page(title, found),
        },
    )
