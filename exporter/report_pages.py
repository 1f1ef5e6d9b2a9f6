"""Writes reports: as JSON, as a table of text, and as a page of HTML that needs nothing else."""

from __future__ import annotations

import html
import string
from collections.abc import Iterable

from exporter import records, reports

_PAGE = string.Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>$title</title>
<style>
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
table { border-collapse: collapse; margin-bottom: 2em; width: 100%; }
td, th { border-bottom: 1px solid #ddd; padding: .3em .8em .3em 0; text-align: left;
         vertical-align: top; }
.passed { color: #06752b; } .failed { color: #b00020; font-weight: bold; }
.noted { color: #8a5a00; } .skipped { color: #666; }
.hint { color: #444; font-size: 90%; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$verdict</p>
$sections
</body>
</html>
"""
)
_SECTION = string.Template(
    """<h2>$subject</h2>
<p>$counts</p>
<table>
<tr><th>check</th><th>result</th><th>found</th></tr>
$rows
</table>
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
    return _PAGE.substitute(
        title=html.escape(f"Verification of {title}"),
        verdict=html.escape(reports.verdict(found)),
        sections="".join(map(_section, found)),
    )


def _section(report: reports.Report) -> str:
    rows = "\n".join(map(_row, report.checks))
    return _SECTION.substitute(
        subject=html.escape(report.subject), counts=html.escape(report.counts()), rows=rows
    )


def _row(check: reports.Check) -> str:
    hint = ""
    if check.status == reports.FAILED and check.look_at is not None:
        hint = f'<br><span class="hint">look at: {html.escape(check.look_at)}</span>'
    return _ROW.substitute(
        name=html.escape(check.name),
        status=check.status,
        label=_LABELS.get(check.status, check.status),
        found=html.escape(check.found),
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
