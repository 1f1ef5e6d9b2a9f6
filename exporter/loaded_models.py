"""SavedModels loaded to be looked at: which kind each is, and what is asked of it often."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the ops of preprocessing)

from exporter import encoder_calls, errors, kept_models, sample_texts, sharing

ENCODER, PREPROCESSING, TEXT_EMBEDDING = "encoder", "preprocessing", "text embedding"
MLM = "encoder with MLM"
KINDS = (ENCODER, MLM, PREPROCESSING, TEXT_EMBEDDING)
ENCODERS = (ENCODER, MLM)
LOAD_ERRORS = (
    tf.errors.OpError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

# What a clause of each kind asks for first, attributes of `Model`.
_FIRST_ASKED = {
    ENCODER: ("outputs",),
    MLM: ("outputs", "mlm_outputs"),
    TEXT_EMBEDDING: ("vectors",),
}
_SEED = 20201012
# Lengths tried for encoders that do not tell theirs by their position embeddings.
_LENGTHS = (512, 256, 128, 64, 32, 16, 8, 4, 2)
_SETTING = "export.export_path"
_CALL = "__call__"

Inputs = dict[str, tf.Tensor]
Outputs = dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A loaded SavedModel.

    Attributes:
      name: What it is called in the report: the name of its folder among several, or its kind.
      path: Its folder.
      kind: Which of `KINDS` it is.
      loaded: The root object.
      load_seconds: How long it took to load.
      given: The encoder inputs to be looked at, with the positions to be masked where these are
        known; None for random ones within what is known of the encoder by its variables' names.
      kept: Whether it is kept for another one that is equal but for its values.
    """

    name: str
    path: str
    kind: str
    loaded: Any
    load_seconds: float = 0.0
    given: Inputs | None = None
    kept: bool = False

    @functools.cached_property
    def embeddings(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the tables of "word", "position" and "type" embeddings, as far as known."""
        found: dict[str, tuple[int, ...]] = {}
        for variable in getattr(self.loaded, "variables", ()):
            for what in ("word", "position", "type"):
                if f"{what}_embedding" in variable.name and variable.shape.rank == 2:
                    found.setdefault(what, tuple(variable.shape))
        return found

    @property
    def num_words(self) -> int:
        """How many ids the encoder has embeddings for; 2 where that is not known."""
        return self.embeddings.get("word", (2,))[0]

    @property
    def num_types(self) -> int | None:
        """How many values `input_type_ids` may take, as far as that is known."""
        return self.embeddings["type"][0] if "type" in self.embeddings else None

    @functools.cached_property
    def longest(self) -> int:
        """The longest sequence that the encoder takes, or that was tried."""
        if "position" in self.embeddings:
            return self.embeddings["position"][0]
        return next((length for length in _LENGTHS if self._takes(length)), 1)

    def _takes(self, length: int) -> bool:
        try:
            self.loaded(self.inputs(1, length))
        except (tf.errors.OpError, ValueError):
            return False
        return True

    def inputs(self, batch: int, length: int) -> dict[str, tf.Tensor]:
        """Returns random encoder inputs, int32 `[batch, length]`.

        Every second row is padded from the middle on; types change where text ends in the first
        half and in its middle otherwise.
        """
        random = np.random.default_rng([_SEED, batch, length])
        odd = np.arange(batch)[:, np.newaxis] % 2 == 1
        column = np.arange(length)
        mask = column < np.where(odd, max(1, length // 2), length)
        types = (column >= np.where(odd, length // 4, length // 2)) & mask
        ids = random.integers(1, max(2, self.num_words), [batch, length])
        return encoder_inputs(ids * mask, mask, types * (self.num_types != 1))

    def on(self, batch: Inputs) -> Model:
        """Returns the same SavedModel, to be looked at with these encoder inputs."""
        return dataclasses.replace(self, given=batch)

    @functools.cached_property
    def batch(self) -> Inputs:
        """What most clauses look at: `given`, or `[3, L]` of length 16 or of the longest."""
        if self.given is None:
            return self.inputs(3, min(16, self.longest))
        return {name: self.given[name] for name in encoder_calls.INPUT_NAMES}

    @functools.cached_property
    def outputs(self) -> Outputs:
        """What the encoder makes of `batch`."""
        return self.loaded(self.batch)

    @functools.cached_property
    def vectors(self) -> tf.Tensor:
        """What a text embedding makes of `sample_texts.SHORT`."""
        return self.loaded(tf.constant(sample_texts.SHORT))

    @property
    def inference(self) -> Outputs:
        """What it makes of `batch` with `training=False`."""
        if _infers_by_default(self.loaded, self.batch):
            return self.outputs
        return self.loaded(self.batch, training=False)

    @functools.cached_property
    def mlm_inputs(self) -> Inputs:
        """`batch` with three masked positions a row."""
        positions = None if self.given is None else self.given.get(encoder_calls.POSITIONS_NAME)
        if positions is None:
            positions = masked_positions(*self.outputs["sequence_output"].shape[:2])
        return {**self.batch, encoder_calls.POSITIONS_NAME: positions}

    @functools.cached_property
    def mlm_outputs(self) -> Outputs:
        """What `.mlm` makes of `mlm_inputs`."""
        return self.loaded.mlm(self.mlm_inputs)

    @property
    def mlm_inference(self) -> Outputs:
        """What `.mlm` makes of `mlm_inputs` with `training=False`."""
        if _infers_by_default(self.loaded.mlm, self.mlm_inputs):
            return self.mlm_outputs
        return self.loaded.mlm(self.mlm_inputs, training=False)


def _infers_by_default(part: Any, inputs: Inputs) -> bool:
    """Whether a call without `training` is the very one with `training=False`."""
    call = getattr(part, _CALL)
    if not hasattr(call, "get_concrete_function"):
        return False
    return call.get_concrete_function(inputs) is call.get_concrete_function(inputs, training=False)


def encoder_inputs(ids: np.ndarray, mask: np.ndarray, types: np.ndarray) -> dict[str, tf.Tensor]:
    """Returns an encoder's inputs, int32, of arrays `[B, L]`."""
    return {
        name: tf.constant(array, tf.int32)
        for name, array in zip(encoder_calls.INPUT_NAMES, (ids, mask, types), strict=True)
    }


def masked_positions(rows: int, length: int) -> tf.Tensor:
    """Returns the first, a middle and the last position, int32 `[rows, 3]`.

    Each row begins with another one, so that their order shows.
    """
    places = [0, length // 2, length - 1]
    return tf.constant([np.roll(places, row) for row in range(rows)], tf.int32)


@contextlib.contextmanager
def called_once(active: bool) -> Iterator[None]:
    """While open, graphs are not optimized, which takes longer than a call of each saves.

    Args:
      active: Whether that is so.
    """
    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    tf.config.optimizer.set_experimental_options({name: before or active})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def folders(path: str) -> dict[str, str]:
    """Finds the SavedModels of an export.

    Args:
      path: A SavedModel, or a folder of several.

    Returns:
      The folders by the names of those below `path`; by an empty name if it is one itself.

    Raises:
      UserError: There is none.
    """
    if _is_saved_model(path):
        return {"": path}
    try:
        names = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(path))
    except tf.errors.OpError:
        names = []
    found = {name: os.path.join(path, name) for name in names}
    found = {name: folder for name, folder in found.items() if _is_saved_model(folder)}
    if not found:
        raise errors.UserError(
            "What is verified must be a SavedModel, or a folder of several.",
            example="--export_path=/tmp/bert_model, with /tmp/bert_model/saved_model.pb",
            received=path,
            setting=_SETTING,
        )
    return found


def _is_saved_model(path: str) -> bool:
    file = os.path.join(path, "saved_model.pb")
    return tf.io.gfile.exists(file) or os.path.islink(file)


def load(path: str, name: str = "", batch: Inputs | None = None, *, kept: bool = False) -> Model:
    """Loads a SavedModel.

    Args:
      path: Its folder.
      name: What it is called in the report; by default its kind.
      batch: The encoder inputs to be looked at.
      kept: Whether it is kept for other exports of a sweep, see `kept_models.load`.

    Raises:
      One of LOAD_ERRORS: TensorFlow cannot load it.
      UserError: It is none of `KINDS`.
    """
    kept = kept and sharing.is_of_several()
    loaded, seconds = kept_models.load(path, name) if kept else kept_models.load_anew(path)
    found = kind(loaded)
    if found is None:
        raise errors.UserError(
            f"What is verified must be of one of these kinds: {', '.join(KINDS)}.",
            received=f"{path} with {', '.join(sorted(_public(loaded)))}",
            setting=_SETTING,
        )
    return Model(name or found, path, found, loaded, seconds, batch, kept)


@contextlib.contextmanager
def called_beside(model: Model) -> Iterator[None]:
    """While open, what clauses ask a SavedModel for first is called in threads of its own.

    TensorFlow prepares each function for its first call on one core, which takes longer than the
    call.

    Args:
      model: The SavedModel, an encoder with what it is to be called with.
    """
    names = _FIRST_ASKED.get(model.kind, ())
    if model.kind in ENCODERS and model.given is None:
        names = ()  # What its inputs are, is not known before it is asked for them.

    def call(name: str) -> None:
        with contextlib.suppress(*LOAD_ERRORS):  # Who asks for the outputs is told.
            getattr(model, name)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name in names:
            pool.submit(call, name)
        yield


def release(model: Model) -> None:
    """Frees the tables of a SavedModel that is not used any more, unless it is kept."""
    if not model.kept:
        kept_models.destroy_tables(kept_models.tables(model.loaded))


def load_seconds(model: Model | None) -> float | None:
    """Returns how long a SavedModel took to load; None if it could not be loaded."""
    return None if model is None else model.load_seconds


def kind(loaded: Any) -> str | None:
    """Returns which of `KINDS` a loaded SavedModel is, or None."""
    if hasattr(loaded, "bert_pack_inputs") or hasattr(loaded, "tokenize"):
        return PREPROCESSING
    takes_text = _takes_text(loaded)
    if hasattr(loaded, "mlm"):
        return MLM
    if takes_text is not None:
        return TEXT_EMBEDDING if takes_text else ENCODER
    return None


def _takes_text(loaded: Any) -> bool | None:
    """Whether the root takes strings; None where neither that nor an encoder's inputs are seen."""
    for spec in _input_specs(loaded):
        if isinstance(spec, Mapping):
            return False if set(encoder_calls.INPUT_NAMES) <= set(spec) else None
        if getattr(spec, "dtype", None) == tf.string:
            return True
    return None


def _input_specs(loaded: Any) -> Iterable[Any]:
    """Yields what the root's calls take, or the signatures', if it has no calls."""
    for function in concrete_functions(loaded):
        yield from function.structured_input_signature[0][:1]
    for signature in getattr(loaded, "signatures", {}).values():
        inputs = signature.structured_input_signature[1]
        yield inputs if len(inputs) > 1 else next(iter(inputs.values()), None)


def concrete_functions(part: Any) -> list[Any]:
    """Returns the traces that a loaded object's calls have."""
    return list(getattr(getattr(part, _CALL, None), "concrete_functions", ()))


def _public(loaded: Any) -> set[str]:
    return {name for name in vars(loaded) if not name.startswith("_")}
