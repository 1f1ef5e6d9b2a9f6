"""An encoder's vocabulary and casing are those that are given, or else that is told."""

from __future__ import annotations

import pathlib
import types

import pytest
import tensorflow as tf

from exporter import loaded_models, reports, settings, vocabulary_parity
from tests import tokenizer_texts as made

_NAMES = (vocabulary_parity.VOCABULARY, vocabulary_parity.CASING)


def _checks(
    folder: pathlib.Path, source: str, *, lower_case: bool = True, with_casing: bool = True
) -> list[reports.Check]:
    asset = types.SimpleNamespace(asset_path=tf.constant(str(folder / "asset.txt")))
    loaded = types.SimpleNamespace(vocab_file=asset, do_lower_case=tf.Variable(True))
    model = loaded_models.Model("encoder", str(folder), loaded_models.ENCODER, loaded)
    is_model = source.endswith(".model")
    tokenizer = settings.TokenizerSettings(
        vocab_file=None if is_model else source,
        sp_model_file=source if is_model else None,
        do_lower_case=lower_case,
    )
    checks = vocabulary_parity.checks(model, tokenizer, with_casing=with_casing)
    assert tuple(check.name for check in checks) == _NAMES
    return checks


def test_the_same(tmp_path: pathlib.Path) -> None:
    source = made.write(tmp_path)
    (tmp_path / "asset.txt").write_text("\r\n".join(made.PIECES), encoding="utf-8")
    checks = _checks(tmp_path, source)
    assert [(check.passed, check.found) for check in checks] == [
        (True, "asset.txt: the same"),
        (True, "True"),
    ]


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([*made.PIECES[:-2], "2", "1"], "'2' and not '1' has id 29, and 1 others"),
        (made.PIECES[:-1], "30 pieces, not 31"),
    ],
)
def test_another_vocabulary(tmp_path: pathlib.Path, pieces: list[str], told: str) -> None:
    made.write(tmp_path, pieces, "asset.txt")
    vocabulary, _ = _checks(tmp_path, made.write(tmp_path))
    assert (vocabulary.status, vocabulary.found) == (reports.FAILED, f"asset.txt: {told}")


def test_another_kind_of_file(tmp_path: pathlib.Path) -> None:
    made.write(tmp_path, name="asset.txt")
    vocabulary, _ = _checks(tmp_path, made.SP_MODEL_FILE)
    assert (vocabulary.status, vocabulary.found) == (
        reports.FAILED,
        "vocab_file, and not sp_model_file",
    )


def test_another_casing(tmp_path: pathlib.Path) -> None:
    made.write(tmp_path, name="asset.txt")
    source = made.write(tmp_path)
    _, casing = _checks(tmp_path, source, lower_case=False)
    assert (casing.status, casing.found) == (reports.FAILED, "True, and not False")
    _, casing = _checks(tmp_path, source, lower_case=False, with_casing=False)
    assert (casing.status, casing.found) == (
        reports.SKIPPED,
        "it is not given (--do_lower_case)",
    )
