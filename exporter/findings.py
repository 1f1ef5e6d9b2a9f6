"""What is to be said of an export beside whether it was verified."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that a user may want to know, or should.

    Attributes:
      subject: What it is about: "pooler".
      text: A clause that follows the subject.
      is_warning: Whether it is likely a mistake.
    """

    subject: str
    text: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{'warning: ' if self.is_warning else ''}{self.subject}: {self.text}"


def log(findings: Iterable[Finding]) -> None:
    """Logs findings, one a line."""
    for finding in findings:
        _logger.log(logging.WARNING if finding.is_warning else logging.INFO, "%s", finding)


def text(findings: Iterable[Finding]) -> str:
    """Returns findings as text, warnings first, one a line."""
    ordered = sorted(findings, key=lambda finding: not finding.is_warning)
    return "".join(f"{finding}\n" for finding in ordered)
