"""The two arms: the same task of TF-NLP's on the exported encoder and on the one of Python code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from official.nlp.data import sentence_prediction_dataloader as dataloader
from official.nlp.modeling import models
from official.nlp.tasks import sentence_prediction

from exporter import encoder_calls, encoders
from exporter.evaluation import examples, inputs, records

# TF-NLP's in `official.nlp.configs.encoders.BertEncoderConfig`.
_HEAD_STDDEV = 0.02
# Parts of names: what weight decay leaves out in TF-NLP's own fine-tuning experiments
# (`official.nlp.configs.finetuning_experiments`).
NOT_DECAYED = ("LayerNorm", "layer_norm", "bias")


class Task(sentence_prediction.SentencePredictionTask):
    """TF-NLP's task on the exported encoder, which TF-NLP loads as users do."""

    def __init__(
        self,
        params: sentence_prediction.SentencePredictionConfig,
        processor: dataloader.TextProcessor,
        *,
        head_seed: int,
        skipped_batches: int = 0,
    ) -> None:
        """Builds nothing yet.

        Args:
          params: TF-NLP's configuration.
          processor: What makes inputs of texts.
          head_seed: Of the head's initial values.
          skipped_batches: How many batches were trained on before.
        """
        super().__init__(params)
        self._processor = processor
        self._head_seed = head_seed
        self._skipped = skipped_batches

    @tf.autograph.experimental.do_not_convert
    def build_model(self) -> tf_keras.Model:
        """Builds TF-NLP's classifier on the exported encoder."""
        return super().build_model()

    def build_inputs(
        self,
        params: dataloader.SentencePredictionTextDataConfig,
        input_context: tf.distribute.InputContext | None = None,
    ) -> tf.data.Dataset:
        """Returns batches as `inputs.Loader` makes them."""
        skipped = self._skipped if params.is_training else 0
        loader = inputs.Loader(params, self._processor, skipped_batches=skipped)
        return loader.load(input_context)

    def initialize(self, model: tf_keras.Model) -> None:
        """Gives the head its values, which are equal for equal seeds."""
        for layer in model.classifier.submodules:
            if isinstance(layer, tf_keras.layers.Dense):
                make = tf_keras.initializers.TruncatedNormal(
                    stddev=_HEAD_STDDEV, seed=self._head_seed
                )
                layer.kernel.assign(make(layer.kernel.shape))
                layer.bias.assign(tf.zeros_like(layer.bias))

    def process_metrics(self, metrics: list[Any], labels: Any, model_outputs: tf.Tensor) -> None:
        """Updates TF-NLP's metrics, the mean squared error among them."""
        super().process_metrics(metrics, labels, model_outputs)
        for metric in metrics:
            if metric.name == "mean_squared_error":
                metric.update_state(labels[self.label_field], model_outputs)


class BaselineTask(Task):
    """The same task on the encoder that TF-NLP's code builds, with the checkpoint's values."""

    def __init__(
        self, *args: Any, source: encoders.Encoder, restore: Callable[[], None], **kwargs: Any
    ) -> None:
        """Builds nothing yet.

        Args:
          *args: As `Task` takes them.
          source: The encoder of Python code.
          restore: Gives it the checkpoint's values.
          **kwargs: As `Task` takes them.
        """
        super().__init__(*args, **kwargs)
        self._source = source
        self._restore = restore

    @tf.autograph.experimental.do_not_convert
    def build_model(self) -> tf_keras.Model:
        """Builds TF-NLP's classifier on the encoder of Python code."""
        names = encoder_calls.INPUT_NAMES
        given = {name: tf_keras.Input([None], dtype=tf.int32, name=name) for name in names}
        model = self.task_config.model
        return models.BertClassifier(
            network=tf_keras.Model(given, _Source(self._source)(given)),
            num_classes=model.num_classes,
            initializer=tf_keras.initializers.TruncatedNormal(stddev=_HEAD_STDDEV),
            use_encoder_pooler=model.use_encoder_pooler,
        )

    def initialize(self, model: tf_keras.Model) -> None:
        """Gives the encoder and the head their values."""
        super().initialize(model)
        self._restore()


class _Source(tf_keras.layers.Layer):
    """An encoder with the interface of TF Hub's."""

    def __init__(self, source: encoders.Encoder) -> None:
        super().__init__()
        self._network = source.network  # For its variables.
        self._source = source

    def call(self, given: dict[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
        return self._source(given, training)


@dataclasses.dataclass(frozen=True)
class Export:
    """What the arm of the export is made of.

    Attributes:
      encoder_path: The encoder's SavedModel.
      exported: What makes its inputs.
    """

    encoder_path: str
    exported: dataloader.TextProcessor

    def task(
        self,
        arm: str,
        params: sentence_prediction.SentencePredictionConfig,
        *,
        head_seed: int,
        skipped_batches: int = 0,
    ) -> Task:
        """Returns an arm's task.

        Args:
          arm: `records.EXPORT`; where there are both arms, also `records.BASELINE`.
          params: What the arms have in common.
          head_seed: Of the head's initial values.
          skipped_batches: How many batches were trained on before.
        """
        assert arm == records.EXPORT
        params = params.replace(hub_module_url=self.encoder_path)
        return Task(params, self.exported, head_seed=head_seed, skipped_batches=skipped_batches)


@dataclasses.dataclass(frozen=True)
class Arms(Export):
    """What both arms are made of.

    Attributes:
      source: The encoder of Python code.
      restore: Gives it the checkpoint's values.
      reference: Makes what makes its inputs. TensorFlow drops a SentencePiece model that is not of
        a SavedModel when it sets a seed or clears Keras' session, so that each task has its own.
    """

    source: encoders.Encoder
    restore: Callable[[], None]
    reference: Callable[[], dataloader.TextProcessor]

    def task(
        self,
        arm: str,
        params: sentence_prediction.SentencePredictionConfig,
        *,
        head_seed: int,
        skipped_batches: int = 0,
    ) -> Task:
        """Returns an arm's task, as `Export.task` does."""
        if arm == records.EXPORT:
            return super().task(arm, params, head_seed=head_seed, skipped_batches=skipped_batches)
        return BaselineTask(
            params,
            self.reference(),
            head_seed=head_seed,
            skipped_batches=skipped_batches,
            source=self.source,
            restore=self.restore,
        )


def config(
    task: examples.Examples,
    train: dataloader.SentencePredictionTextDataConfig,
    validation: dataloader.SentencePredictionTextDataConfig,
    *,
    use_encoder_pooler: bool,
) -> sentence_prediction.SentencePredictionConfig:
    """Returns TF-NLP's configuration of a task.

    Args:
      task: The examples.
      train: What is trained on.
      validation: What is validated on.
      use_encoder_pooler: Whether the head stands on `pooled_output`.
    """
    return sentence_prediction.SentencePredictionConfig(
        metric_type=task.metric,
        model=sentence_prediction.ModelConfig(
            num_classes=len(task.classes) or 1, use_encoder_pooler=use_encoder_pooler
        ),
        train_data=train,
        validation_data=validation,
    )
