"""What a user is told when something is wrong, and the exit status it leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

EXIT_USER_ERROR = 2
EXIT_VERIFICATION_FAILED = 3
EXIT_INCOMPLETE = 4
_SHOWN = 1000  # Characters of what was received: a line of a file may have millions.


class UserError(Exception):
    """A mistake of the user's, told in one message.

    Attributes:
      rule: What must hold, as a sentence.
      example: A right value or command, or None where the rule says it all.
      received: What was given instead.
      where: Where it was said: a flag, or a gin file and line.
      setting: The gin name of the value in question ("tokenizer.vocab_file"). From it the launcher
        finds `where`, so that code that knows nothing of gin files need not.
    """

    def __init__(
        self,
        rule: str,
        *,
        example: str | None = None,
        received: str | None = None,
        where: str | None = None,
        setting: str | None = None,
    ) -> None:
        self.rule = rule
        self.example = example
        self.received = received
        self.where = where
        self.setting = setting
        super().__init__(rule)

    def locate(self, find: Callable[[str], str | None]) -> None:
        """Fills `where` from `setting`.

        Args:
          find: Gives a setting's flag, or gin file and line; None where it was not said.
        """
        if self.where is None and self.setting is not None:
            self.where = find(self.setting) or f"{self.setting} (not set)"

    def __str__(self) -> str:
        lines = [self.rule]
        for label, text in (
            ("received", self.received and _shortened(self.received)),
            ("where", self.where),
            ("example", self.example),
        ):
            if text is not None:
                lines.append(f"  {label + ':':<10}{text}")
        return "\n".join(lines)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


class UserErrors(UserError):  # noqa: N818 (several of them)
    """Several mistakes found by one check, told together.

    Attributes:
      errors: The single mistakes, in the order in which they were found.
    """

    def __init__(self, errors: Sequence[UserError]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{len(self.errors)} mistakes")

    def locate(self, find: Callable[[str], str | None]) -> None:
        """Fills `where` of each mistake from its `setting`."""
        for error in self.errors:
            error.locate(find)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def raise_all(errors: Sequence[UserError]) -> None:
    """Raises the mistakes found, if any, as one exception.

    Raises:
      UserError: The one mistake, or `UserErrors` for several.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UserErrors(errors)


class VerificationError(Exception):
    """What was written differs from where it came from, or breaks its interface."""


class IncompleteError(Exception):
    """Some of many exports failed; the others are complete."""
