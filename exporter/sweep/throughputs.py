"""How many texts a second a sweep's exports take, where that is asked for."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import time
from collections.abc import Callable
from typing import Any, ClassVar

import gin

from exporter import choices, errors

_ENCODER, _PREPROCESSING, _TEXT_EMBEDDING = _PARTS = ("encoder", "preprocessing", "text_embedding")


@gin.configurable("throughput", module="exporter.sweep")
@dataclasses.dataclass(frozen=True)
class Throughput:
    """Measures each export when it is complete: texts a second, in batches of English sentences.

    Each SavedModel is called with the sequence length that it has by default: preprocessing and
    text embedding with texts, the encoder with what preprocessing makes of them. What else the
    machine does at that time counts, other exports of the sweep included.

    Attributes:
      batch_size: How many texts are in a batch.
      seconds: How long each SavedModel is called, in seconds, at least once.
    """

    EXPORT_TYPES: ClassVar = choices.WITH_TEXT

    batch_size: int = 32
    seconds: float = 1.0

    def mistakes(self) -> list[errors.UserError]:
        """Returns what can be told to be wrong without looking at exports."""
        found = []
        if type(self.batch_size) is not int or self.batch_size < 1:
            found.append(_mistake("batch_size", "a whole number from 1", "32", self.batch_size))
        if type(self.seconds) not in (int, float) or not 0 < self.seconds < float("inf"):
            found.append(_mistake("seconds", "a number above 0", "1.0", self.seconds))
        return found

    def of(self, path: str) -> dict[str, float]:
        """Measures an export.

        Args:
          path: The export, of a type that takes text.

        Returns:
          Texts a second of each of its SavedModels, as "PART.texts_per_second".
        """
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  Registers the ops.

        from exporter import kept_models, mlm_scores

        sentences = itertools.islice(itertools.cycle(mlm_scores.SENTENCES), self.batch_size)
        texts = tf.constant(list(sentences))
        models = _models(path)
        inputs = dict.fromkeys(models, texts)
        if _ENCODER in models:
            inputs[_ENCODER] = models[_PREPROCESSING](texts)
        found = {
            f"{part}.texts_per_second": round(
                self.batch_size / self._median_seconds(model, inputs[part]), 3
            )
            for part, model in models.items()
        }
        for model in models.values():
            kept_models.destroy_tables(kept_models.tables(model))
        return found

    def _median_seconds(self, call: Callable[[Any], object], argument: Any) -> float:
        call(argument)  # Traced functions are made ready by the first call.
        spent: list[float] = []
        end = time.perf_counter() + self.seconds
        while not spent or time.perf_counter() < end:
            start = time.perf_counter()
            call(argument)
            spent.append(time.perf_counter() - start)
        return sorted(spent)[len(spent) // 2]

    def files(self) -> tuple[str, ...]:
        """Returns the files that are read."""
        return ()

    def digest(self) -> str:
        """Returns what is another where it is measured in another way."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def _models(path: str) -> dict[str, Any]:
    """Loads the SavedModels of an export by their parts."""
    import tensorflow as tf

    if not tf.io.gfile.exists(f"{path}/saved_model.pb"):
        return {part: tf.saved_model.load(f"{path}/{part}") for part in _PARTS}
    model = tf.saved_model.load(path)
    is_preprocessing = hasattr(model, "bert_pack_inputs")
    return {_PREPROCESSING if is_preprocessing else _TEXT_EMBEDDING: model}


def _mistake(name: str, what: str, example: str, value: object) -> errors.UserError:
    setting = f"throughput.{name}"
    return errors.UserError(
        f"{setting} must be {what}.",
        example=f"{setting} = {example}",
        received=repr(value),
        setting=setting,
    )
