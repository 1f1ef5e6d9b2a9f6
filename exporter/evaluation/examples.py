"""Labelled texts to fine-tune on, wherever they come from."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence

TEXT, LABEL = "text_{}", "label"
ACCURACY, F1 = "accuracy", "f1"
MATTHEWS, CORRELATION = "matthews_corrcoef", "pearson_spearman_corr"
# TF-NLP's own (`official.nlp.tasks.sentence_prediction.METRIC_TYPES`), but for the correlation of
# numbers.
CLASS_METRICS = (ACCURACY, F1, MATTHEWS)


@dataclasses.dataclass(frozen=True)
class Split:
    """Examples of one kind.

    Attributes:
      texts: One or two texts an example.
      labels: The number of the class, or the score.
    """

    texts: Sequence[tuple[str, ...]]
    labels: Sequence[float]

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True)
class Examples:
    """A task's examples.

    Attributes:
      task: What the task is called.
      train: What to train on.
      validation: What to validate on, by name. The first is what the learning curves show.
      classes: The classes' names; none for a task of scores.
      metric: What beside accuracy or the mean squared error is measured, of TF-NLP's metric types.
    """

    task: str
    train: Split
    validation: dict[str, Split]
    classes: tuple[str, ...]
    metric: str

    @property
    def is_regression(self) -> bool:
        """Whether scores are predicted and not classes."""
        return not self.classes

    @property
    def splits(self) -> dict[str, Split]:
        """All examples, by the splits' names."""
        return {"train": self.train, **self.validation}

    @property
    def num_texts(self) -> int:
        """How many texts an example has."""
        return len(self.train.texts[0])

    def digest(self) -> str:
        """Returns what is equal for equal examples."""
        found = hashlib.sha256()
        for name, split in self.splits.items():
            for texts, label in zip(split.texts, split.labels, strict=True):
                found.update(repr((name, texts, label)).encode())
        return found.hexdigest()


def write(examples: Examples, folder: str) -> dict[str, str]:
    """Writes examples as TF-NLP's loader of texts reads them.

    Args:
      examples: The examples.
      folder: Where to.

    Returns:
      The files, by the splits' names.
    """
    import tensorflow as tf

    files = {}
    for number, (name, split) in enumerate(examples.splits.items()):
        files[name] = os.path.join(folder, f"{number}.tfrecord")
        with tf.io.TFRecordWriter(files[name]) as writer:
            for texts, label in zip(split.texts, split.labels, strict=True):
                feature = {
                    TEXT.format(i): tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[text.encode()])
                    )
                    for i, text in enumerate(texts)
                }
                if examples.is_regression:
                    value = tf.train.Feature(float_list=tf.train.FloatList(value=[label]))
                else:
                    value = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)]))
                feature[LABEL] = value
                features = tf.train.Features(feature=feature)
                writer.write(tf.train.Example(features=features).SerializeToString())
    return files
