"""English sentences that every machine with CPython has: its reference manual and docstrings.

The text depends on the version of Python, and a little on what a distribution leaves out of it.
"""

from __future__ import annotations

import ast
import pathlib
import pydoc_data.topics
import re
import sysconfig
from collections.abc import Iterator

Document = list[str]

# Third-party packages, tests (which some distributions leave out) and copies of other corpus text.
_SKIPPED_DIRECTORIES = frozenset(
    {"site-packages", "dist-packages", "test", "tests", "idle_test", "ensurepip", "pydoc_data"}
)
_PLAIN_CHARACTERS = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--", "`*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_NOT_PROSE = re.compile(r">>>|::=|[{}\\|<>=_@]|\w\(")
_MIN_WORDS = 4
_MAX_WORDS = 60
_MIN_SHARE_OF_LETTERS = 0.9


def documents() -> list[Document]:
    """Returns the corpus: one document for each topic of the manual and each documented module.

    Returns:
      Documents in a fixed order, each a list of at least two sentences. No sentence occurs twice.
    """
    seen: set[str] = set()
    found = []
    for text in _texts():
        sentences = [s for s in dict.fromkeys(_sentences(text)) if s not in seen]
        seen.update(sentences)
        if len(sentences) > 1:
            found.append(sentences)
    return found


def _texts() -> Iterator[str]:
    """Yields a text for each document; paragraphs are separated by empty lines."""
    for _, topic in sorted(pydoc_data.topics.topics.items()):
        yield topic
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if _SKIPPED_DIRECTORIES.isdisjoint(path.relative_to(library).parts):
            yield "\n\n".join(_docstrings(path))


def _docstrings(path: pathlib.Path) -> Iterator[str]:
    """Yields the docstrings of a module and of everything defined in it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, documented):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring


def _sentences(text: str) -> Iterator[str]:
    """Yields the sentences of prose in `text`, without mark-up, each on one line."""
    for paragraph in re.split(r"\n\s*\n", text.translate(_PLAIN_CHARACTERS)):
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            if _is_prose(sentence):
                yield sentence


def _is_prose(sentence: str) -> bool:
    """Tells sentences from code, tables, headings and grammar."""
    if not _MIN_WORDS <= len(sentence.split()) <= _MAX_WORDS or _NOT_PROSE.search(sentence):
        return False
    letters = sum(c.isalpha() or c.isspace() for c in sentence)
    return sentence[-1] in ".!?" and letters >= _MIN_SHARE_OF_LETTERS * len(sentence)
