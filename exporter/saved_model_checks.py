"""All that can be checked of SavedModels that are there, with their source or without."""

from __future__ import annotations

import re

from exporter import (
    choices,
    contract_clauses,
    contracts,
    contracts_of_files,
    contracts_of_pairs,
    loaded_models,
    manifests,
    parity,
    progress,
    reports,
    saved_model_files,
)

_READABLE = "files: each can be read"
# What TensorFlow says where it cannot read values, or their checksum is another.
_BAD_VALUES = re.compile("TensorBundle|checksum")


def check(path: str, chosen: choices.Choices) -> tuple[reports.Report, ...]:
    """Checks a SavedModel, or a folder of several.

    Args:
      path: The folder.
      chosen: The source, as far as it is given, and how much is checked.

    Returns:
      A report for each SavedModel, and one for what is checked of several together.

    Raises:
      UserError: There is no SavedModel, or the source is not right in itself.
    """
    quick = chosen.verify == "quick"
    found: dict[str, list[reports.Check]] = {}
    models = []
    for name, folder in loaded_models.folders(path).items():
        with progress.step(f"checking {name or folder}"):
            checks, model = _checked(name, folder, quick=quick)
        subject = name or (model.kind if model is not None else folder)
        found[subject] = checks
        if model is not None:
            models.append((subject, model))
    source = parity.Source(chosen, [model for _, model in models])
    for subject, model in models:
        with progress.step(f"comparing {subject} with its source"):
            found[subject] += source.check(model, level=chosen.verify)
            found[subject] += source.check_what_is_said(model)
    pair = contracts_of_pairs.pair(model for _, model in models)
    if pair is not None and not quick:
        found[contracts_of_pairs.KIND] = contracts.check(
            contracts_of_pairs.CLAUSES, pair, quick=False
        )
    return tuple(reports.Report(subject, tuple(checks)) for subject, checks in found.items())


def _checked(
    name: str, folder: str, *, quick: bool
) -> tuple[list[reports.Check], loaded_models.Model | None]:
    """Checks a SavedModel by itself, and says which file it is that cannot be loaded."""
    unreadable = saved_model_files.unreadable(folder)
    if unreadable:
        return [_failed("; ".join(unreadable))], None
    checks, model = contract_clauses.check(name, folder, quick=quick)
    if model is None:
        checks.append(_failed(_culprit(folder, checks[-1].found)))
    return checks, model


def _failed(found: str) -> reports.Check:
    return reports.Check(_READABLE, False, found, look_at="where the files were copied from")


def _culprit(folder: str, told: str) -> str:
    """Returns which file it is, by the manifest or else by what TensorFlow said of it."""
    manifest = manifests.read(folder)
    differences = manifests.differences(folder, manifest) if manifest is not None else []
    if differences:
        return "; ".join(differences)
    names = contracts_of_files.files(folder)
    data = [name for name in names if name.startswith("variables/variables.data")]
    others = ["saved_model.pb", *(name for name in names if name.startswith("assets/"))]
    return f"damaged: {', or '.join(data if _BAD_VALUES.search(told) else others)}"
