"""What a vocabulary shows of the casing that it was made with."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from exporter import errors

SETTING = "tokenizer.do_lower_case"
EXCEPTION = "checks.allow_unlikely_casing"

# Lower-casing changes 15 of the 26,930 pieces with letters in original BERT's uncased vocabulary
# (ß, ﬁ and the like), but a third of a cased English one. One in a hundred is far from both.
_LEAST_SHARE = 0.01
_LEAST_COUNT = 10
# If one piece in twenty had a capital letter, 200 without one would be found once in 28,000 times.
_ENOUGH = 200
_SHOWN = 4


def mistakes(
    pieces: Iterable[str],
    *,
    lower_case: bool,
    strip_accents: bool,
    source: str,
    folds_case: bool = False,
) -> list[errors.UserError]:
    """Returns the mistake of a casing that the vocabulary is clear evidence against.

    Args:
      pieces: The vocabulary, with the marks of WordPiece or SentencePiece.
      lower_case: Whether text is lower-cased before it is tokenized.
      strip_accents: Whether it is stripped of accents.
      source: The vocabulary's file, for the error.
      folds_case: Whether the tokenizer lower-cases by itself, as some SentencePiece models do.
    """
    words = [_text(piece) for piece in pieces if not _is_special(piece)]
    cased = [word for word in words if word.lower() != word.upper()]
    if lower_case:
        lost = [word for word in words if _is_changed(word, strip_accents)]
        if len(lost) < max(_LEAST_COUNT, _LEAST_SHARE * len(cased)):
            return []
        rule = (
            "Text must not be lower-cased for a vocabulary with upper-case or accented pieces, "
            "which would never be used"
        )
        return [_mistake(rule, False, f"{len(lost)} such pieces in {source}, as {_few(lost)}")]
    upper = any(word != word.lower() for word in cased)
    if upper or folds_case or len(cased) < _ENOUGH:
        return []
    rule = (
        "Text must be lower-cased for a vocabulary without any upper-case piece, to which words "
        "with capitals are unknown"
    )
    return [_mistake(rule, True, f"{len(cased)} pieces with letters in {source}, no capital")]


def _mistake(rule: str, right: bool, received: str) -> errors.UserError:
    return errors.UserError(
        f"{rule}. If it is meant, {EXCEPTION} = True allows it.",
        example=f"--do_lower_case={str(right).lower()}",
        received=received,
        setting=SETTING,
    )


def _few(words: Sequence[str]) -> str:
    return ", ".join(sorted(words, key=lambda word: (-len(word), word))[:_SHOWN])


def _is_special(piece: str) -> bool:
    return (piece[:1], piece[-1:]) in {("[", "]"), ("<", ">")}


def _text(piece: str) -> str:
    return piece.removeprefix("##").lstrip("\u2581")


def _is_changed(word: str, strip_accents: bool) -> bool:
    """Whether lower-casing, and stripping accents, changes a word."""
    if word.isascii() or not strip_accents:
        return word != word.lower()
    folded = unicodedata.normalize("NFD", word.casefold())
    return "".join(c for c in folded if unicodedata.category(c) != "Mn") != word
