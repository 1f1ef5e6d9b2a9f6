"""Verification finds what is wrong: each planted defect by the check that is there for it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

import pytest

from exporter import (
    contract_clauses,
    contracts,
    contracts_of_pairs,
    encoders,
    loaded_models,
    repeated_draws,
    reports,
    restorations,
    settings,
    text_verification,
    training_verification,
    verification,
)
from tests import (
    planted_defects_in_training,
    planted_defects_of_attributes,
    planted_defects_of_encoders,
    planted_defects_of_files,
    planted_defects_of_text,
    planted_defects_of_tokens,
)
from tests.planted_defects import EMBEDDING, ENCODER, PAIR, PREPROCESSING, Defect, Right

DEFECTS = (
    *planted_defects_of_encoders.DEFECTS,
    *planted_defects_in_training.DEFECTS,
    *planted_defects_of_attributes.DEFECTS,
    *planted_defects_of_files.DEFECTS,
    *planted_defects_of_text.DEFECTS,
    *planted_defects_of_tokens.DEFECTS,
)

# What is wrong enough that the check after an export, which is short, has to find it; by what.
_VARIABLES, _OUTPUTS = "variables in the source's order", "outputs at length 16"
BY_DEFAULT = {
    "weights of two layers swapped": _VARIABLES,
    "pooler of another checkpoint": _VARIABLES,
    "weights rounded to float16": _VARIABLES,
    "positions off by one": _OUTPUTS,
    "head's kernel transposed": f"mlm {_OUTPUTS}",
    "norms before the layers": _OUTPUTS,
    "wrong epsilon": _OUTPUTS,
    "training turned around": _OUTPUTS,
    "dropout always on": _OUTPUTS,
    "mask ignored": _OUTPUTS,
    "mask ignored in pooling": _OUTPUTS,
    "types ignored": _OUTPUTS,
    "tokens of a batch mixed": _OUTPUTS,
    "lower-casing missing": "tokens",
    "truncation favouring the first segment": "packed pairs",
    "text after a line feed lost": "tokens",
    "digits made zeros": "tokens",
    "vocabulary's other lines swapped": "pieces of the vocabulary",
    "a word's values (embedding)": _VARIABLES,
    "vectors of something else": "vectors",
    "vectors of the batch (embedding)": "vectors",
    "text ignored (embedding)": "vectors",
}


@pytest.fixture(name="right", scope="module")
def _right(tmp_path_factory: pytest.TempPathFactory) -> Right:
    return Right(tmp_path_factory.mktemp("right"))


def _contract(defect: Defect, path: pathlib.Path) -> list[reports.Check]:
    """Checks the clause that is to find a defect; all would take minutes."""
    if defect.base == PAIR:
        clauses, subject = contracts_of_pairs.CLAUSES, _pair(path)
        return contracts.check(_named(clauses, defect.found_by), subject, quick=False)
    if defect.found_by == "loading":
        return contract_clauses.check("broken", str(path), quick=True)[0]
    clauses = (*contract_clauses.FILES, *contract_clauses.LOADED)
    model = loaded_models.load(str(path))
    return contracts.check(_named(clauses, defect.found_by), model, quick=False)


def _named(clauses: Iterable[contracts.Clause], name: str) -> list[contracts.Clause]:
    return [clause for clause in clauses if clause.name == name]


def _pair(path: pathlib.Path) -> contracts_of_pairs.Pair:
    folders = loaded_models.folders(str(path)).values()
    pair = contracts_of_pairs.pair(map(loaded_models.load, folders))
    assert pair is not None
    return pair


def _parity(
    base: str, path: pathlib.Path, right: Right, level: str = "quick"
) -> list[reports.Check]:
    model = loaded_models.load(str(path))
    if base == ENCODER:
        encoder, restoration = right.made.encoder, right.made.restoration
        source = verification.EncoderSource(encoder, restoration)
        if level not in ("quick", "full"):
            source.restore()
            return _in_training(level, encoder, model)
        return verification.encoder_parity(model, source, level=level)
    if base == PREPROCESSING:
        return text_verification.preprocessing_parity(model, right.text, quick=level == "quick")
    encoder, options = right.fitting.encoder, settings.TextEmbeddingSettings()
    restorations.restore(right.fitting.restoration, encoder)
    return text_verification.text_embedding_parity(model, right.text, encoder, options)


def _after_export(base: str, path: pathlib.Path, right: Right) -> reports.Report:
    """Verifies as after an export, by default."""
    if base == ENCODER:
        made = right.made
        source = verification.EncoderSource(made.encoder, made.restoration)
        return verification.verify_encoder(str(path), source, level="quick")
    if base == PREPROCESSING:
        return text_verification.verify_preprocessing(str(path), right.text, level="quick")
    made, options = right.fitting, settings.TextEmbeddingSettings()
    restorations.restore(made.restoration, made.encoder)
    return text_verification.verify_text_embedding(
        str(path), right.text, made.encoder, options, level="quick"
    )


def _failed(checks: Iterable[reports.Check]) -> list[str]:
    return [check.name for check in checks if check.status == reports.FAILED]


@pytest.mark.parametrize("base", [ENCODER, PREPROCESSING, EMBEDDING])
def test_what_is_right_passes(base: str, right: Right) -> None:
    path = right.path(base)
    checks, model = contract_clauses.check(base, str(path), quick=False)
    assert model is not None
    checks += _parity(base, path, right)
    assert [check.text() for check in checks if check.status in ("failed", "noted")] == []


def test_what_fits_passes(right: Right) -> None:
    checks = contracts.check(contracts_of_pairs.CLAUSES, _pair(right.path(PAIR)), quick=False)
    assert {check.status for check in checks} == {"passed"}


def _level(found_by: str) -> str:
    """Returns which part of "full" is to find a defect: all of it would take minutes."""
    parts = ("dropout", "gradients", "regularization", "lengths")
    part = next((part for part in parts if part in found_by), None)
    return part or ("outputs" if "training" in found_by else "quick")


def _in_training(
    part: str, encoder: encoders.Encoder, model: loaded_models.Model
) -> list[reports.Check]:
    if part == "lengths":
        return verification.at_other_lengths(encoder, model)
    if part in ("dropout", "regularization"):
        return list(getattr(training_verification, part)(encoder, model))
    with repeated_draws.in_python():
        repeated = repeated_draws.of(model)
        if part == "outputs":
            return list(training_verification.outputs(encoder, repeated))
        return list(training_verification.gradients(encoder, repeated, training=True))


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_defect_is_found(defect: Defect, right: Right, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "broken"
    defect.plant(right, path)
    if defect.with_source:
        level = "full" if defect.full else _level(defect.found_by)
        checks = _parity(defect.base, path, right, level)
    else:
        checks = _contract(defect, path)
    assert defect.found_by in _failed(checks), [check.text() for check in checks]
    (check,) = (check for check in checks if check.name == defect.found_by)
    assert check.found


@pytest.mark.parametrize("base", [ENCODER, PREPROCESSING, EMBEDDING])
def test_what_is_right_passes_by_default(base: str, right: Right) -> None:
    report = _after_export(base, right.path(base), right)
    assert report.passed
    assert len(report.checks) > 5


@pytest.mark.parametrize(
    ("defect", "found_by"),
    [(defect, BY_DEFAULT[defect.name]) for defect in DEFECTS if defect.name in BY_DEFAULT],
    ids=lambda value: value.name if isinstance(value, Defect) else "",
)
def test_defect_is_found_by_default(
    defect: Defect, found_by: str, right: Right, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "broken"
    defect.plant(right, path)
    report = _after_export(defect.base, path, right)
    assert found_by in _failed(report.checks), report.text()


def test_there_are_enough_and_each_has_a_name() -> None:
    names = [defect.name for defect in DEFECTS]
    assert len(names) == len(set(names)) >= 60
    assert set(names) >= BY_DEFAULT.keys()


def test_each_check_of_the_contract_finds_something() -> None:
    """A clause that no defect is for would be one that may say yes to all."""
    clauses = (*contract_clauses.FILES, *contract_clauses.LOADED, *contracts_of_pairs.CLAUSES)
    required = {clause.name for clause in clauses if clause.required}
    assert sorted(required - {defect.found_by for defect in DEFECTS}) == []
