"""The tasks of GLUE, by name, from tensorflow-datasets."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import gin

from exporter import errors
from exporter.evaluation import examples


@dataclasses.dataclass(frozen=True)
class _Task:
    """A task of GLUE (Wang et al., 2018, arxiv.org/abs/1804.07461, table 1).

    Attributes:
      texts: The features that hold the texts.
      metric: What is measured beside accuracy, of TF-NLP's metric types.
      validation: The splits to validate on.
    """

    texts: tuple[str, ...]
    metric: str = examples.ACCURACY
    validation: tuple[str, ...] = ("validation",)


# Each after twice the time: after 6 s the last one.
_RETRIES = 5
_PAIR = ("sentence1", "sentence2")
NAMES: Mapping[str, _Task] = {
    "cola": _Task(("sentence",), examples.MATTHEWS),
    "mnli": _Task(
        ("premise", "hypothesis"), validation=("validation_matched", "validation_mismatched")
    ),
    "mrpc": _Task(_PAIR, examples.F1),
    "qnli": _Task(("question", "sentence")),
    "qqp": _Task(("question1", "question2"), examples.F1),
    "rte": _Task(_PAIR),
    "sst2": _Task(("sentence",)),
    "stsb": _Task(_PAIR, examples.CORRELATION),
    "wnli": _Task(_PAIR),
}


@gin.configurable("glue", module="exporter")
@dataclasses.dataclass(frozen=True)
class Glue:
    """A task of GLUE, with its own metrics.

    Attributes:
      name: "cola", "mnli" (matched and mismatched), "mrpc", "qnli", "qqp", "rte", "sst2", "stsb" or
        "wnli".
      data_dir: Where tensorflow-datasets keeps its data; None for its own place.
      download: Whether data that is not there is fetched.
    """

    name: str | None = None
    data_dir: str | None = None
    download: bool = False

    def mistakes(self) -> list[errors.UserError]:
        """Returns what can be told to be wrong without looking at the data."""
        if self.name in NAMES:
            return []
        return [
            errors.UserError(
                f"glue.name must be one of {', '.join(NAMES)}.",
                example="glue.name = 'mrpc'",
                received=self.name or "none",
                setting="glue.name",
            )
        ]

    def read(self) -> examples.Examples:
        """Reads the data.

        Raises:
          UserError: It is not there and is not or cannot be fetched.
        """
        import tensorflow_datasets as tfds

        task = NAMES[self.name or ""]
        builder = tfds.builder(f"glue/{self.name}", data_dir=self.data_dir)
        if not builder.is_prepared():
            self._fetch(builder)
        names = builder.info.features["label"].names if task.metric != examples.CORRELATION else ()
        read = {split: _split(builder, split, task) for split in ("train", *task.validation)}
        return examples.Examples(
            f"glue/{self.name}",
            read.pop("train"),
            read,
            tuple(names),
            task.metric,
        )

    def _fetch(self, builder: Any) -> None:
        if not self.download:
            raise errors.UserError(
                "The data of the task must be there, prepared by tensorflow-datasets, or be "
                "fetched.",
                example="glue.download = True",
                received=f"nothing in {builder.data_dir}",
                setting="glue.data_dir",
            )
        try:
            with _soon_ended():
                builder.download_and_prepare()
        except Exception as error:
            raise errors.UserError(
                "The data of the task must be there or be fetched, which failed; "
                f"tensorflow-datasets says: {_first_line(error)}",
                example="glue.data_dir = '/data/tensorflow_datasets', with the data prepared",
                received=f"glue/{self.name}",
                setting="glue.download",
            ) from error


@contextlib.contextmanager
def _soon_ended() -> Iterator[None]:
    """While open, who does not answer is asked for seconds and not for minutes, and in silence."""
    from tensorflow_datasets.core.download import downloader

    logger = logging.getLogger("urllib3")
    before = downloader.MAX_RETRIES, logger.level
    downloader.MAX_RETRIES = _RETRIES
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        downloader.MAX_RETRIES = before[0]
        logger.setLevel(before[1])


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _split(builder: Any, split: str, task: _Task) -> examples.Split:
    import tensorflow_datasets as tfds

    texts, labels = [], []
    for example in tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)):
        texts.append(tuple(example[name].decode() for name in task.texts))
        labels.append(float(example["label"]))
    return examples.Split(texts, labels)
