"""The page that all reports of HTML are written on: one file that needs nothing else."""

from __future__ import annotations

import html
import string
from collections.abc import Iterable, Sequence

# Colours have names, so that what is drawn on the page follows its light or dark scheme.
_PAGE = string.Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { --page: #fff; --text: #1b1b1b; --soft: #5c5c5c; --line: #ddd; --good: #06752b;
        --bad: #b00020; --note: #8a5a00; --first: #1f5fa8; --second: #b84a00; --third: #6a3d9a;
        --fourth: #00796b; }
@media screen and (prefers-color-scheme: dark) {
:root { --page: #16181b; --text: #e6e6e6; --soft: #a5a9ad; --line: #3a3d41; --good: #6fcf8b;
        --bad: #ff8a94; --note: #e5b567; --first: #7ab6ff; --second: #ffa562; --third: #c9a6f5;
        --fourth: #5cc9bb; } }
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em;
       background: var(--page); color: var(--text); }
h1, td, th { overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin-bottom: 2em; }
.wide td, .wide th { overflow-wrap: normal; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .3em .8em .3em 0; text-align: left;
         vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
.passed { color: var(--good); } .failed { color: var(--bad); font-weight: bold; }
.noted { color: var(--note); } .skipped, .hint { color: var(--soft); }
.hint { font-size: 90%; }
$style</style>
</head>
<body>
<h1>$title</h1>
<p>$summary</p>
$body
</body>
</html>
"""
)

_NUMBER = ' class="number"'


def page(title: str, summary: str, body: str, style: str = "") -> str:
    """Returns a page.

    Args:
      title: Its title, as text.
      summary: What is said first, as text.
      body: The rest, as HTML.
      style: More CSS. Colours are `var(--text)`, `--soft`, `--line`, `--good`, `--bad`, `--note`
        and, for what is plotted, `--first` to `--fourth`.
    """
    return _PAGE.substitute(
        title=html.escape(title), summary=html.escape(summary), body=body, style=style
    )


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int | None = None
) -> str:
    """Returns a table that scrolls sideways where the page is narrow.

    Args:
      head: What is above the columns, as text.
      rows: The cells, as text.
      numbers_from: The first of the columns that are numbers, which are aligned to the right.
    """
    lines = [_row("th", head, numbers_from), *(_row("td", row, numbers_from) for row in rows)]
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>\n"


def _row(tag: str, cells: Sequence[str], numbers_from: int | None) -> str:
    first = len(cells) if numbers_from is None else numbers_from
    inner = (
        f"<{tag}{_NUMBER if column >= first else ''}>{html.escape(cell)}</{tag}>"
        for column, cell in enumerate(cells)
    )
    return f"<tr>{''.join(inner)}</tr>"
