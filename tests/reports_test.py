from __future__ import annotations

import json

import pytest

from exporter import errors, report_pages, reports

_PASSED = reports.Check("outputs at length 16", True, "all equal", difference=0.0)
_FAILED = reports.Check("dropout in training", False, "inactive", look_at="the rates")
_NOTED = reports.Check("signatures", False, "other names", required=False, look_at="them")
_SKIPPED = reports.Check("comparison", None, "no checkpoint is given")
_ALL = (_PASSED, _FAILED, _NOTED, _SKIPPED)


@pytest.mark.parametrize(
    ("check", "status"),
    list(zip(_ALL, ("passed", "failed", "noted", "skipped"), strict=True)),
)
def test_status(check: reports.Check, status: str) -> None:
    assert check.status == status


def test_a_report_passes_if_no_check_failed() -> None:
    assert reports.Report("encoder", ()).passed
    assert reports.Report("encoder", (_PASSED, _NOTED, _SKIPPED)).passed
    assert not reports.Report("encoder", (_PASSED, _FAILED)).passed


def test_counts() -> None:
    assert reports.Report("encoder", ()).counts() == "nothing checked"
    assert reports.Report("encoder", (_PASSED, _PASSED)).counts() == "2 passed"
    counts = reports.Report("encoder", _ALL).counts()
    assert counts == "1 passed, 1 failed, 1 noted, 1 not checked"


def test_text() -> None:
    assert reports.Report("encoder", _ALL).text() == (
        "encoder:\n"
        "  ok      outputs at length 16: all equal\n"
        "  FAILED  dropout in training: inactive\n"
        "          look at: the rates\n"
        "  note    signatures: other names\n"
        "  not checked  comparison: no checkpoint is given"
    )


def test_table() -> None:
    table = reports.table([reports.Report("encoder", _ALL), reports.Report("together", ())])
    assert table == (
        "encoder\n"
        "  ok           outputs at length 16  all equal\n"
        "  FAILED       dropout in training   inactive\n"
        "                                     look at: the rates\n"
        "  note         signatures            other names\n"
        "  not checked  comparison            no checkpoint is given\n"
        "\n"
        "together\n"
        "\n"
        "verdict: encoder: FAILED (1 passed, 1 failed, 1 noted, 1 not checked); "
        "together: passed (nothing checked)\n"
    )


def test_limits_are_told_beside_differences() -> None:
    found = "largest difference 2.0e-06 in pooled_output"
    check = reports.Check("outputs", True, found, difference=2e-6, limit=1e-5)
    expected = "largest difference 2.0e-06 in pooled_output (limit 1e-05)"
    assert check.told == expected
    assert check.text() == f"ok      outputs: {expected}"
    assert expected in reports.table([_report(check)])
    assert expected in report_pages.table([check])
    equal = reports.Check("outputs", True, "all equal", difference=0.0, limit=1e-5)
    assert equal.told == "all equal"


def test_require() -> None:
    reports.Report("encoder", (_PASSED, _NOTED, _SKIPPED)).require()
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
            "passed": False,
            "checks": [
                {
                    "name": "outputs at length 16",
                    "status": "passed",
                    "passed": True,
                    "found": "all equal",
                    "required": True,
                    "difference": 0.0,
                    "look_at": None,
                    "limit": None,
                },
                {
                    "name": "dropout in training",
                    "status": "failed",
                    "passed": False,
                    "found": "inactive",
                    "required": True,
                    "difference": None,
                    "look_at": "the rates",
                    "limit": None,
                },
            ],
        }
    ]


@pytest.mark.parametrize("difference", [float("nan"), float("inf")])
def test_json_has_no_numbers_that_it_does_not_know(difference: float) -> None:
    check = reports.Check("outputs", False, "largest difference nan", difference=difference)
    ((found,),) = [report["checks"] for report in json.loads(reports.to_json([_report(check)]))]
    assert found["difference"] is None


def _report(*checks: reports.Check) -> reports.Report:
    return reports.Report("encoder", checks)
