from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from exporter import (
    checkpoints,
    encoders,
    packing,
    poolers,
    restorations,
    text_embedding,
    tokenizers,
    truncation,
)
from tests import encoder_exports, preprocessing_exports, written_models

_TEXTS = ["the value of a list", "", "the " * 60]
_LENGTH = 16


@pytest.fixture(scope="module", name="path")
def _path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A text embedding that keeps the ends of texts that are too long."""
    prefix, architecture = encoder_exports.bundled_run()
    encoder = encoders.build(architecture, with_mlm=False)
    restoration = restorations.restoration(
        checkpoints.read(prefix), encoder, poolers.restored_pooler()
    )
    vocabulary = preprocessing_exports.TESTDATA / "bert_tiny" / "vocab.txt"
    module = text_embedding.TextEmbedding(
        tokenizers.WordpieceTokenizer(str(vocabulary), True),
        encoder,
        seq_length=_LENGTH,
        options=packing.Options(truncation.make("head_and_tail", 25), pad_to_longest=True),
    )
    path = str(tmp_path_factory.mktemp("text_embedding"))
    written_models.write(module, path, restoration=restoration)
    return path


def test_texts_are_truncated_as_chosen(path: str) -> None:
    embed = tf.saved_model.load(path)
    words = ["value", "list", "the", "a", "of", "if", "not", "is", "it", "in"] * 5
    kept = [*words[:4], *words[-10:]]  # 14 tokens, 25 of a hundred from the start.
    whole, ends, start = embed([" ".join(part) for part in (words, kept, words[:14])]).numpy()
    np.testing.assert_allclose(whole, ends, atol=1e-5)
    assert np.max(np.abs(whole - start)) > 1e-3


def test_keras_3(path: str) -> None:
    expected = tf.saved_model.load(path)(tf.constant(_TEXTS))
    process = preprocessing_exports.start(
        """
        import json, sys
        import tensorflow as tf, tensorflow_text, keras
        assert keras.__version__.startswith("3.")
        layer = keras.layers.TFSMLayer(sys.argv[1])
        text = keras.Input([], dtype="string")
        model = keras.Model(text, layer(text))
        print(json.dumps([len(layer.trainable_weights), model.output_shape]))
        print(json.dumps(model(tf.constant(json.loads(sys.argv[2]))).numpy().tolist()))
        """,
        path,
        json.dumps(_TEXTS),
    )
    described, vectors = map(json.loads, preprocessing_exports.finish(process).splitlines())
    assert described == [39, [None, 64]]
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
