"""How each arm makes an encoder's inputs of texts, inside `tf.data`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from official.nlp.data import sentence_prediction_dataloader as dataloader

from exporter import encoder_calls, text_verification
from exporter.evaluation import examples

# Of rows; larger sets are shuffled within a window of as many.
_SHUFFLED = 100_000
# Truncations that TensorFlow Text has no trimmer for are defined in Python.
_IN_PYTHON = ("first_only", "head_and_tail")


class ReferenceProcessor(dataloader.TextProcessor):
    """The Model Garden's tokenization and packing, with what an export may choose beside."""

    def __init__(self, source: text_verification.TextSource) -> None:
        """Makes tokenizer and packing.

        Args:
          source: How texts become inputs.
        """
        self._tokenizer, self._pack_inputs, _ = source.layers()
        packing = source.packing
        self._in_python = packing.truncation in _IN_PYTHON or packing.pad_to_longest
        # Traced once for all datasets: most of it are checks of ragged tensors.
        self._in_graph = tf.function(super().__call__, autograph=False)

    def __call__(self, segments: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Makes inputs int32 `[B, L]` of N tensors of texts `[B]`, as the loader calls it."""
        if not self._in_python:
            # Of no known batch size, so that the last batch needs no trace of its own.
            unsized = tf.compat.v1.placeholder_with_default
            return dict(self._in_graph([unsized(segment, [None]) for segment in segments]))
        made = tf.py_function(
            lambda *texts: [self._eager(list(texts))[name] for name in encoder_calls.INPUT_NAMES],
            segments,
            [tf.int32] * len(encoder_calls.INPUT_NAMES),
        )
        for tensor in made:
            tensor.set_shape([None, None])
        return dict(zip(encoder_calls.INPUT_NAMES, made, strict=True))

    def _eager(self, segments: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        return dict(super().__call__(segments))


def reference(source: text_verification.TextSource, seq_length: int) -> ReferenceProcessor:
    """Returns what makes the baseline's inputs.

    Args:
      source: How the export was told to make them.
      seq_length: Their length.
    """
    return ReferenceProcessor(dataclasses.replace(source, seq_length=seq_length))


def exported(path: str, seq_length: int) -> dataloader.TextProcessor:
    """Returns what makes the export's inputs: its preprocessing, loaded by TF-NLP.

    Args:
      path: The preprocessing SavedModel.
      seq_length: The inputs' length.
    """
    return dataloader.TextProcessor(seq_length=seq_length, preprocessing_hub_module_url=path)


class Loader(dataloader.SentencePredictionTextDataLoader):
    """TF-NLP's loader of texts, with any processor of them, that can begin where it was left."""

    def __init__(
        self,
        params: dataloader.SentencePredictionTextDataConfig,
        processor: dataloader.TextProcessor,
        *,
        skipped_batches: int = 0,
    ) -> None:
        """Reads nothing yet.

        Args:
          params: TF-NLP's configuration.
          processor: What makes inputs of texts.
          skipped_batches: How many batches are left out, before texts are processed.
        """
        # Not TF-NLP's own, which makes a processor of the names of files.
        self._params = params
        self._text_fields = params.text_fields
        self._label_field = params.label_field
        self._label_type = params.label_type
        self._include_example_id = params.include_example_id
        self._text_processor = processor
        self._skipped = skipped_batches * params.global_batch_size

    def _decode(self, record: tf.Tensor) -> Mapping[str, tf.Tensor]:
        example = super()._decode(record)
        if self._label_type == "float":
            # `[B, 1]` as what is predicted: TF-NLP's loss would broadcast `[B]` with that.
            example[self._label_field] = example[self._label_field][tf.newaxis]
        return example

    def load(self, input_context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
        """Returns batches of inputs int32 `[B, L]` and labels `[B]`, of scores `[B, 1]`."""
        params = self._params
        plain = tf.autograph.experimental.do_not_convert  # Nothing needs AutoGraph's long look.
        reader = dataloader.input_reader.InputReader(
            dataset_fn=dataloader.dataset_fn.pick_dataset_fn(params.file_type),
            decoder_fn=plain(self._decode),
            params=params,
            transform_and_batch_fn=self._batched,
            postprocess_fn=plain(self._bert_preprocess),
        )
        return reader.read(input_context)

    def _batched(self, dataset: tf.data.Dataset, _: Any) -> tf.data.Dataset:
        dataset = dataset.skip(self._skipped) if self._skipped else dataset
        return dataset.batch(
            self._params.global_batch_size, drop_remainder=self._params.drop_remainder
        )


def config(
    task: examples.Examples,
    path: str,
    *,
    batch_size: int,
    seq_length: int,
    training_seed: int | None = None,
) -> dataloader.SentencePredictionTextDataConfig:
    """Returns TF-NLP's configuration of what a loader reads.

    Args:
      task: What is read.
      path: The file with a split of it, as `examples.write` writes it.
      batch_size: How many examples a batch has.
      seq_length: How many tokens an example has.
      training_seed: Of the order of examples to train on; None for examples to validate on.
    """
    training = training_seed is not None
    return dataloader.SentencePredictionTextDataConfig(
        input_path=path,
        label_type="float" if task.is_regression else "int",
        text_fields=[examples.TEXT.format(i) for i in range(task.num_texts)],
        label_field=examples.LABEL,
        global_batch_size=batch_size,
        seq_length=seq_length,
        is_training=training,
        drop_remainder=training,
        seed=training_seed,
        shuffle_buffer_size=min(len(task.train), _SHUFFLED),
        deterministic=True,
    )
