"""What a text-embedding SavedModel takes and returns.

"Text embeddings from text inputs" of tensorflow.org/hub/common_saved_model_apis/text.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter import contracts, loaded_models, sample_texts
from exporter.contracts_of_behaviour import has_random_ops
from exporter.contracts_of_calls import LIMIT, largest, told
from exporter.contracts_of_preprocessing import TEXTS


def returns_vectors(model: loaded_models.Model) -> str:
    """The root turns strings `[B]` into float32 `[B, D]`."""
    vectors = model.vectors
    contracts.require(isinstance(vectors, tf.Tensor), f"{type(vectors).__name__}, not a tensor")
    contracts.require(vectors.dtype == tf.float32, vectors.dtype.name)
    shape = vectors.shape.as_list()
    contracts.require(len(shape) == 2 and shape[0] == len(sample_texts.SHORT), str(shape))
    contracts.require(bool(np.all(np.isfinite(vectors))), "NaN or infinite values")
    return f"D = {shape[1]}"


def training_is_optional(model: loaded_models.Model) -> str:
    """`training` is a keyword argument, and False where it is not given."""
    text = tf.constant(TEXTS)
    difference = largest(model.loaded(text), model.loaded(text, training=False))
    contracts.require(difference <= LIMIT, f"without it, vectors differ by {difference:.1e}")
    model.loaded(text, training=True)
    return "True, False and not given"


def training_drops(model: loaded_models.Model) -> str:
    """Two calls for training differ, if there is dropout."""
    text = tf.constant(TEXTS)
    call = tf.function(lambda text: model.loaded(text, training=True))
    if not has_random_ops(call.get_concrete_function(tf.TensorSpec([None], tf.string))):
        raise contracts.NotChecked("there are no random ops in the trace for training")
    first, second = (model.loaded(text, training=True) for _ in range(2))
    contracts.require(largest(first, second) > LIMIT, "two calls are equal")
    return "two calls differ"


def all_calls_are_traced(model: loaded_models.Model) -> str:
    """Every permitted call can be made in a graph, with the batch size known and not."""
    width = model.loaded(tf.constant(["text"])).shape[1]
    for training in ({}, {"training": False}, {"training": True}):
        for batch in (None, 1, 7):
            function = tf.function(lambda text, given=training: model.loaded(text, **given))
            spec = tf.TensorSpec([batch], tf.string)
            shape = function.get_concrete_function(spec).structured_outputs.shape.as_list()
            contracts.require(shape[-1] == width, f"{shape} in a graph, not [{batch}, {width}]")
    return "9 calls"


def rows_are_independent(model: loaded_models.Model) -> str:
    """A text alone gives what it gives in a batch."""
    vectors = model.loaded(tf.constant(TEXTS))
    worst = 0.0
    for i, text in enumerate(TEXTS):
        worst = max(worst, largest(vectors[i : i + 1], model.loaded(tf.constant([text]))))
    contracts.require(worst <= LIMIT, f"texts alone differ by {worst:.1e}")
    return told(worst)


def text_matters(model: loaded_models.Model) -> str:
    """Other texts have other vectors."""
    # To a small vocabulary, texts of as many words may all be the same unknown ones.
    texts = (TEXTS[0], "", "another")
    first, *others = model.loaded(tf.constant(texts)).numpy()
    effects = [largest(first, other) for other in others]
    contracts.require(min(effects) > LIMIT, "two texts of other lengths have the same")
    return f"an effect of {min(effects):.1e}"


def empty_batches(model: loaded_models.Model) -> str:
    """A batch of no texts gives no vectors."""
    shape = model.loaded(tf.zeros([0], tf.string)).shape.as_list()
    contracts.require(shape[0] == 0, str(shape))
    return str(shape)
