from __future__ import annotations

import pytest

from exporter import casing

_LOWER = [f"{a}{b}" for a in "abcdefghijklmno" for b in "pqrstuvwxyzabcd"]
_ACCENTED = [f"é{word}" for word in _LOWER[:30]]
_UPPER = [word.title() for word in _LOWER[:30]]
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "<s>"]


@pytest.mark.parametrize(
    ("pieces", "lower_case", "strip_accents", "received"),
    [
        (_LOWER, True, True, None),
        (_LOWER + _SPECIAL, True, True, None),
        (_LOWER + _ACCENTED, True, True, "30 such pieces in vocab.txt, as éaa, éab, éac, éad"),
        # Kept as they are.
        (_LOWER + _ACCENTED, True, False, None),
        (_LOWER + _UPPER, True, False, "30 such pieces in vocab.txt, as Aa, Ab, Ac, Ad"),
        (_LOWER + _UPPER, False, False, None),
        (_LOWER + _ACCENTED, False, False, "255 pieces with letters in vocab.txt, no capital"),
        (_LOWER[:150], False, False, None),
    ],
)
def test_evidence_of_casing(
    pieces: list[str], lower_case: bool, strip_accents: bool, received: str | None
) -> None:
    found = casing.mistakes(
        pieces, lower_case=lower_case, strip_accents=strip_accents, source="vocab.txt"
    )
    assert [error.received for error in found] == ([received] if received else [])
    for error in found:
        assert error.setting == "tokenizer.do_lower_case"
        assert "checks.allow_unlikely_casing = True allows it" in str(error)


def test_models_that_lower_case_themselves_are_no_evidence() -> None:
    assert (
        casing.mistakes(
            _LOWER, lower_case=False, strip_accents=False, source="spm.model", folds_case=True
        )
        == []
    )
