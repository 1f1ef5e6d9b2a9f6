"""The vocabulary or model that a preprocessing SavedModel carries, and what it makes of text.

Read from the SavedModel's files, so that its tokenizer can be checked without its source.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence

import sentencepiece
import tensorflow as tf
import tensorflow_text as tf_text

from exporter import loaded_models, saved_models, settings, tokenizer_reference

# How special tokens are spelled, by the names of their ids.
SPELLINGS: Mapping[str, Sequence[str]] = {
    "padding_id": ("[PAD]", "<pad>"),
    "start_of_sequence_id": ("[CLS]", "<s>"),
    "end_of_segment_id": ("[SEP]", "</s>"),
    "mask_id": ("[MASK]", "<mask>"),
}
_UNKNOWN = ("[UNK]", "<unk>")
_ACCENT = r"\p{Mn}"


@dataclasses.dataclass(frozen=True)
class Text:
    """A vocabulary.

    Attributes:
      pieces: The pieces; a piece's index is its id.
      sentencepiece_model: The model, where it is one of SentencePiece.
      vocab_file: The file, where it is one of WordPiece.
    """

    pieces: Sequence[str]
    sentencepiece_model: bytes | None = None
    vocab_file: str | None = None

    @functools.cached_property
    def ids(self) -> Mapping[str, int]:
        """The pieces' ids."""
        return {piece: i for i, piece in enumerate(self.pieces)}

    def tokenize(
        self, texts: Sequence[str], *, lower_case: bool, strip_accents: bool
    ) -> list[list[int]]:
        """Returns the tokens of texts, as TensorFlow Text and SentencePiece make them in Python.

        Args:
          texts: The texts.
          lower_case: Whether they are lower-cased first.
          strip_accents: Whether they are stripped of accents first.
        """
        if self.vocab_file is not None:
            unknown = next((piece for piece in _UNKNOWN if piece in self.ids), None)
            tokenize, _ = tokenizer_reference.make(
                settings.TokenizerSettings(
                    vocab_file=self.vocab_file,
                    do_lower_case=lower_case,
                    strip_accents=strip_accents,
                    special_tokens={"unknown_id": unknown} if unknown else None,
                )
            )
            return tokenize(tf.constant(texts)).merge_dims(1, 2).to_list()
        plain = tf.constant(texts)
        if strip_accents:
            plain = tf_text.normalize_utf8(plain, "NFD")
            plain = tf.strings.regex_replace(plain, _ACCENT, "")
        if lower_case:
            plain = tf_text.case_fold_utf8(plain)
        model = sentencepiece.SentencePieceProcessor(model_proto=self.sentencepiece_model)
        return [model.encode(text.decode()) for text in plain.numpy()]


def find(model: loaded_models.Model) -> Text | None:
    """Finds the vocabulary of a preprocessing SavedModel.

    Args:
      model: The SavedModel.

    Returns:
      That of the one SentencePiece model in its graph, of `vocab_file`, or of its one asset; None
      where there is none of these.
    """
    models = _sentencepiece_models(model.path)
    if len(models) == 1:
        return _sentencepiece(models[0])
    asset = getattr(getattr(model.loaded, "vocab_file", None), "asset_path", None)
    if asset is not None:
        return read(asset.numpy().decode())
    folder = os.path.join(model.path, "assets")
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    return None if models or len(names) != 1 else read(os.path.join(folder, names[0]))


def read(path: str, *, wordpiece: bool = True) -> Text:
    """Reads an asset.

    Args:
      path: The file.
      wordpiece: Whether it is a WordPiece vocabulary, and not a SentencePiece model.
    """
    with tf.io.gfile.GFile(path, "rb") as file:
        data = file.read()
    if not wordpiece:
        return _sentencepiece(data)
    lines = data.decode("utf-8", errors="replace").split("\n")
    pieces = [line.removesuffix("\r") for line in lines]
    return Text(pieces if pieces[-1] else pieces[:-1], vocab_file=path)


def _sentencepiece(data: bytes) -> Text:
    model = sentencepiece.SentencePieceProcessor(model_proto=data)
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    return Text(pieces, sentencepiece_model=data)


def _sentencepiece_models(path: str) -> list[bytes]:
    found = set()
    for meta_graph in saved_models.read_graph(path).meta_graphs:
        nodes = list(meta_graph.graph_def.node)
        for function in meta_graph.graph_def.library.function:
            nodes += function.node_def
        found |= {node.attr["model"].s for node in nodes if node.op == "SentencepieceOp"}
    return sorted(model for model in found if model)
