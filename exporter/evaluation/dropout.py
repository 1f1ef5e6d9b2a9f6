"""How an encoder drops units in training: by its graph, and by what it does to outputs."""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import reports

RATES = "dropout rates"
# Of examples whose dropout is drawn, and how often it is drawn at least.
_DRAWN, _DRAWS = 64, 4
# By which factor what dropout does to outputs may differ, and by how many standard errors, so that
# chance is no difference.
_FACTOR, _ERRORS = 1.1, 6.0
_LOOK_AT = "the dropout rates of the configuration"
_COMPARISONS = ("GreaterEqual", "Greater", "Less", "LessEqual")
# What may be between drawn numbers, or a rate, and their comparison.
_BETWEEN = ("Add", "AddV2", "Cast", "Identity", "Mul", "Sub")

Inputs = Mapping[str, tf.Tensor]
Outputs = Mapping[str, tf.Tensor]
_Rates = collections.Counter[float | None]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An encoder in training and out of it.

    Attributes:
      training: Its outputs in training, in a graph.
      plain: Its outputs without dropout.
      given: The inputs.
    """

    training: Any
    plain: Outputs
    given: Inputs

    def rates(self) -> _Rates:
        """Returns how often units are dropped at which rates; None for one that is not known."""
        return _rates(self.training.graph.as_graph_def())

    def spreads(self) -> dict[str, np.ndarray]:
        """Returns the mean squares of what dropout does, `[R, B]` (R: draws, B: batch size)."""
        batch = next(iter(self.plain.values())).shape[0]
        found = collections.defaultdict(list)
        for _ in range(max(_DRAWS, math.ceil(_DRAWN / batch))):
            for name, drawn in self.training(**self.given).items():
                change = tf.cast(drawn, tf.float32) - tf.cast(self.plain[name], tf.float32)
                found[name].append(np.mean(np.square(change), axis=tuple(range(1, change.ndim))))
        return {name: np.array(rows, np.float64) for name, rows in found.items()}


def encoder(call: Callable[..., Outputs], names: Sequence[str], given: Inputs) -> Encoder:
    """Returns an encoder to be compared.

    Args:
      call: Calls it with inputs and `training`.
      names: Of the outputs that are looked at.
      given: Inputs.
    """

    def training(**inputs: tf.Tensor) -> Outputs:
        outputs = call(inputs, training=True)
        return {name: outputs[name] for name in names}

    traced = tf.function(training, autograph=False).get_concrete_function(**given)
    plain = call(given, training=False)
    return Encoder(traced, {name: plain[name] for name in names}, given)


def compare(ours: Encoder, theirs: Encoder) -> list[reports.Check]:
    """Compares dropout: the numbers that it draws cannot be the same.

    Args:
      ours: The encoder of Python code.
      theirs: The exported one.
    """
    checks = [_same_rates(ours.rates(), theirs.rates())]
    expected, got = ours.spreads(), theirs.spreads()
    return checks + [_same_spread(name, expected[name], got[name]) for name in expected]


def _same_rates(expected: _Rates, got: _Rates) -> reports.Check:
    """Compares rates, or their number if one of them is not in the graph."""
    known = None not in expected and None not in got
    equal = expected == got if known else expected.total() == got.total()
    text = _told(got) if equal else f"{_told(got)}, not {_told(expected)}"
    return reports.Check(RATES, equal, text, look_at=_LOOK_AT)


def _told(rates: _Rates) -> str:
    found = sorted(rates.items(), key=lambda item: item[0] or 0.0)
    return (
        ", ".join(
            f"{'unknown' if rate is None else rate} in {count} places" for rate, count in found
        )
        or "none"
    )


def _same_spread(name: str, expected: np.ndarray, got: np.ndarray) -> reports.Check:
    told, other = (math.sqrt(np.mean(found)) for found in (got, expected))
    text = f"changes outputs by {told:.3g}, in Python code by {other:.3g}"
    equal = not (np.any(expected) or np.any(got))
    both = (expected > 0) & (got > 0)
    if np.any(both):
        # Of an example's squares, so that it does not count how large its outputs are.
        ratios = np.log(np.where(both, got, 1.0)) - np.log(np.where(both, expected, 1.0))
        difference = abs(float(np.mean(ratios)))
        limit = max(2 * math.log(_FACTOR), _ERRORS * _standard_error(ratios))
        equal = difference <= limit
    return reports.Check(f"dropout in {name}", equal, text, look_at=_LOOK_AT)


def _standard_error(ratios: np.ndarray) -> float:
    """That of the mean, also where units are dropped for all examples of a draw alike."""
    means = np.mean(ratios, axis=1)
    return max(float(np.std(found, ddof=1)) / math.sqrt(found.size) for found in (ratios, means))


def _rates(graph: Any) -> _Rates:
    """Counts the rates of a graph and of what it calls, as often as it is called."""
    functions = {entry.signature.name: entry.node_def for entry in graph.library.function}

    @functools.cache
    def of_function(name: str) -> _Rates:
        return of_nodes(functions[name])

    def of_nodes(nodes: Sequence[Any]) -> _Rates:
        found = _own_rates({node.name: node for node in nodes})
        for node in nodes:
            for name in filter(functions.__contains__, _called(node)):
                found += of_function(name)
        return found

    return of_nodes(graph.node)


def _called(node: Any) -> Iterator[str]:
    yield node.op
    for attr in node.attr.values():
        yield from (function.name for function in [attr.func, *attr.list.func] if function.name)


def _own_rates(nodes: Mapping[str, Any]) -> _Rates:
    """Counts comparisons of drawn numbers with a rate."""
    found: _Rates = collections.Counter()
    for node in nodes.values():
        if node.op in _COMPARISONS:
            sources = [list(_sources(nodes, name)) for name in node.input[:2]]
            drawn = [any("Random" in one.op for one in side) for side in sources]
            if any(drawn):
                others = sources[drawn.index(True) - 1]
                values = [_value(one) for one in others if one.op == "Const"]
                found[values[0] if len(values) == len(others) == 1 else None] += 1
    return found


def _sources(nodes: Mapping[str, Any], name: str) -> Iterator[Any]:
    """Yields the nodes that a value comes from."""
    node = nodes.get(name.partition(":")[0])
    if node is None:
        return
    if node.op not in _BETWEEN:
        yield node
        return
    for other in node.input:
        if not other.startswith("^"):
            yield from _sources(nodes, other)


def _value(constant: Any) -> float:
    """The rate in a constant, without what half precision makes of it."""
    return float(f"{float(tf.make_ndarray(constant.attr['value'].tensor)):.3g}")
