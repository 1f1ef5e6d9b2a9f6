"""The texts in Protocol Buffers as parsed: in the raw bytes, their lengths stand before them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from google.protobuf import message, unknown_fields
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import trackable_object_graph_pb2

# A constant of more strings than that is a vocabulary.
_VOCABULARY = 256
# Characters that no text has.
_BINARY = re.compile("[\x00-\x08\x0e-\x1f\ufffd]")


def find(proto: message.Message) -> tuple[set[str], set[str]]:
    """Collects the texts of a message and of all that is in it.

    Args:
      proto: The message, such as a SavedModel.

    Returns:
      The texts, each once; and what may look like any text: pieces of vocabularies, which are long
      constants, and bytes that are none, such as a SentencePiece model.
    """
    texts: set[str] = set()
    others: set[str] = set()
    for container, value in _values(proto):
        text = value if isinstance(value, str) else value.decode(errors="replace")
        if not _BINARY.search(text):
            (others if _is_vocabulary(container) else texts).add(text)
            continue
        objects = _objects(value)
        if objects is None:
            others.add(text)
        else:
            texts |= find(objects)[0]
    return texts, others


def _is_vocabulary(container: message.Message) -> bool:
    return isinstance(container, tensor_pb2.TensorProto) and (
        len(container.string_val) > _VOCABULARY
    )


def _objects(value: str | bytes) -> message.Message | None:
    """Parses what TensorFlow stores of the objects that have values; None if it is none of that."""
    try:
        found = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
            value.encode() if isinstance(value, str) else value
        )
    except message.DecodeError:
        return None
    known = found.nodes and not unknown_fields.UnknownFieldSet(found)
    return found if known else None


def _values(proto: message.Message) -> Iterator[tuple[message.Message, str | bytes]]:
    ahead = [proto]
    while ahead:
        container = ahead.pop()
        is_numbers = isinstance(container, tensor_pb2.TensorProto) and (
            container.dtype != tf.string.as_datatype_enum
        )
        for field, value in container.ListFields():
            if field.type == field.TYPE_MESSAGE:
                for part in _parts(field, value):
                    if isinstance(part, message.Message):
                        ahead.append(part)
                    elif isinstance(part, str | bytes):
                        yield container, part
            elif field.type in (field.TYPE_STRING, field.TYPE_BYTES) and not is_numbers:
                for part in value if field.is_repeated else (value,):
                    yield container, part


def _parts(field: Any, value: Any) -> Iterator[Any]:
    """Yields the messages of a field, and a map's keys and values."""
    if field.message_type.GetOptions().map_entry:
        for key in value:
            yield key
            yield value[key]
    elif field.is_repeated:
        yield from value
    else:
        yield value
