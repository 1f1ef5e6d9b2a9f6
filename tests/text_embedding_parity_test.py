"""A text embedding gives what the exported preprocessing and encoder give one after the other."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter import (
    packing,
    padding,
    preprocessing,
    restorations,
    saved_models,
    settings,
    text_embedding,
    tokenizers,
)
from tests import encoder_exports, testing, written_models
from tests.conformance import comparison, goldens

_VOCABULARY = testing.TESTDATA / "bert_tiny" / "vocab.txt"
_SEQ_LENGTH = 16
_TEXTS = [
    "Return.",
    "The function returns a list of names, sorted by the values that they have.",
    "",
    (
        "This module was added in version 3.2, and it has been improved in each version since; "
        "older code that does not use it may be changed, step by step, as it is described below."
    ),
    "Is the value of the attribute a string or an integer?",
    "n\u00e4ive caf\u00e9, \u4f60\u597d!",
]
_VECTORS = ("pooled_output", "first_token", "mean", "mean_of_last_layers")
# Whose encoders are exported, too; others are called in Python.
_EXPORTED = ("bert", "mobilebert")
_CASES = {case.name: case for case in (*goldens.EXACT, *goldens.RARE)}


@dataclasses.dataclass(frozen=True, eq=False)
class _Models:
    """What is exported of one encoder: preprocessing and encoder, loaded; and what makes more."""

    case: testing.Case
    made: encoder_exports.Made
    tokenizer: tokenizers.Tokenizer
    preprocess: Any
    encoder: Any
    folder: pathlib.Path

    def root(self, **arguments: Any) -> text_embedding.TextEmbedding:
        """Makes a text embedding."""
        return text_embedding.TextEmbedding(
            self.tokenizer,
            self.made.encoder,
            seq_length=_SEQ_LENGTH,
            **{"options": packing.Options(pad_to_longest=self.pads_to_longest), **arguments},
        )

    @property
    def pads_to_longest(self) -> bool:
        """Whether rows need not be of the sequence length."""
        return padding.is_ignored(self.made.encoder)

    def export(self, vector: str = "pooled_output") -> str:
        """Exports a text embedding, once, and returns where it is."""
        path = str(self.folder / f"text_embedding_{vector}")
        if not os.path.exists(path):
            root = self.root(vector=vector, num_layers=2)
            written_models.write(root, path, restoration=self.made.restoration)
        return path

    def one_after_the_other(
        self, texts: Sequence[str], vector: str, *, normalize: bool = False
    ) -> np.ndarray:
        """Runs preprocessing and encoder, and pools by NumPy."""
        inputs = self.preprocess(tf.constant(texts))
        outputs = self.encoder(inputs)
        result = _pooled(outputs, inputs["input_mask"].numpy(), vector)
        return result / np.linalg.norm(result, axis=1, keepdims=True) if normalize else result


def _pooled(outputs: dict[str, Any], mask: np.ndarray, vector: str) -> np.ndarray:
    if vector == "pooled_output":
        return outputs["pooled_output"].numpy()
    if vector == "first_token":
        return outputs["sequence_output"][:, 0].numpy()
    tokens = outputs["sequence_output"].numpy()
    if vector == "mean_of_last_layers":
        tokens = np.mean([output.numpy() for output in outputs["encoder_outputs"][-2:]], axis=0)
    return np.stack(
        [row[:length].mean(axis=0) for row, length in zip(tokens, mask.sum(axis=1), strict=True)]
    )


@pytest.fixture(name="models", scope="module")
def _models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], _Models]:
    @functools.cache
    def make(name: str) -> _Models:
        case = encoder_exports.with_config(
            _CASES[name],
            **{
                "word_vocab_size" if name == "mobilebert" else "vocab_size": len(
                    _VOCABULARY.read_text(encoding="utf-8").splitlines()
                )
            },
        )
        folder = tmp_path_factory.mktemp(name)
        files = testing.write_files(dataclasses.replace(case, sentencepiece=False), folder / "run")
        made = encoder_exports.make(files, with_mlm=False)
        restorations.restore(made.restoration, made.encoder)
        tokenizer = tokenizers.WordpieceTokenizer(str(_VOCABULARY), lower_case=True)
        root = preprocessing.Preprocessing(
            tokenizer,
            default_seq_length=_SEQ_LENGTH,
            tokenize_with_offsets=False,
            max_segments=1,
            options=packing.Options(),
        )
        written_models.write(root, str(folder / "preprocessing"))
        preprocess = tf.saved_model.load(str(folder / "preprocessing"))
        if name in _EXPORTED:
            encoder = tf.saved_model.load(made.write(folder / "encoder"))
        else:
            encoder = functools.partial(made.encoder, training=False)
        return _Models(case, made, tokenizer, preprocess, encoder, folder)

    return make


class TestVectors:
    @pytest.mark.parametrize(
        ("name", "vector"),
        [
            *(("bert", vector) for vector in _VECTORS),
            ("albert", "mean_of_last_layers"),
            # Padding makes a difference.
            ("mobilebert", "mean"),
            # Takes one length.
            ("bigbird", "pooled_output"),
        ],
    )
    def test_saved_and_loaded(
        self, models: Callable[[str], _Models], name: str, vector: str
    ) -> None:
        of_encoder = models(name)
        loaded = tf.saved_model.load(of_encoder.export(vector))
        # In a batch, as many as come, and alone, where there is no padding.
        for texts in (_TEXTS, _TEXTS[3:4], _TEXTS[:1]):
            expected = of_encoder.one_after_the_other(texts, vector)
            got = loaded(tf.constant(texts))
            assert got.dtype == tf.float32
            np.testing.assert_allclose(got, expected, rtol=0, atol=comparison.LIMIT)
        self._check_signatures(of_encoder, loaded, vector)

    def _check_signatures(self, models: _Models, loaded: Any, vector: str) -> None:
        texts = tf.constant(_TEXTS)
        expected = models.one_after_the_other(_TEXTS, vector)
        (serving,) = loaded.signatures["serving_default"](sentences=texts).items()
        assert serving[0] == "default"
        outputs = loaded.signatures["outputs"](sentences=texts)
        assert set(outputs) == {"default", "pooled_output", "sequence_output"}
        for got in (serving[1], outputs["default"]):
            np.testing.assert_allclose(got, expected, rtol=0, atol=comparison.LIMIT)
        # Padding included; padded to the longest, rows end sooner.
        length = outputs["sequence_output"].shape[1]
        both = models.encoder(models.preprocess(texts))
        for name, value in (
            ("pooled_output", both["pooled_output"]),
            ("sequence_output", both["sequence_output"][:, :length]),
        ):
            np.testing.assert_allclose(outputs[name], value, rtol=0, atol=comparison.LIMIT)

    @pytest.mark.parametrize("vector", _VECTORS)
    def test_padded_to_the_sequence_length_and_normalized(
        self, models: Callable[[str], _Models], vector: str
    ) -> None:
        of_encoder = models("bert")
        embed = of_encoder.root(
            vector=vector, num_layers=2, normalize=True, options=packing.Options()
        ).__call__
        got = embed(tf.constant(_TEXTS))
        np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1.0, rtol=0, atol=1e-6)
        expected = of_encoder.one_after_the_other(_TEXTS, vector, normalize=True)
        np.testing.assert_allclose(got, expected, rtol=0, atol=comparison.LIMIT)

    @pytest.mark.parametrize(
        ("name", "vector"), [("fnet", "mean"), ("sparse_mixer", "first_token"), ("bert_v2", "mean")]
    )
    def test_before_it_is_saved(
        self, models: Callable[[str], _Models], name: str, vector: str
    ) -> None:
        of_encoder = models(name)
        got = of_encoder.root(vector=vector).__call__(tf.constant(_TEXTS))
        expected = of_encoder.one_after_the_other(_TEXTS, vector)
        np.testing.assert_allclose(got, expected, rtol=0, atol=comparison.LIMIT)

    def test_many_batches_of_many_lengths(self, models: Callable[[str], _Models]) -> None:
        of_encoder = models("bert")
        embed = of_encoder.root(vector="mean").__call__
        words = _TEXTS[3].split()
        texts = [" ".join(words[i : i + n]) for n in range(1, 20) for i in range(0, 8, 2)]
        for size in (5, 32):
            for i in range(0, len(texts), size):
                batch = texts[i : i + size]
                expected = of_encoder.one_after_the_other(batch, "mean")
                got = embed(tf.constant(batch))
                np.testing.assert_allclose(got, expected, rtol=0, atol=comparison.LIMIT)

    def test_no_texts(self, models: Callable[[str], _Models]) -> None:
        for vector in _VECTORS:
            embed = models("bert").root(vector=vector, num_layers=2).__call__
            assert embed(tf.constant([], tf.string)).shape == [0, 8]


class TestFineTuning:
    def test_all_variables_are_listed(self, models: Callable[[str], _Models]) -> None:
        loaded = tf.saved_model.load(models("bert").export())
        network = models("bert").made.encoder.network
        assert [v.name for v in loaded.variables] == [v.name for v in network.variables]
        assert len(loaded.trainable_variables) == len(network.trainable_variables) == 55
        assert list(loaded.regularization_losses) == []

    @pytest.mark.parametrize("training", [False, True])
    def test_a_step_changes_all_that_the_vector_is_made_of(
        self, models: Callable[[str], _Models], training: bool
    ) -> None:
        loaded = tf.saved_model.load(models("bert").export())
        texts = tf.constant(_TEXTS)
        with tf.GradientTape() as tape:
            before = loaded(texts, training=training)
            loss = tf.reduce_sum(before**2)
        gradients = tape.gradient(loss, loaded.trainable_variables)
        assert all(gradient is not None for gradient in gradients)
        for variable, gradient in zip(loaded.trainable_variables, gradients, strict=True):
            variable.assign_sub(1e-3 * tf.convert_to_tensor(gradient))
        assert float(tf.reduce_sum(loaded(texts, training=training) ** 2)) < float(loss)

    def test_dropout_in_training_alone(self, tmp_path: pathlib.Path) -> None:
        case = encoder_exports.with_config(encoder_exports.BERT, vocab_size=3391)
        files = testing.write_files(case, tmp_path / "run")
        made = encoder_exports.make(files, with_mlm=False)
        root = text_embedding.TextEmbedding(
            tokenizers.WordpieceTokenizer(str(_VOCABULARY), lower_case=True),
            made.encoder,
            seq_length=_SEQ_LENGTH,
        )
        written_models.write(root, str(tmp_path / "export"), restoration=made.restoration)
        loaded = tf.saved_model.load(str(tmp_path / "export"))
        texts = tf.constant(_TEXTS)
        trained = [loaded(texts, training=True).numpy() for _ in range(2)]
        assert np.any(trained[0] != trained[1])
        inferred = [loaded(texts, training=False).numpy(), loaded(texts).numpy()]
        np.testing.assert_array_equal(*inferred)


def test_means_that_cannot_be_had(models: Callable[[str], _Models]) -> None:
    def told(name: str, **choices: Any) -> list[str]:
        embedding = settings.TextEmbeddingSettings(**choices)
        return list(map(str, text_embedding.mistakes(embedding, models(name).made.encoder)))

    assert told("funnel", vector="pooled_output") == []
    (mean,) = told("funnel", vector="mean")
    assert mean == (
        "A mean over tokens needs an output for each; Funnel Transformers pool them.\n"
        "  received: 'mean' with type 'funnel'\n"
        "  example:  text_embedding.vector = 'pooled_output'"
    )
    for name in ("bert", "fnet"):
        assert told(name, vector="mean_of_last_layers", num_layers=3) == []
        assert told(name, vector="mean_of_last_layers", num_layers=4) != []


def test_the_graph_is_small(models: Callable[[str], _Models]) -> None:
    """Equal blocks are one function for each way they are called in."""
    ops = saved_models.ops(models("bert").export())
    # Training, all outputs, all tokens, first tokens: each has a block's softmax once.
    assert ops["Softmax"] == 4
