"""What was checked of a SavedModel, and what was found."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from exporter import errors

PASSED, FAILED, NOTED, SKIPPED = "passed", "failed", "noted", "skipped"
_LABELS = {PASSED: "ok", FAILED: "FAILED", NOTED: "note", SKIPPED: "not checked"}


@dataclasses.dataclass(frozen=True)
class Check:
    """One comparison or property, and what was found.

    Attributes:
      name: What was checked.
      passed: Whether it holds; None where it could not be checked.
      found: The largest difference and where, what was found instead, or why it was not checked.
      required: Whether a SavedModel that lacks it is wrong. False for what only this exporter's
        SavedModels promise.
      difference: The largest difference, where something was compared.
      look_at: What to look at if it does not hold.
      limit: The largest difference that passes, where something was compared.
      listed: What was found one by one, where that is too much for a table.
    """

    name: str
    passed: bool | None
    found: str
    required: bool = True
    difference: float | None = None
    look_at: str | None = None
    limit: float | None = None
    listed: Sequence[str] = ()

    @property
    def status(self) -> str:
        """PASSED, FAILED, NOTED (it does not hold and need not) or SKIPPED."""
        if self.passed is None:
            return SKIPPED
        if self.passed:
            return PASSED
        return FAILED if self.required else NOTED

    @property
    def told(self) -> str:
        """What was found, with the limit of a difference."""
        if self.limit is None or not self.difference:
            return self.found
        return f"{self.found} (limit {self.limit:.0e})"

    def text(self) -> str:
        """The check as a line of text, or two where it failed and there is something to look at."""
        line = f"{_LABELS[self.status]:<6}  {self.name}: {self.told}"
        if self.status != FAILED or self.look_at is None:
            return line
        return f"{line}\n{' ' * 8}look at: {self.look_at}"

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON knows it."""
        fields = dataclasses.asdict(self)
        if not self.listed:
            del fields["listed"]
        # JSON has no number for what is none.
        if self.difference is not None and not math.isfinite(self.difference):
            fields["difference"] = None
        return {"name": self.name, "status": self.status, **fields}


@dataclasses.dataclass(frozen=True)
class Report:
    """What was checked of one SavedModel.

    Attributes:
      subject: Which SavedModel of the export.
      checks: The checks in the order in which they were made.
      load_seconds: How long it took to load, if it was.
    """

    subject: str
    checks: tuple[Check, ...]
    load_seconds: float | None = None

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.of(FAILED)

    def of(self, status: str) -> list[Check]:
        """Returns the checks that ended so: PASSED, FAILED, NOTED or SKIPPED."""
        return [check for check in self.checks if check.status == status]

    def counts(self) -> str:
        """How many checks ended how, in words: "30 passed, 1 not checked"."""
        words = {PASSED: "passed", FAILED: "failed", NOTED: "noted", SKIPPED: "not checked"}
        there = [f"{len(self.of(s))} {word}" for s, word in words.items() if self.of(s)]
        return ", ".join(there) or "nothing checked"

    def text(self) -> str:
        """The report as lines of text."""
        lines = (line for check in self.checks for line in check.text().split("\n"))
        return "\n".join([f"{self.subject}:", *(f"  {line}" for line in lines)])

    def require(self) -> None:
        """Raises if a check failed.

        Raises:
          VerificationError: With the report as its message.
        """
        if not self.passed:
            raise errors.VerificationError(self.text())


def verdict(reports: Iterable[Report]) -> str:
    """Returns one line for all: "encoder: passed (30 passed); preprocessing: FAILED (...)"."""
    return "; ".join(
        f"{report.subject}: {'passed' if report.passed else 'FAILED'} ({report.counts()})"
        for report in reports
    )


def table(reports: Iterable[Report]) -> str:
    """Returns reports as a table of text that a person reads."""
    reports = tuple(reports)
    names = [check.name for report in reports for check in report.checks]
    width = max(map(len, names), default=0)
    lines = [line for report in reports for line in _rows(report, width)]
    return "\n".join([*lines, f"verdict: {verdict(reports)}", ""])


def _rows(report: Report, width: int) -> Iterator[str]:
    yield report.subject
    for check in report.checks:
        yield f"  {_LABELS[check.status]:<11}  {check.name:<{width}}  {check.told}"
        if check.status == FAILED and check.look_at is not None:
            yield f"{'':<15}{'':<{width}}  look at: {check.look_at}"
    yield ""


def from_plain(fields: Mapping[str, Any]) -> Report:
    """Returns a report of its fields as `dataclasses.asdict` has them."""
    checks = tuple(Check(**check) for check in fields["checks"])
    return Report(**{**fields, "checks": checks})


def to_json(reports: Iterable[Report]) -> str:
    """Returns reports as JSON, with how long it took to load what was checked, if that is known."""
    listed = [
        {
            "subject": report.subject,
            "passed": report.passed,
            **_load_time(report),
            "checks": [check.as_dict() for check in report.checks],
        }
        for report in reports
    ]
    return json.dumps(listed, indent=2, allow_nan=False) + "\n"


def _load_time(report: Report) -> dict[str, float]:
    return {} if report.load_seconds is None else {"load_seconds": report.load_seconds}
