"""Clauses of the interfaces of TF Hub's SavedModels, and what it takes to check a list of them.

A clause is a name, the kinds of SavedModels that it is for, and a function of the loaded SavedModel
that returns what it found or raises `Broken`. The lists are in `exporter.contract_clauses`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import tensorflow as tf

from exporter import errors, reports

# What is raised where something is called that was not exported, or does not take such arguments.
CALL_ERRORS = (
    tf.errors.OpError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
_LONGEST_MESSAGE = 300
# Where in a graph an error came up, which TensorFlow says before it says which.
_NODE = re.compile(r"\{\{[^{}]*\}\} ?")


class Subject(Protocol):
    """What is checked: a loaded SavedModel, or several beside each other."""

    @property
    def kind(self) -> str:
        """Which clauses are for it."""


class Broken(Exception):  # noqa: N818 (it is an answer)
    """A clause does not hold; the message says what was found instead."""


class NotChecked(Exception):  # noqa: N818 (it is an answer)
    """A clause cannot be checked of this SavedModel; the message says why."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found where a clause holds.

    Attributes:
      text: It in a few words.
      listed: It one by one, which is too much for a table.
    """

    text: str
    listed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Clause:
    """A property that a SavedModel is to have.

    Attributes:
      name: What is to hold.
      kinds: The kinds of SavedModels that it is for, of `loaded_models.KINDS` or the like.
      check: Returns what was found in a `Subject`, or raises `Broken` or `NotChecked`.
      look_at: What to look at if it does not hold.
      quick: Whether it is checked after every export, as it costs next to nothing.
      required: Whether a SavedModel that lacks it is wrong; else that is noted.
    """

    name: str
    kinds: tuple[str, ...]
    check: Callable[[Any], str | Found]
    look_at: str
    quick: bool = False
    required: bool = True


def check(clauses: Iterable[Clause], model: Subject, *, quick: bool) -> list[reports.Check]:
    """Checks a loaded SavedModel.

    Args:
      clauses: What is to hold; those for other kinds are passed over.
      model: The loaded SavedModel.
      quick: Whether only clauses are checked that cost next to nothing.

    Returns:
      A check for each clause, in their order.
    """
    return [
        _checked(clause, model)
        for clause in clauses
        if model.kind in clause.kinds and (clause.quick or not quick)
    ]


def _checked(clause: Clause, model: Subject) -> reports.Check:
    passed: bool | None = True
    listed: tuple[str, ...] = ()
    try:
        answer = clause.check(model)
        found, listed = (answer, ()) if isinstance(answer, str) else (answer.text, answer.listed)
    except NotChecked as why:
        passed, found = None, str(why)
    except Broken as broken:
        passed, found = False, str(broken)
    except errors.UserError as error:
        passed, found = False, f"{error.rule} ({error.received})"
    except CALL_ERRORS as error:
        passed, found = False, told(error)
    return reports.Check(
        clause.name, passed, found, clause.required, look_at=clause.look_at, listed=listed
    )


def attempt(name: str, make: Callable[[], reports.Check]) -> reports.Check:
    """Makes a check that calls a SavedModel; where a call fails, that is a failed check."""
    try:
        return make()
    except CALL_ERRORS as error:
        return reports.Check(name, False, told(error), look_at="the calls that were traced")


def told(error: BaseException) -> str:
    """Returns an exception in one line."""
    message = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = [line.strip() for line in message.split("\n") if line.strip()]
    first = _NODE.sub("", lines[0]) if lines else ""
    if len(first) > _LONGEST_MESSAGE:
        # TensorFlow says what at the start and why at the end; long paths are between them.
        half = _LONGEST_MESSAGE // 2
        first = f"{first[:half]} ... {first[-half:]}"
    return f"{type(error).__name__}: {first}"


def require(condition: bool, otherwise: str) -> None:
    """Raises `Broken` with this message unless the condition holds."""
    if not condition:
        raise Broken(otherwise)
