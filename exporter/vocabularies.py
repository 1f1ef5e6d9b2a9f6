"""WordPiece vocabularies: text files with one piece a line, whose ids are the lines' numbers."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Mapping

import tensorflow as tf

from exporter import errors

# What the special tokens of `get_special_tokens_dict` are for, and how BERT spells them.
START_OF_SEQUENCE_ID = "start_of_sequence_id"
END_OF_SEGMENT_ID = "end_of_segment_id"
PADDING_ID = "padding_id"
MASK_ID = "mask_id"
VOCAB_SIZE = "vocab_size"
WORDPIECE_SPELLINGS = {
    START_OF_SEQUENCE_ID: "[CLS]",
    END_OF_SEGMENT_ID: "[SEP]",
    PADDING_ID: "[PAD]",
    MASK_ID: "[MASK]",
}
# Without it there is no masked language model, but everything else.
_OPTIONAL = frozenset({MASK_ID})

_VOCAB_FILE = "tokenizer.vocab_file"
_SPECIAL_TOKENS = "tokenizer.special_tokens"
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A WordPiece vocabulary.

    Attributes:
      path: The file.
      pieces: The pieces, without repetition. A piece's index is its id.
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
      UserError: There is no such file, it cannot be read or is empty.
    """
    if tf.io.gfile.isdir(path):
        raise errors.UserError(
            "A file is needed here, not a folder.", received=path, setting=setting
        )
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            data = file.read()
    except tf.errors.NotFoundError:
        raise errors.UserError("The file must exist.", received=path, setting=setting) from None
    except tf.errors.OpError as error:
        raise errors.UserError(
            "The file must be readable.", received=f"{path} ({error.message})", setting=setting
        ) from None
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
      UserError: The file is missing, unreadable or empty, is not text in UTF-8, has an empty line,
        or has the same piece in two lines, which leaves its id open.
    """
    data = read_bytes(path, setting=_VOCAB_FILE)
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise _not_text(path, data, str(error)) from None
    pieces = [line.removesuffix("\r") for line in lines]
    if not pieces[-1]:
        pieces.pop()
    empty = [number for number, piece in enumerate(pieces, start=1) if not piece]
    if empty or not pieces:
        shown = f"empty: {_listed('line', empty)}" if pieces else "nothing but an empty line"
        raise errors.UserError(
            "Each line of a vocabulary must have a piece, whose id is the line's number.",
            received=f"{path} ({shown})",
            example="[unused1] in a copy's line in place of nothing, so that others keep their ids",
            setting=_VOCAB_FILE,
        )
    _check_unique(path, pieces)
    digest = hashlib.sha256("\n".join(pieces).encode()).hexdigest()
    return Vocabulary(path, tuple(pieces), digest)


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
    if len(set(pieces)) == len(pieces):
        return
    lines = collections.defaultdict(list)
    for number, piece in enumerate(pieces, start=1):
        lines[piece].append(number)
    repeated = [
        f"{piece!r} in {_listed('line', numbers)}"
        for piece, numbers in lines.items()
        if len(numbers) > 1
    ]
    more = f" and {len(repeated) - _SHOWN} more" if len(repeated) > _SHOWN else ""
    raise errors.UserError(
        "No two lines of a vocabulary may be equal: a piece's id is its line's number. In a copy, "
        "rename those that training did not mean, so that the others keep their ids.",
        received=f"{path}: {'; '.join(repeated[:_SHOWN])}{more}",
        example="[unused1] in place of the second one",
        setting=_VOCAB_FILE,
    )


def _listed(noun: str, numbers: list[int]) -> str:
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
    ids: Mapping[str, int], chosen: Mapping[str, str], *, path: str, vocab_size: int
) -> dict[str, int]:
    """Returns the ids of the special tokens and the vocabulary's size.

    Args:
      ids: The ids of the special tokens that there are, by spelling.
      chosen: The spellings, by purpose.
      path: The vocabulary's file, for errors.
      vocab_size: One past the largest id.

    Returns:
      Ids by purpose, `mask_id` only if the vocabulary has it; and `vocab_size`.

    Raises:
      UserError: The vocabulary lacks one without which nothing can be packed.
    """
    missing = [
        f"{spelling!r} ({purpose})"
        for purpose, spelling in chosen.items()
        if spelling not in ids and purpose not in _OPTIONAL
    ]
    if missing:
        marked = any(spelling.startswith("\ufeff") for spelling in ids)
        raise errors.UserError(
            "The vocabulary must have the special tokens that inputs are packed with. If it spells "
            "them otherwise, say how."
            + (" Its first line begins with a byte-order mark: remove it." if marked else ""),
            received=f"{path} has no {', '.join(missing)}",
            example=_example(chosen),
            setting=_SPECIAL_TOKENS,
        )
    found = {purpose: ids[spelling] for purpose, spelling in chosen.items() if spelling in ids}
    return {VOCAB_SIZE: vocab_size, **found}


def _example(names: Mapping[str, str]) -> str:
    purpose = PADDING_ID if PADDING_ID in names else next(iter(names))
    return f'{_SPECIAL_TOKENS} = {{"{purpose}": "<pad>"}}'
