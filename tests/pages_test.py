from __future__ import annotations

import html.parser

from exporter import pages


class _Texts(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())


def _texts(page: str) -> dict[str, list[str]]:
    parser = _Texts()
    parser.feed(page)
    assert not parser.open, "all that is opened is closed"
    return parser.texts


def test_a_page_holds_what_it_is_given_as_text() -> None:
    texts = _texts(pages.page("a < b", "1 & 2", "<h2>part</h2>", "h2 { color: var(--good); }\n"))

    assert texts["title"] == texts["h1"] == ["a < b"]
    assert texts["p"] == ["1 & 2"]
    assert texts["h2"] == ["part"]
    assert texts["style"][0].endswith("h2 { color: var(--good); }")


def test_every_colour_is_there_in_light_and_dark() -> None:
    page = pages.page("title", "summary", "")
    names = ("page", "text", "soft", "line", "good", "bad", "note")
    for name in (*names, "first", "second", "third", "fourth"):
        assert page.count(f"--{name}: #") == 2, name


def test_a_table() -> None:
    table = pages.table(["arm", "score"], [["export", "0.9"], ["<b>", "0.8"]], numbers_from=1)

    assert '<td class="number">0.9</td>' in table
    assert '<td class="number">export' not in table
    assert _texts(table) == {"th": ["arm", "score"], "td": ["export", "0.9", "<b>", "0.8"]}
