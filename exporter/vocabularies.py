"""WordPiece vocabularies: text files with one piece a line, whose ids are the lines' numbers."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import re
import types
from collections.abc import Mapping, Sequence

from exporter import errors, files, findings, words

# What the special tokens of `get_special_tokens_dict` are for, and how BERT spells them.
START_OF_SEQUENCE_ID = "start_of_sequence_id"
END_OF_SEGMENT_ID = "end_of_segment_id"
PADDING_ID = "padding_id"
MASK_ID = "mask_id"
VOCAB_SIZE = "vocab_size"
# Not among them: what WordPiece makes of words that it cannot split.
UNKNOWN_ID = "unknown_id"
WORDPIECE_SPELLINGS = {
    START_OF_SEQUENCE_ID: "[CLS]",
    END_OF_SEGMENT_ID: "[SEP]",
    PADDING_ID: "[PAD]",
    MASK_ID: "[MASK]",
    UNKNOWN_ID: "[UNK]",
}
# As ALBERT does. The unknown token is the model's own.
SENTENCEPIECE_SPELLINGS = {
    START_OF_SEQUENCE_ID: "[CLS]",
    END_OF_SEGMENT_ID: "[SEP]",
    PADDING_ID: "<pad>",
    MASK_ID: "[MASK]",
}
# Without a mask there is no masked language model, but everything else.
_OPTIONAL = frozenset({MASK_ID, UNKNOWN_ID})

_VOCAB_FILE = "tokenizer.vocab_file"
_SPECIAL_TOKENS = "tokenizer.special_tokens"
_SHOWN = 5
_BYTE_ORDER_MARK = "\ufeff"
_SPACE = re.compile(r"\s")
_OTHER_UNKNOWN_TOKENS = ("<unk>", "[unk]", "UNK", "<UNK>")
# The largest in use, of half a million pieces, have some megabytes.
_LIMIT = 64 << 20


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A WordPiece vocabulary.

    Attributes:
      path: The file.
      pieces: The pieces. A piece's index is its id; what is there twice is in no text.
      digest: A hexadecimal number that tells vocabularies of different content apart.
    """

    path: str
    pieces: tuple[str, ...]
    digest: str


def read_bytes(path: str, *, setting: str) -> bytes:
    """Reads a file that a user named.

    Args:
      path: A path that `tf.io.gfile` can read.
      setting: The gin name that the path was bound to, for the error.

    Raises:
      UserError: As `files.read_bytes`, or it is empty.
    """
    data = files.read_bytes(path, setting=setting, limit=_LIMIT)
    if not data:
        raise errors.UserError(
            "The file must not be empty.", received=f"{path} (0 bytes)", setting=setting
        )
    return data


def read(path: str) -> Vocabulary:
    """Reads a WordPiece vocabulary as TensorFlow's lookup tables read it.

    Lines end with a line feed, or a carriage return and a line feed; the last one may do without.

    Args:
      path: A path that `tf.io.gfile` can read.

    Raises:
      UserError: The file is missing, unreadable or empty, is not text in UTF-8, or has a piece in
        two lines that texts may hold, so that its id is open.
    """
    data = read_bytes(path, setting=_VOCAB_FILE)
    if b"\0" in data:
        raise _not_text(path, data, f"byte {data.index(0)} is 0: UTF-16, or no text at all")
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise _not_text(path, data, str(error)) from None
    pieces = [line.removesuffix("\r") for line in lines]
    if not pieces[-1]:
        pieces.pop()
    if not any(pieces):
        raise errors.UserError(
            "A vocabulary has one piece a line, whose id is the line's number.",
            received=f"{path} (nothing but empty lines)",
            setting=_VOCAB_FILE,
        )
    _check_unique(path, pieces)
    digest = hashlib.sha256("\n".join(pieces).encode()).hexdigest()
    return Vocabulary(path, tuple(pieces), digest)


def repeated(pieces: Sequence[str]) -> dict[str, list[int]]:
    """Returns the numbers of the lines of pieces in more than one, from 1 on."""
    if len(set(pieces)) == len(pieces):
        return {}
    lines = collections.defaultdict(list)
    for number, piece in enumerate(pieces, start=1):
        lines[piece].append(number)
    return {piece: numbers for piece, numbers in lines.items() if len(numbers) > 1}


def _not_text(path: str, data: bytes, why: str) -> errors.UserError:
    # The model's first field is the first piece, its tag a line feed.
    if data[:1] == b"\n" and b"<unk>" in data[:4096]:
        return errors.UserError(
            "vocab_file takes a WordPiece vocabulary, text with one piece a line; a SentencePiece "
            "model goes to sp_model_file.",
            received=f"{path} (looks like a SentencePiece model)",
            example="--sp_model_file=30k-clean.model",
            setting=_VOCAB_FILE,
        )
    return errors.UserError(
        "A vocabulary must be text in UTF-8, one piece a line.",
        received=f"{path} ({why})",
        setting=_VOCAB_FILE,
    )


def _check_unique(path: str, pieces: list[str]) -> None:
    several = repeated(pieces)
    never = dict(zip(several, words.never_in_words(list(several)), strict=True))
    wrong = {piece: numbers for piece, numbers in several.items() if not never[piece]}
    if wrong:
        raise errors.UserError(
            "No two lines of a vocabulary may be equal: a piece's id is its line's number. In a "
            "copy, rename those that training did not mean, so that the others keep their ids.",
            received=f"{path}: {listed(wrong)}",
            example="[unused1] in place of the second one",
            setting=_VOCAB_FILE,
        )


def listed(several: Mapping[str, Sequence[int]]) -> str:
    """Returns pieces and the numbers of their lines as text."""
    each = [f"{piece!r} in {_listed('line', numbers)}" for piece, numbers in several.items()]
    return "; ".join(each[:_SHOWN]) + (f" and {len(each) - _SHOWN} more" if each[_SHOWN:] else "")


def _listed(noun: str, numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"{noun}{'s' if len(numbers) > 1 else ''} {shown}{more}"


def spellings(
    defaults: Mapping[str, str], special_tokens: Mapping[str, str] | None
) -> dict[str, str]:
    """Returns how the special tokens are spelled.

    Args:
      defaults: The spelling of every special token, by purpose.
      special_tokens: The spellings to be used instead of some defaults.

    Raises:
      UserError: There is no such purpose.
    """
    chosen = {**defaults, **(special_tokens or {})}
    unknown = sorted(chosen.keys() - defaults.keys())
    if unknown:
        raise errors.UserError(
            f"Special tokens are named by purpose: {', '.join(sorted(defaults))}.",
            received=", ".join(map(repr, unknown)),
            example=_example(defaults),
            setting=_SPECIAL_TOKENS,
        )
    return chosen


def special_ids(
    ids: Mapping[str, int],
    chosen: Mapping[str, str],
    *,
    path: str,
    vocab_size: int,
    several: Mapping[str, Sequence[int]] = types.MappingProxyType({}),
) -> dict[str, int]:
    """Returns the ids of the special tokens and the vocabulary's size.

    Args:
      ids: The ids of the special tokens that there are, by spelling.
      chosen: The spellings, by purpose.
      path: The vocabulary's file, for errors.
      vocab_size: One past the largest id.
      several: The pieces that are in several lines, with the lines' numbers.

    Returns:
      Ids by purpose, `mask_id` only if the vocabulary has it; and `vocab_size`.

    Raises:
      UserError: The vocabulary lacks one without which nothing can be packed, or has one twice.
    """
    missing = [
        f"{spelling!r} ({purpose})"
        for purpose, spelling in chosen.items()
        if spelling not in ids and purpose not in _OPTIONAL
    ]
    if missing:
        marked = any(spelling.startswith(_BYTE_ORDER_MARK) for spelling in ids)
        raise errors.UserError(
            "The vocabulary must have the special tokens that inputs are packed with. If it spells "
            "them otherwise, say how."
            + (" Its first line begins with a byte-order mark: remove it." if marked else ""),
            received=f"{path} has no {', '.join(missing)}",
            example=_example(chosen),
            setting=_SPECIAL_TOKENS,
        )
    open_ids = {spelling: several[spelling] for spelling in chosen.values() if spelling in several}
    if open_ids:
        raise errors.UserError(
            "A special token must be in one line of the vocabulary: its id is the line's number.",
            received=f"{path}: {listed(open_ids)}",
            example="[unused1] in place of the one that training did not mean",
            setting=_VOCAB_FILE,
        )
    found = {
        purpose: ids[spelling]
        for purpose, spelling in chosen.items()
        if spelling in ids and purpose != UNKNOWN_ID
    }
    return {VOCAB_SIZE: vocab_size, **found}


def find(pieces: Sequence[str], unknown_token: str) -> list[findings.Finding]:
    """Lists what is odd about a WordPiece vocabulary, and what follows from it.

    Args:
      pieces: The vocabulary.
      unknown_token: What words become that cannot be split.
    """
    warnings, remarks = [], []
    if unknown_token not in pieces:
        other = next((token for token in _OTHER_UNKNOWN_TOKENS if token in pieces), None)
        hint = f" (is it {other}? {_example({UNKNOWN_ID: ''}, other)})" if other else ""
        warnings.append(
            f"it has no {unknown_token}{hint}: words that it cannot spell get "
            "the id -1, for which no encoder has an embedding"
        )
    if pieces[0].startswith(_BYTE_ORDER_MARK):
        warnings.append(
            f"its first line begins with a byte-order mark, so that no text has {pieces[0][1:]!r}"
        )
    several = {piece: numbers for piece, numbers in repeated(pieces).items() if piece}
    if several:
        warnings.append(f"no text has {listed(several)}, or their ids would be open")
    if "" in pieces:
        numbers = [number for number, piece in enumerate(pieces, start=1) if not piece]
        warnings.append(f"nothing in {_listed('line', numbers)}, whose ids are never used")
    spaced = [piece for piece in pieces if _SPACE.search(piece)]
    if spaced:
        remarks.append(f"never used, for its white space: {', '.join(map(repr, spaced[:_SHOWN]))}")
    return [
        findings.Finding("vocabulary", text, is_warning=text in warnings)
        for text in warnings + remarks
    ]


def _example(names: Mapping[str, str], spelling: str = "<pad>") -> str:
    purpose = PADDING_ID if PADDING_ID in names else next(iter(names))
    return f'{_SPECIAL_TOKENS} = {{"{purpose}": "{spelling}"}}'
