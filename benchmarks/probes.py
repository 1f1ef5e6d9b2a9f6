"""Uses exports, in a process of its own: `python -m benchmarks.probes WHAT OUTPUT ...`.

    load            OUTPUT PATH
    load_with_text  OUTPUT PATH
    forward         OUTPUT PATH PATH VOCAB_SIZE BATCH_SIZE LENGTH

And those of `benchmarks.text_probes` and `benchmarks.embedding_probes`. Each writes a JSON list of
numbers to the file OUTPUT. Where there are two exports, they are used in turn on the same inputs
and must give the same results.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks import embedding_probes, text_probes, timing

# The largest difference of two float32 encoders, by the same weights and other kernels.
_LIMIT = 1e-4
_COMPARED_OUTPUTS = ("pooled_output", "sequence_output")
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
    return [one.wall for one in timing.in_turn(calls)]


# What `Workspace.probe` can ask for, by name.
PROBES: dict[str, Callable[..., list[float]]] = {
    probe.__name__: probe
    for probe in (
        load,
        load_with_text,
        forward,
        text_probes.throughput,
        text_probes.pairs,
        text_probes.batch_sizes,
        text_probes.memory,
        embedding_probes.embedding,
    )
}

if __name__ == "__main__":
    _, _name, _output, *_arguments = sys.argv
    pathlib.Path(_output).write_text(json.dumps(PROBES[_name](*_arguments)), encoding="utf-8")
