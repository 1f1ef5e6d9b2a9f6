"""The vocabulary or model that a preprocessing SavedModel carries, and what it makes of text.

Read from the SavedModel's files, so that its tokenizer can be checked without its source.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence

import sentencepiece
import tensorflow as tf
import tensorflow_text as tf_text

from exporter import (
    loaded_models,
    saved_models,
    settings,
    token_rows,
    tokenizer_reference,
)

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
class Way:
    """How text is made into tokens.

    Attributes:
      lower_case: Whether it is lower-cased first.
      strip_accents: Whether it is stripped of accents first.
      kept: The ids of the special tokens that are kept where texts spell them.
      fast: Whether by TensorFlow Text's FastBertTokenizer, to which some characters are others.
    """

    lower_case: bool
    strip_accents: bool
    kept: Mapping[str, int] = dataclasses.field(default_factory=dict, hash=False)
    fast: bool = False

    def __str__(self) -> str:
        return (
            f"{'' if self.lower_case else 'not '}lower-cased, accents "
            f"{'stripped' if self.strip_accents else 'kept'}"
            f"{', special tokens kept' if self.kept else ''}"
            f"{', as FastBertTokenizer' if self.fast else ''}"
        )


@dataclasses.dataclass(frozen=True)
class Text:
    """A vocabulary.

    Attributes:
      pieces: The pieces; a piece's index is its id.
      sentencepiece_model: The model, where it is one of SentencePiece.
      vocab_file: The file, where it is one of WordPiece.
      unknown_piece: What words become that cannot be split, where that is not spelled as usual.
    """

    pieces: Sequence[str]
    sentencepiece_model: bytes | None = None
    vocab_file: str | None = None
    unknown_piece: str | None = None

    @functools.cached_property
    def ids(self) -> Mapping[str, int]:
        """The pieces' ids."""
        return {piece: i for i, piece in enumerate(self.pieces)}

    @property
    def unknown(self) -> str | None:
        """What words become that cannot be split, as far as it is spelled as usual."""
        if self.unknown_piece is not None:
            return self.unknown_piece
        return next((piece for piece in _UNKNOWN if piece in self.ids), None)

    def ends_at_null(self, way: Way) -> bool:
        """Whether TensorFlow Text ends texts at null characters, which no export has to."""
        return self.vocab_file is not None and way.lower_case and not way.strip_accents

    def tokenizer(self, way: Way) -> Callable[[Sequence[bytes]], list[list[int]]]:
        """Returns what gives the tokens of texts, by TensorFlow Text and SentencePiece in Python.

        Args:
          way: How text is normalized, and by which tokenizer.
        """
        made = self._wordpiece(way) if self.vocab_file is not None else self._sentencepiece(way)
        if way.kept:
            made = tokenizer_reference.keeping(made, way.kept)
        return lambda texts: token_rows.flat(made(tf.constant(texts, tf.string)))

    def _wordpiece(self, way: Way) -> tokenizer_reference.Tokenize:
        if way.fast:
            return tf_text.FastBertTokenizer(
                list(self.pieces),
                token_out_type=tf.int32,
                unknown_token=self.unknown or "[UNK]",
                lower_case_nfd_strip_accents=way.lower_case,
            ).tokenize
        return tokenizer_reference.make(
            settings.TokenizerSettings(
                vocab_file=self.vocab_file,
                do_lower_case=way.lower_case,
                strip_accents=way.strip_accents,
                special_tokens={"unknown_id": self.unknown} if self.unknown else None,
            )
        )[0]

    def _sentencepiece(self, way: Way) -> tokenizer_reference.Tokenize:
        def tokenize(plain: tf.Tensor) -> tf.RaggedTensor:
            if way.strip_accents:
                plain = tf_text.normalize_utf8(plain, "NFD")
                plain = tf.strings.regex_replace(plain, _ACCENT, "")
            if way.lower_case:
                plain = tf_text.case_fold_utf8(plain)
            return token_rows.from_lists(self._model.encode(plain.numpy().tolist()), 1)

        return tokenize

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """Puts pieces together: with spaces but before endings of words, or as SentencePiece.

        Args:
          tokens: Ids; to those that are none, -1, belongs the unknown token.
        """
        if self.sentencepiece_model is not None:
            return self._model.decode(list(tokens)).encode()
        unknown = self.unknown or "[UNK]"
        known = range(len(self.pieces))
        pieces = (self.pieces[i] if i in known else unknown for i in tokens)
        return " ".join(pieces).replace(" ##", "").encode()

    @functools.cached_property
    def _model(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_proto=self.sentencepiece_model)


def difference(got: Text, expected: Text) -> str | None:
    """Says in words what a vocabulary has otherwise; None if it is the same.

    Ends of lines do not matter.
    """
    if list(got.pieces) != list(expected.pieces):
        return first_other(got.pieces, expected.pieces)
    if got.sentencepiece_model != expected.sentencepiece_model:
        return "the same pieces, with other scores or another normalization"
    return None


def first_other(got: Sequence[str], expected: Sequence[str]) -> str:
    """Says in words which piece differs first of two lists that are not equal."""
    if len(got) != len(expected):
        return f"{len(got)} pieces, not {len(expected)}"
    pairs = enumerate(zip(got, expected, strict=True))
    others = [(i, one, other) for i, (one, other) in pairs if one != other]
    i, one, other = others[0]
    more = f", and {len(others) - 1} others" if others[1:] else ""
    return f"{one!r} and not {other!r} has id {i}{more}"


def pieces_of_vocab(model: loaded_models.Model, size: int) -> list[str]:
    """Returns the pieces that `.vocab` of a preprocessing has for the ids below a size."""
    pieces = model.loaded.vocab.id_to_string(tf.range(size)).numpy().tolist()
    return [piece.decode(errors="replace") for piece in pieces]


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
