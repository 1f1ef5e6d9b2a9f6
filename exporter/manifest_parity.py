"""Compares what a manifest says that a SavedModel was made from with the source that is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter import contracts, loaded_models, manifests, plans, provenance, reports, restorations

NAME = "manifest: of this source"
_LOOK_AT = "whether this very source was exported, and what wrote to the manifest after the export"
# What a file is called, says nothing of it.
_OF_NAMES = ("name",)
_COUNT, _DIGEST = "num_values", "values_sha256"


def check(
    model: loaded_models.Model, plan: plans.Plan, restoration: restorations.Restoration | None
) -> list[reports.Check]:
    """Compares checkpoint, encoder and vocabulary.

    Args:
      model: The SavedModel.
      plan: What an export of the source would be made from.
      restoration: Where its values would come from, if it has any.

    Returns:
      The check; none where there is no manifest.
    """
    manifest = manifests.read(model.path)
    if manifest is None:
        return []
    expected = {"vocabulary": provenance.vocabulary(plan.text)}
    if restoration is not None:
        expected["checkpoint"] = provenance.checkpoint(restoration)
        expected["encoder"] = provenance.encoder(plan)
        if model.kind == loaded_models.TEXT_EMBEDDING:
            _leave_out_head(expected["checkpoint"], manifest)
    return [contracts.attempt(NAME, lambda: _compared(expected, manifest))]


def _compared(expected: Mapping[str, Any], manifest: Mapping[str, Any]) -> reports.Check:
    other = next(_others("", expected, manifest), None)
    return reports.Check(
        NAME, other is None, other or ", ".join(sorted(expected)), look_at=_LOOK_AT
    )


def _others(path: str, expected: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[str]:
    for name, value in expected.items():
        if name in _OF_NAMES:
            continue
        if isinstance(value, Mapping) and isinstance(said.get(name), Mapping):
            yield from _others(f"{path}{name}.", value, said[name])
        elif name not in said or said[name] != value:
            yield f"{path}{name} is {said.get(name)!r}, the source's is {value!r}"


def _leave_out_head(checkpoint: dict[str, Any], manifest: Mapping[str, Any]) -> None:
    """Beside an encoder, a text embedding was made of the head's values, too."""
    if manifest["checkpoint"].get(_COUNT, 0) > checkpoint[_COUNT]:
        del checkpoint[_COUNT], checkpoint[_DIGEST]
