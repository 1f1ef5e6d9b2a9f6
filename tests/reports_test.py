from __future__ import annotations

import json

import pytest

from exporter import errors, reports

_PASSED = reports.Check("outputs at length 16", True, "all equal")
_FAILED = reports.Check("dropout in training", False, "inactive")


def test_a_report_passes_if_all_its_checks_do() -> None:
    assert reports.Report("encoder", ()).passed
    assert reports.Report("encoder", (_PASSED, _PASSED)).passed
    assert not reports.Report("encoder", (_PASSED, _FAILED)).passed


def test_text() -> None:
    assert reports.Report("encoder", (_PASSED, _FAILED)).text() == (
        "encoder:\n"
        "  ok      outputs at length 16: all equal\n"
        "  FAILED  dropout in training: inactive"
    )


def test_require() -> None:
    reports.Report("encoder", (_PASSED,)).require()
    report = reports.Report("encoder", (_PASSED, _FAILED))
    with pytest.raises(errors.VerificationError) as raised:
        report.require()
    assert str(raised.value) == report.text()


def test_json() -> None:
    text = reports.to_json([reports.Report("encoder", (_PASSED, _FAILED))])
    assert text.endswith("]\n")
    assert json.loads(text) == [
        {
            "subject": "encoder",
            "checks": [
                {"name": "outputs at length 16", "passed": True, "found": "all equal"},
                {"name": "dropout in training", "passed": False, "found": "inactive"},
            ],
        }
    ]
