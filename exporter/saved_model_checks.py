"""All that can be checked of SavedModels that are there, with their source or without."""

from __future__ import annotations

from exporter import (
    choices,
    contract_clauses,
    contracts,
    contracts_of_pairs,
    loaded_models,
    parity,
    progress,
    reports,
)


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
            checks, model = contract_clauses.check(name, folder, quick=quick)
        subject = name or (model.kind if model is not None else folder)
        found[subject] = checks
        if model is not None:
            models.append((subject, model))
    source = parity.Source(chosen, [model for _, model in models])
    for subject, model in models:
        with progress.step(f"comparing {subject} with its source"):
            found[subject] += source.check(model, level=chosen.verify)
    pair = contracts_of_pairs.pair(model for _, model in models)
    if pair is not None and not quick:
        found[contracts_of_pairs.KIND] = contracts.check(
            contracts_of_pairs.CLAUSES, pair, quick=False
        )
    return tuple(reports.Report(subject, tuple(checks)) for subject, checks in found.items())
