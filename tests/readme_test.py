"""The README says what there is."""

from __future__ import annotations

import inspect
import pathlib
import re

import gin
import pytest

from exporter import (
    config,
    configurables,
    evaluate,
    export,
    flags_table,
    poolers,
    settings,
    verify,
)
from exporter.evaluation import glue, methods, text_files
from exporter.evaluation import settings as evaluation_settings
from exporter.sweep import scores, sweep, throughputs

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SETTINGS = {
    "export": export.export,
    "verify": verify.verify,
    "evaluate": evaluate.evaluate,
    "text_files": text_files.TextFiles,
    "glue": glue.Glue,
    "fine_tuning": evaluation_settings.FineTuning,
    "linear_probe": methods.LinearProbe,
    "masked_words": methods.MaskedWords,
    "sweep": sweep.Sweep,
    "scores": scores.Scores,
    "throughput": throughputs.Throughput,
    "config": config.ConfigSettings,
    **{
        gin.config._inverse_lookup(member).name: member
        for _, member in inspect.getmembers(settings, inspect.isclass)
        if member.__module__ == settings.__name__
    },
}


def _rows() -> dict[str, str]:
    """The table's rows by the gin names that they are about."""
    rows = {}
    table = README[README.index("## What can be bound") : README.index("Poolers, for")]
    for line in table.splitlines():
        for name in re.findall(r"`(\w+\.\w+)`", line.split("|")[1] if line[:3] == "| `" else ""):
            rows[name] = line
    return rows


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_parameter_is_in_the_table(name: str) -> None:
    parameters = [
        f"{name}.{parameter}" for parameter in inspect.signature(SETTINGS[name]).parameters
    ]
    assert [parameter for parameter in parameters if parameter not in _rows()] == []


def test_the_table_has_no_other_parameters() -> None:
    known = {
        f"{name}.{parameter}"
        for name, setting in SETTINGS.items()
        for parameter in inspect.signature(setting).parameters
    }
    assert set(_rows()) - known == set()


@pytest.mark.parametrize("flag", flags_table.FLAGS, ids=lambda flag: flag.name)
def test_every_flag_is_beside_what_it_binds(flag: flags_table.Flag) -> None:
    assert f"`--{flag.name}`" in _rows()[flag.setting]


def test_every_pooler_is_described() -> None:
    names = [
        name for name, _ in inspect.getmembers(poolers, inspect.isfunction) if "pooler" in name
    ]
    assert sorted(set(re.findall(r"`@(\w+_pooler)`", README))) == sorted(names)


def test_axes_combinations_and_launchers_have_the_parameters_that_are_described() -> None:
    section = README[README.index("\n## Sweeps") : README.index("\n## What can be bound")]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    described = [name for cell in cells for name in re.findall(r"`(\w+)\.(\w+)`", cell)]
    assert len({name for name, _ in described}) == 9
    (launcher,) = configurables.fits("exporter.sweep.ray")
    assert {parameter for name, parameter in described if name == "ray"} == {*launcher.parameters}
    for name, parameter in described:
        (entry,) = configurables.fits(f"exporter.sweep.{name}")
        assert parameter in entry.parameters
