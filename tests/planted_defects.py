"""Right SavedModels, and tools to break them on purpose."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from exporter import (
    encoder_modules,
    preprocessing,
    saved_models,
    settings,
    text_embedding,
    text_verification,
    tokenizers,
)
from tests import encoder_exports, testing, written_models

ENCODER, PREPROCESSING, EMBEDDING, PAIR = "encoder", "preprocessing", "embedding", "pair"
VOCABULARY = testing.TESTDATA / "bert_tiny" / "vocab.txt"
SEQ_LENGTH = 24
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_CASE = encoder_exports.with_config(encoder_exports.BERT, max_position_embeddings=32)
# As many words as the vocabulary has, so that encoder and preprocessing fit.
_FITTING = encoder_exports.with_config(_CASE, vocab_size=3391, num_layers=1)


# Given a right SavedModel, makes a broken one in a new folder.
Plant = Callable[["Right", pathlib.Path], None]


@dataclasses.dataclass(frozen=True)
class Defect:
    """One way to break a SavedModel.

    Attributes:
      name: What is wrong.
      base: What is broken.
      plant: Makes the broken one.
      found_by: The check that is to fail.
      with_source: Whether only a comparison with the source can tell.
      full: Whether only a thorough one can.
    """

    name: str
    base: str
    plant: Plant
    found_by: str
    with_source: bool = False
    full: bool = False


class Right:
    """Right SavedModels, each made when it is first asked for."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    @functools.cached_property
    def files(self) -> testing.SourceFiles:
        """What pre-training of the encoder left."""
        return testing.write_files(_CASE, self.folder / "source")

    @functools.cached_property
    def made(self) -> encoder_exports.Made:
        """What the encoder's SavedModel is written from."""
        return encoder_exports.make(self.files)

    @functools.cached_property
    def fitting(self) -> encoder_exports.Made:
        """An encoder for the preprocessing's vocabulary."""
        files = testing.write_files(_FITTING, self.folder / "fitting")
        shutil.copy(VOCABULARY, files.vocabulary)
        return encoder_exports.make(files, with_mlm=False)

    @functools.cached_property
    def tokenizer(self) -> tokenizers.Tokenizer:
        """The preprocessing's tokenizer."""
        return tokenizers.make(vocab_file=str(VOCABULARY), do_lower_case=True)

    @property
    def text(self) -> text_verification.TextSource:
        """What the preprocessing is made from."""
        return text_verification.TextSource(
            settings.TokenizerSettings(
                vocab_file=str(VOCABULARY), do_lower_case=True, strip_accents=True
            ),
            SEQ_LENGTH,
            settings.PreprocessingSettings(),
            dict(self.tokenizer.special_tokens),
        )

    def preprocessing(self, **options: Any) -> preprocessing.Preprocessing:
        """Returns a new preprocessing, to be changed."""
        options = {"default_seq_length": SEQ_LENGTH, **options}
        return preprocessing.Preprocessing(self.tokenizer, **options)

    def embedding(self, **options: Any) -> text_embedding.TextEmbedding:
        """Returns a new text embedding, to be changed."""
        return text_embedding.TextEmbedding(
            self.tokenizer, self.fitting.encoder, seq_length=SEQ_LENGTH, **options
        )

    @functools.cache  # noqa: B019 (as many as there are bases)
    def path(self, base: str) -> pathlib.Path:
        """Returns the folder of a right SavedModel, or of several."""
        path = self.folder / f"right_{base}"
        if base == ENCODER:
            self.made.write(path)
        elif base == PREPROCESSING:
            written_models.write(self.preprocessing(tokenize_with_offsets=True), str(path))
        elif base == EMBEDDING:
            write(self.embedding(), path, self.fitting)
        else:
            self.fitting.write(path / "encoder")
            shutil.copytree(self.path(PREPROCESSING), path / "preprocessing")
            shutil.copytree(self.path(EMBEDDING), path / "text_embedding")
        return path


def write(module: saved_models.Exportable, path: pathlib.Path, made: encoder_exports.Made) -> None:
    """Writes a SavedModel with the values of what it is made from."""
    written_models.write(module, str(path), restoration=made.restoration)


def copied(base: str, change: Callable[[pathlib.Path], None]) -> Plant:
    """Returns what copies a right SavedModel and changes the copy's files."""

    def plant(right: Right, path: pathlib.Path) -> None:
        change(pathlib.Path(shutil.copytree(right.path(base), path)))

    return plant


def values(change: Callable[[Mapping[str, np.ndarray]], None]) -> Plant:
    """Returns what changes values in a copy, all checksums right.

    Args:
      change: Changes arrays, in place, by the names of the encoder's and the head's variables.
    """

    def plant(right: Right, path: pathlib.Path) -> None:
        shutil.copytree(right.path(ENCODER), path)
        prefix = f"{path}/variables/variables"
        reader = tf.train.load_checkpoint(prefix)
        stored = {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
        change(_ByName(right.made, stored))
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(stored),
            shape_and_slices=[""] * len(stored),
            tensors=list(map(tf.constant, stored.values())),
        )

    return plant


class _ByName(dict[str, np.ndarray]):
    """Arrays of a checkpoint by the variables' names; also by a part that only one of them has."""

    def __init__(self, made: encoder_exports.Made, stored: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        for position, variable in enumerate(made.encoder.variables):
            pattern = rf"(^|/)variables/{position}{re.escape(_VALUE)}"
            (key,) = (key for key in stored if re.search(pattern, key))
            self[variable.name] = stored[key]

    def __missing__(self, part: str) -> np.ndarray:
        (name,) = (name for name in self if part in name)
        return self[name]


def edit_graph(path: pathlib.Path, change: Callable[[saved_model_pb2.SavedModel], None]) -> None:
    """Changes a SavedModel's graph."""
    file = path / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(saved_model)
    file.write_bytes(saved_model.SerializeToString())
    (path / "fingerprint.pb").unlink()  # Of the graph as it was.


def graph(change: Callable[[saved_model_pb2.SavedModel], None]) -> Plant:
    """Returns what changes the graph of a copy of the encoder."""
    return copied(ENCODER, lambda path: edit_graph(path, change))


def nodes(saved_model: saved_model_pb2.SavedModel) -> list[Any]:
    """Returns the nodes of a graph and its functions."""
    definition = saved_model.meta_graphs[0].graph_def
    inner = [node for function in definition.library.function for node in function.node_def]
    return [*definition.node, *inner]


def encoder(
    call: Callable[..., Any] | None = None,
    *,
    mlm: Callable[..., Any] | None = None,
    edit: Callable[[Any], None] | None = None,
    with_mlm: bool = False,
) -> Plant:
    """Returns what writes an encoder with other calls or attributes.

    Args:
      call: In place of the root's call: given the right one, inputs and training.
      mlm: The same for that of `.mlm`.
      edit: Changes the root object before it is written.
      with_mlm: Whether it has `.mlm` at all, which takes longer to write.
    """

    class Changed(encoder_modules.EncoderModule):
        def _call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
            right = super()._call
            return right(inputs, training) if call is None else call(right, inputs, training)

        def _call_mlm(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
            right = super()._call_mlm
            return right(inputs, training) if mlm is None else mlm(right, inputs, training)

    def plant(right: Right, path: pathlib.Path) -> None:
        vocabulary = str(right.files.vocabulary)
        source = right.made.encoder
        if mlm is None and not with_mlm:
            source = dataclasses.replace(source, masked_lm=None)
        module = Changed(source, vocab_file=vocabulary, do_lower_case=True)
        if edit is not None:
            module.all_the_same = list(module.variables)  # Else what is on no list is not saved.
            edit(module)
        write(module, path, right.made)

    return plant


def changed(base: str, edit: Callable[[Any], None]) -> Plant:
    """Returns what writes a preprocessing or text embedding with other attributes.

    Args:
      base: Which.
      edit: Changes the root object before it is written.
    """

    def plant(right: Right, path: pathlib.Path) -> None:
        module: Any = right.preprocessing() if base == PREPROCESSING else right.embedding()
        if base == EMBEDDING:
            module.all_the_same = list(module.variables)
        edit(module)
        if base == PREPROCESSING:
            written_models.write(module, str(path))
        else:
            write(module, path, right.fitting)

    return plant
