"""English text that every machine with CPython has, and a WordPiece vocabulary of its words.

What is tokenized for measuring is the reference manual (`pydoc_data.topics`). The vocabulary is
learnt from the sources of the standard library, not from the manual: most of the manual's words
are pieces of their own, as with a vocabulary learnt from other English, and some are split.
"""

from __future__ import annotations

import collections
import pathlib
import re
import string
import sysconfig
from collections.abc import Iterator
from pydoc_data.topics import topics

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# As in BERT's English vocabulary: about a fifth of the pieces continue a word.
_SHARE_OF_WORDS = 0.8
_LONGEST_SUFFIX = 6
# Of batches: all would take minutes.
_STEP = 6
# Code, grammar, tables and titles.
_NO_PROSE = re.compile(r"^(\s{4,}|.*(::=|>>>|\*{4}|={4}|-{4}))", re.MULTILINE)
_SENTENCE = re.compile(r"[A-Z](\S+\s+){3,}\S+[.!?]")
_SKIPPED_DIRECTORIES = frozenset({"site-packages", "dist-packages", "pydoc_data", "test", "tests"})


def lines() -> list[str]:
    """Returns the manual's lines that are not empty, without the space around them."""
    texts = (text for _, text in sorted(topics.items()))
    stripped = (line.strip() for text in texts for line in text.splitlines())
    return [line for line in stripped if line]


def sentences() -> list[str]:
    """Returns the manual's sentences, each once: paragraphs of prose, split where they end."""
    found = {}
    for _, text in sorted(topics.items()):
        for paragraph in re.split(r"\n\s*\n", text):
            if not _NO_PROSE.search(paragraph):
                whole = " ".join(paragraph.split())
                found.update(dict.fromkeys(re.split(r"(?<=[.!?])\s+(?=[A-Z])", whole)))
    return [sentence for sentence in found if _SENTENCE.fullmatch(sentence)]


def batches(size: int = 32, step: int = _STEP) -> list[list[str]]:
    """Returns sentences in batches, sorted by their length, as one embeds many.

    Args:
      size: How many sentences a batch has.
      step: Which batches are taken, from the shortest to the longest: each `step`-th.
    """
    ordered = sorted(sentences(), key=len)
    starts = range(0, len(ordered) - size + 1, size)
    return [ordered[start : start + size] for start in starts[::step]]


def wordpieces(size: int) -> list[str]:
    """Makes an uncased WordPiece vocabulary.

    Args:
      size: The number of pieces: special tokens, characters, the most frequent words, the most
        frequent ends of words and, should these not suffice, unused ones.
    """
    counts = _word_counts()
    suffixes: collections.Counter[str] = collections.Counter()
    for word, count in counts.items():
        for length in range(1, min(_LONGEST_SUFFIX, len(word) - 1) + 1):
            suffixes["##" + word[-length:]] += count
    pieces = dict.fromkeys([*SPECIAL_TOKENS, *string.punctuation, *_characters()])
    words = int(size * _SHARE_OF_WORDS)
    pieces |= dict.fromkeys(_most_frequent(counts)[: words - len(pieces)])
    pieces |= dict.fromkeys(_most_frequent(suffixes))
    pieces |= dict.fromkeys(f"[unused{i}]" for i in range(size))
    return list(pieces)[:size]


def _characters() -> Iterator[str]:
    for character in string.ascii_lowercase + string.digits:
        yield character
        yield "##" + character


def _word_counts() -> collections.Counter[str]:
    counts: collections.Counter[str] = collections.Counter()
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for path in library.rglob("*.py"):
        if _SKIPPED_DIRECTORIES.isdisjoint(path.relative_to(library).parts):
            text = path.read_text(encoding="utf-8", errors="ignore").lower()
            counts.update(re.findall(r"[a-z]+|[0-9]+", text))
    return counts


def _most_frequent(counts: collections.Counter[str]) -> list[str]:
    return sorted(counts, key=lambda word: (-counts[word], word))
