"""Uses preprocessing models, as `benchmarks.probes` does.

    throughput   OUTPUT PATH PATH
    pairs        OUTPUT PATH PATH
    batch_sizes  OUTPUT PATH PATH
    memory       OUTPUT PATH

Where there are two models, they are used in turn on the same text and must give the same results.
"""

from __future__ import annotations

import functools
import os
import pathlib
import resource
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import texts, timing

BATCH_SIZE = 256
# And the lines that are cut into batches of it.
BATCH_SIZES = {1: 500, 32: 4000, 256: 8192, 4096: 16384}
FEW_BATCHES, MANY_BATCHES = 200, 2000
_MEMORY_BATCH_SIZE = 8
_PASSES = 3
# Of the text in a pass: tf.data takes a moment to start.
_REPETITIONS = 4
_PARALLEL = (None, os.cpu_count())


def _load(*paths: str) -> list[Any]:
    import tensorflow_text  # noqa: F401  Registers the ops.

    return [tf.saved_model.load(path) for path in paths]


def throughput(first: str, second: str) -> list[float]:
    """Returns the lines per second that each of two models packs.

    Returns:
      Of the first and of the second with one batch at a time, then of both with as many at a time
      as there are cores; then the same per second of processor time.
    """
    lines = _REPETITIONS * texts.lines()
    return _rates(_load(first, second), tf.data.Dataset.from_tensor_slices(lines), len(lines))


def pairs(first: str, second: str) -> list[float]:
    """Returns the pairs of lines per second that each of two models packs, as `throughput`."""
    lines = texts.lines()
    both = (lines, lines[1:] + lines[:1])

    def packing(model: Any) -> Callable[..., Any]:
        def pack(one: tf.Tensor, other: tf.Tensor) -> Any:
            return model.bert_pack_inputs([model.tokenize(one), model.tokenize(other)])

        return pack

    calls = [packing(model) for model in _load(first, second)]
    return _rates(calls, tf.data.Dataset.from_tensor_slices(both), len(lines))


def _rates(calls: Sequence[Callable[..., Any]], lines: tf.data.Dataset, number: int) -> list[float]:
    wall, processor = [], []
    for parallel in _PARALLEL:
        spent = _spent(calls, lines.batch(BATCH_SIZE), parallel)
        wall += [number / one.wall for one in spent]
        processor += [number / one.processor for one in spent]
    return wall + processor


def _spent(
    calls: Sequence[Callable[..., Any]], batches: tf.data.Dataset, parallel: int | None
) -> list[timing.Seconds]:
    datasets = [batches.map(call, num_parallel_calls=parallel).prefetch(1) for call in calls]
    _check_same(datasets)
    passes = [functools.partial(_consume, dataset) for dataset in datasets]
    return timing.in_turn(passes, calls=_PASSES)


def batch_sizes(first: str, second: str) -> list[float]:
    """Returns the microseconds per line that each of two models takes, for each batch size."""
    models = _load(first, second)
    lines = texts.lines()
    values = []
    for size, number in BATCH_SIZES.items():
        chosen = (number // len(lines) + 1) * lines
        batches = tf.data.Dataset.from_tensor_slices(chosen[:number]).batch(size)
        values += [1e6 * one.wall / number for one in _spent(models, batches, None)]
    return values


def memory(path: str) -> list[float]:
    """Returns the resident memory after many batches, in multiples of that after few."""
    (model,) = _load(path)
    lines = tf.data.Dataset.from_tensor_slices(texts.lines())
    batches = iter(lines.repeat().batch(_MEMORY_BATCH_SIZE).map(model))
    sizes = []
    for number in (FEW_BATCHES, MANY_BATCHES - FEW_BATCHES):
        for _ in range(number):
            next(batches)
        sizes.append(_resident_bytes())
    return [sizes[1] / sizes[0]]


def _resident_bytes() -> int:
    pages = pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def _check_same(datasets: Sequence[tf.data.Dataset]) -> None:
    """Warms up, too."""
    for expected, got in zip(*datasets, strict=True):
        if expected.keys() != got.keys():
            raise ValueError(f"Both must return the same names: {list(expected)}, {list(got)}.")
        for name, value in expected.items():
            if not np.array_equal(value, got[name]):
                raise ValueError(f"Both must give the same {name}: {value}, {got[name]}.")


def _consume(dataset: tf.data.Dataset) -> None:
    for _ in dataset:
        pass
