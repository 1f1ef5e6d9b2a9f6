"""What was checked of an export, and what was found."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

from exporter import errors


@dataclasses.dataclass(frozen=True)
class Check:
    """One comparison or property, and what was found.

    Attributes:
      name: What was checked.
      passed: Whether it holds.
      found: The largest difference and where, or what was found instead.
    """

    name: str
    passed: bool
    found: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What was checked of one SavedModel.

    Attributes:
      subject: Which SavedModel of the export.
      checks: The checks in the order in which they were made.
    """

    subject: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def text(self) -> str:
        """The report as lines of text."""
        rows = [
            f"  {'ok    ' if check.passed else 'FAILED'}  {check.name}: {check.found}"
            for check in self.checks
        ]
        return "\n".join([f"{self.subject}:", *rows])

    def require(self) -> None:
        """Raises if a check failed.

        Raises:
          VerificationError: With the report as its message.
        """
        if not self.passed:
            raise errors.VerificationError(self.text())


def to_json(reports: Iterable[Report]) -> str:
    """Returns reports as JSON."""
    return json.dumps([dataclasses.asdict(report) for report in reports], indent=2) + "\n"
