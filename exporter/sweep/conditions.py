"""Conditions on a point's values: a small part of Python's expressions, which runs no code."""

from __future__ import annotations

import ast
import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from exporter import configurables, errors

_EXAMPLE = "where.keep = \"default_seq_length <= 128 or pooler == 'identity_pooler'\""
_SHOWN = 200  # Characters of a condition that is none.
_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Not: operator.not_,
}
# Of numbers alone: 'a' * 10**10 and '%1000000000d' % 1 would take all memory.
_ARITHMETIC: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
}


@dataclasses.dataclass(frozen=True)
class Condition:
    """A condition.

    Attributes:
      text: As it was written.
      where: Where it was said.
      tree: As it was parsed.
    """

    text: str
    where: str
    tree: ast.expr

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds for these values, by label.

        Raises:
          UserError: A name is no label, or the values cannot be compared so.
        """
        try:
            return bool(self._value(self.tree, values))
        except (TypeError, ArithmeticError, ValueError, RecursionError) as error:
            raise self._mistake(f"It fails: {error}.", f"with {dict(values)}") from None

    def _value(self, node: ast.AST, values: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._named(node.id, values)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self._value(item, values) for item in node.elts]
        if isinstance(node, ast.BoolOp):
            return self._joined(node, values)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](self._value(node.operand, values))
        if isinstance(node, ast.UnaryOp) and type(node.op) in _ARITHMETIC:
            return self._computed(node, [self._value(node.operand, values)])
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            sides = self._value(node.left, values), self._value(node.right, values)
            return self._computed(node, sides)
        if isinstance(node, ast.Compare):
            return self._compared(node, values)
        raise self._mistake(
            "It takes labels, literals, comparisons, logic and arithmetic, nothing else.",
            ast.unparse(node),
        )

    def _computed(self, node: ast.UnaryOp | ast.BinOp, numbers: Sequence[Any]) -> Any:
        if not all(isinstance(number, int | float) for number in numbers):
            raise self._mistake("It computes with numbers alone.", ast.unparse(node))
        return _ARITHMETIC[type(node.op)](*numbers)

    def _joined(self, node: ast.BoolOp, values: Mapping[str, Any]) -> bool:
        parts = (bool(self._value(part, values)) for part in node.values)
        return all(parts) if isinstance(node.op, ast.And) else any(parts)

    def _compared(self, node: ast.Compare, values: Mapping[str, Any]) -> bool:
        left = self._value(node.left, values)
        for comparison, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._value(comparator, values)
            if not _OPERATORS[type(comparison)](left, right):
                return False
            left = right
        return True

    def _named(self, name: str, values: Mapping[str, Any]) -> Any:
        if name in values:
            return values[name]
        guess = configurables.closest(name, values)
        hint = f" Did you mean {guess}?" if guess else ""
        raise self._mistake(
            f"Its names must be labels of axes: {', '.join(values)}.{hint}",
            f"{name} in {self.text!r}",
        )

    def _mistake(self, rule: str, received: str) -> errors.UserError:
        return errors.UserError(
            f"A condition of a sweep must be an expression of labels. {rule}",
            example=_EXAMPLE,
            received=received,
            where=self.where,
        )


def parse(text: str, where: str) -> Condition:
    """Parses a condition.

    Args:
      text: The expression.
      where: Where it was said, for errors.

    Raises:
      UserError: It is no expression.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    # The latter two: parentheses in parentheses, thousands of times.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise errors.UserError(
            f"A condition of a sweep must be an expression of labels: {error}.",
            example=_EXAMPLE,
            received=repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."),
            where=where,
        ) from None
    return Condition(text, where, tree.body)
