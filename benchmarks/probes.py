"""Uses exports, in a process of its own: `python -m benchmarks.probes WHAT OUTPUT ...`.

    load            OUTPUT PATH
    load_with_text  OUTPUT PATH
    forward         OUTPUT PATH PATH VOCAB_SIZE BATCH_SIZE LENGTH
    throughput      OUTPUT PATH PATH

Each writes a JSON list of numbers to the file OUTPUT. Where there are two exports, they are used in
turn on the same inputs and must give the same results.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from benchmarks import texts

THROUGHPUT_BATCH_SIZE = 256
# The largest difference of two float32 encoders, by the same weights and other kernels.
_LIMIT = 1e-4
_COMPARED_OUTPUTS = ("pooled_output", "sequence_output")
_MIN_CALLS = 5
_MAX_CALLS = 200
_SECONDS = 3.0
_PASSES = 3
# Of the text in a pass: tf.data takes a moment to start.
_REPETITIONS = 4
_SEED = 20201012


def load(path: str) -> list[float]:
    """Returns the seconds that loading takes."""
    start = time.perf_counter()
    tf.saved_model.load(path)
    return [time.perf_counter() - start]


def load_with_text(path: str) -> list[float]:
    """Returns the seconds that loading takes, of a SavedModel with ops of TensorFlow Text."""
    import tensorflow_text  # noqa: F401  Registers the ops.

    return load(path)


def forward(first: str, second: str, vocab_size: str, batch_size: str, length: str) -> list[float]:
    """Returns the seconds that a forward pass takes, of each of two encoders.

    Args:
      first: One encoder's path.
      second: The other one's.
      vocab_size: How many ids there are.
      batch_size: Of the inputs.
      length: Of the inputs, of which none are padding.
    """
    encoders = [tf.saved_model.load(path) for path in (first, second)]
    random = np.random.default_rng(_SEED)
    shape = [int(batch_size), int(length)]
    inputs = {
        "input_word_ids": tf.constant(random.integers(0, int(vocab_size), shape), tf.int32),
        "input_mask": tf.ones(shape, tf.int32),
        "input_type_ids": tf.zeros(shape, tf.int32),
    }

    calls = [functools.partial(encoder, inputs, training=False) for encoder in encoders]
    expected, got = [call() for call in calls]
    for name in _COMPARED_OUTPUTS:
        difference = float(tf.reduce_max(tf.abs(expected[name] - got[name])))
        if not difference <= _LIMIT:
            raise ValueError(f"Both must give the same {name}; they differ by {difference}.")
    return _in_turn(calls)


def throughput(first: str, second: str) -> list[float]:
    """Returns the lines per second that each of two preprocessing models packs.

    Returns:
      Of the first and of the second with one batch at a time, then of both with as many at a time
      as there are cores.
    """
    import tensorflow_text  # noqa: F401  Registers the ops.

    models = [tf.saved_model.load(path) for path in (first, second)]
    lines = _REPETITIONS * texts.lines()
    rates = []
    for parallel in (None, os.cpu_count()):
        datasets = [
            tf.data.Dataset.from_tensor_slices(lines)
            .batch(THROUGHPUT_BATCH_SIZE)
            .map(model, num_parallel_calls=parallel)
            .prefetch(1)
            for model in models
        ]
        _check_same(datasets)
        passes = [functools.partial(_consume, dataset) for dataset in datasets]
        rates += [len(lines) / seconds for seconds in _in_turn(passes, calls=_PASSES)]
    return rates


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


def _in_turn(functions: Sequence[Callable[[], object]], calls: int | None = None) -> list[float]:
    """Calls functions in turn and returns the median seconds of each.

    Args:
      functions: What to call; each has been called before.
      calls: How often, or None for as many as some seconds have room for.
    """
    if calls is None:
        spent = sum(_seconds(function) for function in functions)
        calls = min(_MAX_CALLS, max(_MIN_CALLS, round(_SECONDS / spent)))
    rounds = [[_seconds(function) for function in functions] for _ in range(calls)]
    return [statistics.median(seconds) for seconds in zip(*rounds, strict=True)]


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


_PROBES = {probe.__name__: probe for probe in (load, load_with_text, forward, throughput)}

if __name__ == "__main__":
    _, _name, _output, *_arguments = sys.argv
    pathlib.Path(_output).write_text(json.dumps(_PROBES[_name](*_arguments)), encoding="utf-8")
