"""Graphs of other sequence lengths, made of two that TensorFlow has traced and saved.

Of two SavedModels that differ in nothing but their sequence length, the graphs differ in some
integers alone: constants, and sizes in shapes. Where each of these is the length plus what is the
same in both graphs, a third length's graph has it, too. Tracing and saving it would give the same
bytes, and takes a hundred times as long.

What is made here is to be verified like anything else. Where graphs differ in any other way, each
is traced.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

from exporter import canonical, folder_entries, sharing

# Of a sweep, those of preprocessing and of text embedding, for a few choices beside the length.
_KEPT = 8
_TRACED = 2

# Where an integer is: names of fields, with the places or keys in those that have several.
_Place = tuple[Any, ...]


class _Other(Exception):  # noqa: N818 (it is an answer)
    """Two graphs differ in what is no length."""


@dataclasses.dataclass(frozen=True)
class _Traced:
    """A SavedModel as it was saved.

    Attributes:
      length: The sequence length.
      said: What is known of it, see `write`.
      graph: Its graph.
      others: The other files' contents, by their paths relative to its folder.
    """

    length: int
    said: Any
    graph: saved_model_pb2.SavedModel
    others: Mapping[str, bytes]

    @classmethod
    def read(cls, path: str, length: int, said: Any) -> _Traced:
        """Reads the files."""
        names = folder_entries.read(path).files
        files = {name: canonical.read_file(os.path.join(path, name)) for name in names}
        graph = saved_model_pb2.SavedModel.FromString(files.pop(canonical.GRAPH_FILE))
        return cls(length, said, graph, files)


@dataclasses.dataclass(eq=False)
class _Family:
    """SavedModels that differ in their sequence length alone.

    Attributes:
      traced: The first two of them.
    """

    traced: list[_Traced] = dataclasses.field(default_factory=list)

    def write(self, path: str, length: int, trace: Callable[[], Any]) -> Any:
        """As the function `write`."""
        places = self._places if len(self.traced) == _TRACED else None
        if places is not None:
            return self._made(path, length, places)
        said = trace()
        if len(self.traced) < _TRACED and all(length != one.length for one in self.traced):
            self.traced.append(_Traced.read(path, length, said))
        return said

    def _made(self, path: str, length: int, places: Mapping[_Place, int]) -> Any:
        first = self.traced[0]
        graph = saved_model_pb2.SavedModel()
        graph.CopyFrom(first.graph)
        for place, more in places.items():
            _put(graph, place, length + more)
        for name, data in first.others.items():
            file = os.path.join(path, name)
            tf.io.gfile.makedirs(os.path.dirname(file))
            canonical.write_file(file, data)
        canonical.write_graph(path, graph)
        return first.said

    @functools.cached_property
    def _places(self) -> dict[_Place, int] | None:
        """Where lengths are, and by how much each is more; None if something else differs."""
        one, other = self.traced
        if one.said != other.said or one.others != other.others:
            return None
        try:
            found = dict(_differences(one.graph, other.graph))
        except _Other:
            return None
        more = {place: value - one.length for place, (value, _) in found.items()}
        if any(more[place] != value - other.length for place, (_, value) in found.items()):
            return None
        return more


def write(key: Hashable, path: str, length: int, trace: Callable[[], Any]) -> Any:
    """Writes a SavedModel, but for its fingerprint, or makes it of others that were traced.

    Args:
      key: All that it depends on, but for the sequence length.
      path: Its folder.
      length: The sequence length.
      trace: Writes it, and returns what is to be known of it.

    Returns:
      What `trace` returns.
    """
    if not sharing.is_open():
        return trace()
    family = sharing.once("lengths", key, _Family, keep=_KEPT)
    return family.write(path, length, trace)


def _differences(
    one: message.Message, other: message.Message, at: _Place = ()
) -> Iterator[tuple[_Place, tuple[int, int]]]:
    """Yields the integers in which two messages differ.

    Raises:
      _Other: They differ in something else.
    """
    fields = [{field.name: field for field, _ in part.ListFields()} for part in (one, other)]
    for name in {**fields[0], **fields[1]}:
        values = getattr(one, name), getattr(other, name)
        if values[0] == values[1]:
            continue
        if not (name in fields[0] and name in fields[1]):
            raise _Other
        for place, pair in _pairs(fields[0][name], *values):
            if pair[0] == pair[1]:
                continue
            if isinstance(pair[0], message.Message):
                yield from _differences(*pair, (*at, (name, *place)))
            elif type(pair[0]) is int and type(pair[1]) is int:
                yield (*at, (name, *place)), pair
            else:
                raise _Other


def _pairs(field: Any, one: Any, other: Any) -> Iterator[tuple[tuple[Any, ...], tuple[Any, Any]]]:
    """Yields the values of a field of two messages, with their places in it, if it has several."""
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    if not field.is_repeated:
        yield (), (one, other)
        return
    if len(one) != len(other) or (is_map and set(one) != set(other)):
        raise _Other
    for key in one if is_map else range(len(one)):
        yield (key,), (one[key], other[key])


def _put(container: Any, place: _Place, value: int) -> None:
    *way, (name, *last) = place
    for step, *key in way:
        container = getattr(container, step)
        if key:
            container = container[key[0]]
    if last:
        getattr(container, name)[last[0]] = value
    else:
        setattr(container, name, value)
