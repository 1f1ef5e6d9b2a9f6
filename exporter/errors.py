"""What a user is told when something is wrong, and the exit status it leads to."""

from __future__ import annotations

EXIT_USER_ERROR = 2
EXIT_VERIFICATION_FAILED = 3


class UserError(Exception):
    """A mistake of the user's, told in one message.

    Attributes:
      rule: What must hold, as a sentence.
      example: A right value or command, or None where the rule says it all.
      received: What was given instead.
      where: Where it was said: a flag, or a gin file and line.
    """

    def __init__(
        self,
        rule: str,
        *,
        example: str | None = None,
        received: str | None = None,
        where: str | None = None,
    ) -> None:
        self.rule = rule
        self.example = example
        self.received = received
        self.where = where
        super().__init__(self._message())

    def _message(self) -> str:
        lines = [self.rule]
        if self.received is not None:
            lines.append(f"  received: {self.received}")
        if self.where is not None:
            lines.append(f"  where:    {self.where}")
        if self.example is not None:
            lines.append(f"  example:  {self.example}")
        return "\n".join(lines)


class UserErrors(UserError):
    """Several mistakes found by one check, told together.

    Attributes:
      errors: The single mistakes, in the order in which they were found.
    """

    def __init__(self, errors: list[UserError]) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))


class VerificationError(Exception):
    """What was written differs from where it came from, or breaks its interface."""
