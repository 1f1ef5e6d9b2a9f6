"""Compares the vocabulary and the casing that an encoder's SavedModel holds with the source's."""

from __future__ import annotations

import os

from exporter import contracts, loaded_models, reports, saved_text, settings
from exporter.contracts_of_attributes import ASSETS, asset_path

VOCABULARY, CASING = "vocabulary of the source", "do_lower_case of the source"


def checks(
    model: loaded_models.Model, tokenizer: settings.TokenizerSettings, *, with_casing: bool
) -> list[reports.Check]:
    """Compares what an encoder tells of its tokenizer.

    Args:
      model: The encoder.
      tokenizer: The tokenizer of the source, with casing decided.
      with_casing: Whether casing was given, and not guessed.

    Returns:
      The checks.
    """
    return [
        contracts.attempt(VOCABULARY, lambda: _same_vocabulary(model, tokenizer)),
        contracts.attempt(CASING, lambda: _same_casing(model, tokenizer))
        if with_casing
        else reports.Check(CASING, None, "it is not given (--do_lower_case)"),
    ]


def _same_vocabulary(
    model: loaded_models.Model, tokenizer: settings.TokenizerSettings
) -> reports.Check:
    source = tokenizer.vocab_file or tokenizer.sp_model_file or ""
    given = ASSETS[0] if tokenizer.vocab_file else ASSETS[1]
    there = [name for name in ASSETS if hasattr(model.loaded, name)]
    path = asset_path(model, given) if there == [given] else None
    if path is None:
        told = f"{' and '.join(there) or 'no file'}, and not {given}"
        return reports.Check(VOCABULARY, False, told, look_at=f"--{given}")
    is_wordpiece = given == ASSETS[0]
    got, expected = (saved_text.read(file, wordpiece=is_wordpiece) for file in (path, source))
    found = saved_text.difference(got, expected)
    name = os.path.basename(path)
    return reports.Check(
        VOCABULARY, found is None, f"{name}: {found or 'the same'}", look_at=f"--{given}"
    )


def _same_casing(
    model: loaded_models.Model, tokenizer: settings.TokenizerSettings
) -> reports.Check:
    if not hasattr(model.loaded, "do_lower_case"):
        return reports.Check(CASING, None, "the encoder does not tell")
    told, chosen = bool(model.loaded.do_lower_case), bool(tokenizer.do_lower_case)
    found = str(told) if told == chosen else f"{told}, and not {chosen}"
    return reports.Check(CASING, told == chosen, found, look_at="--do_lower_case")
