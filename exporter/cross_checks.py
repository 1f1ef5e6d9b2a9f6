"""Checks that a vocabulary, an encoder and the ways they are used fit each other."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Iterable, Mapping, Sequence

from exporter import casing, errors, findings, settings, sharing, vocabularies

_PADDING_EXCEPTION = "checks.allow_padded_vocabulary"
_SENTENCEPIECE_UNKNOWN = "<unk>"
# The order that all common tools write them in.
_USUAL_ORDER = (
    vocabularies.START_OF_SEQUENCE_ID,
    vocabularies.END_OF_SEGMENT_ID,
    vocabularies.MASK_ID,
)


@dataclasses.dataclass(frozen=True)
class Text:
    """A tokenizer's file.

    Attributes:
      path: The file.
      setting: The gin name that it was bound to.
      pieces: The pieces; a piece's index is its id.
      lower_case: Whether text is lower-cased before it is tokenized.
      strip_accents: Whether it is stripped of accents.
      folds_case: Whether the tokenizer does so by itself.
      special_tokens: How the special tokens are spelled, by purpose.
    """

    path: str
    setting: str
    pieces: Sequence[str]
    lower_case: bool
    strip_accents: bool
    folds_case: bool
    special_tokens: Mapping[str, str]

    @property
    def key(self) -> Hashable:
        """What is another for another file or casing."""
        return sharing.version(self.path), self.lower_case, self.strip_accents, self.folds_case

    @property
    def unknown_id(self) -> int | None:
        """The id of the token for words that cannot be split, or None."""
        unknown = self.special_tokens.get(vocabularies.UNKNOWN_ID, _SENTENCEPIECE_UNKNOWN)
        return self.pieces.index(unknown) if unknown in self.pieces else None

    def special_ids(self) -> dict[str, int]:
        """Returns the special tokens' ids by purpose.

        Raises:
          UserError: One is missing that inputs are packed with.
        """
        return dict(self._special_ids)

    @functools.cached_property
    def _special_ids(self) -> Mapping[str, int]:
        ids = {piece: i for i, piece in enumerate(self.pieces)}
        return vocabularies.special_ids(
            ids,
            self.special_tokens,
            path=self.path,
            vocab_size=len(self.pieces),
            several=vocabularies.repeated(self.pieces),
        )


def _casing(text: Text) -> list[errors.UserError]:
    return casing.mistakes(
        text.pieces,
        lower_case=text.lower_case,
        strip_accents=text.strip_accents,
        source=text.path,
        folds_case=text.folds_case,
    )


def read_text(
    tokenizer: settings.TokenizerSettings, *, lower_case: bool, strip_accents: bool
) -> Text:
    """Reads a tokenizer's file as far as it is checked here.

    Args:
      tokenizer: Where it is; exactly one file is set.
      lower_case: Whether text is lower-cased before it is tokenized.
      strip_accents: Whether it is stripped of accents.

    Raises:
      UserError: It is missing, unreadable or something else.
    """
    path = tokenizer.vocab_file or tokenizer.sp_model_file or ""
    key = (sharing.version(path), repr(tokenizer), lower_case, strip_accents)
    return sharing.once("vocabulary", key, lambda: _read_text(tokenizer, lower_case, strip_accents))


def _read_text(
    tokenizer: settings.TokenizerSettings, lower_case: bool, strip_accents: bool
) -> Text:
    usual = vocabularies.WORDPIECE_SPELLINGS
    if tokenizer.vocab_file:
        path, setting = tokenizer.vocab_file, "tokenizer.vocab_file"
        pieces: Sequence[str] = vocabularies.read(path).pieces
        folds_case = False
    else:
        path, setting = tokenizer.sp_model_file or "", "tokenizer.sp_model_file"
        usual = vocabularies.SENTENCEPIECE_SPELLINGS
        pieces, folds_case = _sentencepiece(path, setting)
    return Text(
        path=path,
        setting=setting,
        pieces=pieces,
        lower_case=lower_case,
        strip_accents=strip_accents,
        folds_case=folds_case,
        special_tokens=vocabularies.spellings(usual, tokenizer.special_tokens),
    )


def mistakes(
    text: Text,
    checks: settings.CheckSettings,
    *,
    num_embeddings: int | None,
    seq_length: int | None,
    max_seq_length: int | None,
) -> list[errors.UserError]:
    """Lists what cannot be right.

    Args:
      text: The tokenizer's file.
      checks: The exceptions.
      num_embeddings: How many rows the word embedding table has; None if there is no encoder.
      seq_length: The sequence length that was asked for, or None.
      max_seq_length: The longest sequence that the encoder takes; None for no limit.
    """
    found = []
    try:
        text.special_ids()
    except errors.UserError as error:
        found.append(error)
    if not checks.allow_unlikely_casing:
        found += sharing.once("casing", text.key, lambda: _casing(text))
    if num_embeddings is not None:
        found += _vocabulary(text, num_embeddings, checks.allow_padded_vocabulary)
    if seq_length is not None and max_seq_length is not None and seq_length > max_seq_length:
        found.append(
            errors.UserError(
                "--default_seq_length must not be longer than the sequences that the encoder has "
                "position embeddings for.",
                example=f"--default_seq_length={max_seq_length}",
                received=f"{seq_length}, with {max_seq_length} positions",
                setting="preprocessing.default_seq_length",
            )
        )
    return found


def find(text: Text, *, num_types: int | None) -> list[findings.Finding]:
    """Lists what may be wrong, but cannot be known.

    Args:
      text: The tokenizer's file.
      num_types: How many types of segments the encoder knows; None if there is no encoder.
    """
    unknown_token = text.special_tokens.get(vocabularies.UNKNOWN_ID)
    return [
        *(vocabularies.find(text.pieces, unknown_token) if unknown_token else ()),
        *_unusual(text.special_ids(), text.special_tokens),
        *_types(num_types),
    ]


def segment_mistakes(max_segments: int, num_types: int) -> list[errors.UserError]:
    """Lists what cannot be right of the segments that are packed for an encoder.

    Args:
      max_segments: How many segments are packed at most. Up to two is what every preprocessing
        does, whatever its encoder.
      num_types: How many types of segments the encoder knows.
    """
    if max_segments <= max(num_types, 2):
        return []
    return [
        errors.UserError(
            "preprocessing.max_segments must not be larger than the number of types of segments "
            "that the encoder knows (type_vocab_size): further segments' types would have no "
            "embedding.",
            example=f"preprocessing.max_segments = {max(num_types, 2)}",
            received=f"{max_segments}, with {num_types} types",
            setting="preprocessing.max_segments",
        )
    ]


def _vocabulary(text: Text, num_embeddings: int, may_be_padded: bool) -> list[errors.UserError]:
    count = len(text.pieces)
    received = f"{text.path} with {count} pieces, {num_embeddings} embeddings"
    if count > num_embeddings:
        return [
            errors.UserError(
                "The vocabulary must not have more pieces than the encoder has word embeddings: "
                f"ids from {num_embeddings} on would have none.",
                example="the vocabulary that the encoder was trained with",
                received=received,
                setting=text.setting,
            )
        ]
    if count < num_embeddings and not may_be_padded:
        return [
            errors.UserError(
                "The vocabulary must have as many pieces as the encoder has word embeddings. If "
                "the table was padded to a round number when the encoder was trained, "
                f"{_PADDING_EXCEPTION} = True allows that.",
                example="the vocabulary that the encoder was trained with",
                received=received,
                setting=text.setting,
            )
        ]
    return []


def _unusual(ids: Mapping[str, int], spelled: Mapping[str, str]) -> Iterable[findings.Finding]:
    padding = ids[vocabularies.PADDING_ID]
    if padding:
        yield findings.Finding(
            "special tokens",
            f"{spelled[vocabularies.PADDING_ID]} has the id {padding}, where TF-NLP pads its "
            "training data with 0: is it the vocabulary of the training?",
            is_warning=True,
        )
    if vocabularies.MASK_ID not in ids:
        mask = spelled[vocabularies.MASK_ID]
        yield findings.Finding("special tokens", f"there is no {mask}, and no mask_id among them")
    there = [purpose for purpose in _USUAL_ORDER if purpose in ids]
    ordered = sorted(there, key=lambda purpose: ids[purpose])
    if ordered != there:
        order = ", ".join(f"{spelled[purpose]} {ids[purpose]}" for purpose in ordered)
        usual = ", ".join(spelled[purpose] for purpose in there)
        yield findings.Finding(
            "special tokens",
            f"their order is {order}, where common tools write {usual}: were they mixed up?",
            is_warning=True,
        )


def _types(num_types: int | None) -> Iterable[findings.Finding]:
    if num_types == 1:
        yield findings.Finding(
            "types",
            "the encoder knows one type of segments, so that preprocessed pairs are none for it",
            is_warning=True,
        )


def _sentencepiece(path: str, setting: str) -> tuple[Sequence[str], bool]:
    """Returns a model's pieces and whether it lower-cases."""
    import sentencepiece

    data = vocabularies.read_bytes(path, setting=setting)
    try:
        model = sentencepiece.SentencePieceProcessor(model_proto=data)
        pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    # The latter: a piece is not in UTF-8.
    except (RuntimeError, UnicodeDecodeError) as error:
        raise errors.UserError(
            "sp_model_file takes a SentencePiece model; a WordPiece vocabulary, text with one "
            "piece a line, goes to vocab_file.",
            received=f"{path} ({error})",
            example="--sp_model_file=30k-clean.model",
            setting=setting,
        ) from None
    return pieces, "a" in model.normalize("A")
