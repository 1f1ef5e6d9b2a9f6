"""Files with a row of columns for each example: what is wrong is told with its place."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from exporter import errors

_LINES = "line"
# Of a CSV file; Python's own limit is lower than texts may be long.
_LONGEST_CELL = 1 << 30


@dataclasses.dataclass(frozen=True)
class Row:
    """An example.

    Attributes:
      place: The number of its line or record, from 1.
      values: The text in each of the columns that are read.
    """

    place: int
    values: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Rows:
    """A file's rows.

    Attributes:
      path: The file.
      setting: The gin name that it was bound to, for errors.
      unit: What a row's place counts.
      rows: The rows.
    """

    path: str
    setting: str
    unit: str
    rows: Sequence[Row]

    def mistake(
        self, place: int, column: str | int | None, received: str, rule: str
    ) -> errors.UserError:
        """Returns what is wrong in a row.

        Args:
          place: The row's.
          column: In which column, or None where it is all of the row.
          received: What is there.
          rule: What must hold of it, as "must be a number".
        """
        where = "" if column is None else f", column {column!r}"
        subject = "A row" if column is None else f"Column {column!r}"
        return errors.UserError(
            f"{subject} {rule}.",
            received=f"{self.path}, {self.unit} {place}{where}: {received}",
            setting=self.setting,
        )


@dataclasses.dataclass(frozen=True)
class _File:
    """A file that is being read."""

    path: str
    columns: Sequence[str | int]
    setting: str
    unit: str = _LINES

    def fail(self, place: int, column: str | int | None, received: str, rule: str) -> NoReturn:
        raise Rows(self.path, self.setting, self.unit, ()).mistake(place, column, received, rule)


def suffix(path: str) -> str:
    """Returns the end of a file's name, in lower case: ".tsv"."""
    return os.path.splitext(path)[1].lower()


def read(path: str, columns: Sequence[str | int], setting: str) -> Rows:
    """Reads a file.

    Args:
      path: The file, whose name ends in one of SUFFIXES.
      columns: Names of columns, or numbers from 0 for a file without names.
      setting: The gin name that it was bound to, for errors.

    Raises:
      UserError: It cannot be read, has no rows, or a row lacks a column.
    """
    kind = suffix(path)
    file = _File(path, columns, setting, "record" if kind == ".tfrecord" else _LINES)
    try:
        rows = list(SUFFIXES[kind](file))
    except OSError as error:
        raise errors.UserError(
            f"The file must be readable; the system says: {error.strerror or error}.",
            received=path,
            setting=setting,
        ) from error
    if not rows:
        raise errors.UserError("The file must have rows.", received=path, setting=setting)
    return Rows(path, setting, file.unit, rows)


def _lines(file: _File) -> Iterator[str]:
    """Yields lines with their ends, for the place of invalid bytes."""
    with open(file.path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            yield _decoded(file, number, None, text)


def _decoded(file: _File, place: int, column: str | int | None, found: bytes) -> str:
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        file.fail(place, column, f"byte {error.start + 1} is not", "must be valid UTF-8")


def _tab_separated(file: _File) -> Iterator[Row]:
    cells = ((i, line.rstrip("\r\n").split("\t")) for i, line in enumerate(_lines(file), 1))
    yield from _table(file, cells)


def _comma_separated(file: _File) -> Iterator[Row]:
    reader = csv.reader(_lines(file), strict=True)
    csv.field_size_limit(_LONGEST_CELL)

    def cells() -> Iterator[tuple[int, list[str]]]:
        before = 0
        while True:
            try:
                found = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                file.fail(before + 1, None, str(error), "must be valid CSV")
            yield before + 1, found
            before = reader.line_num

    yield from _table(file, cells())


def _table(file: _File, cells: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    width = None
    places: list[int] = []
    if all(isinstance(column, int) for column in file.columns):
        places = [int(column) for column in file.columns]
    for line, values in cells:
        if values in ([], [""]):
            continue
        if not places:
            places, width = _places(file, line, values), len(values)
            continue
        if width is None:
            width = len(values)
            _require_columns(file, line, places, width)
        if len(values) != width:
            file.fail(line, None, f"{len(values)}", f"must have {width} columns as the first one")
        yield Row(line, tuple(values[place] for place in places))


def _places(file: _File, line: int, names: list[str]) -> list[int]:
    for column in file.columns:
        if names.count(str(column)) != 1:
            rule = "must be there once, in the line of names"
            file.fail(line, column, ", ".join(map(repr, names)), rule)
    return [names.index(str(column)) for column in file.columns]


def _require_columns(file: _File, line: int, places: list[int], width: int) -> None:
    for place in places:
        if not 0 <= place < width:
            file.fail(line, place, f"{width} columns", "must be there, counted from 0")


def _json_lines(file: _File) -> Iterator[Row]:
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line.rstrip("\r\n"))
        except json.JSONDecodeError as error:
            file.fail(number, None, f"{error.msg} at character {error.colno}", "must be valid JSON")
        except (RecursionError, ValueError):  # Of integers of thousands of digits.
            file.fail(number, None, line.strip()[:40], "must not be nested so deep, nor so long")
        if not isinstance(found, dict):
            file.fail(number, None, line.strip()[:40], "must be a JSON object")
        yield Row(number, tuple(_json_value(file, number, found, name) for name in file.columns))


def _json_value(file: _File, line: int, found: dict[str, Any], column: str | int) -> str:
    if str(column) not in found:
        file.fail(line, column, ", ".join(map(repr, found)) or "nothing", "must be there")
    value = found[str(column)]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        file.fail(line, column, json.dumps(value)[:40], "must be a text or a number")
    if isinstance(value, float) and not math.isfinite(value):  # JSON has none, but Python reads it.
        file.fail(line, column, str(value), "must be a text or a finite number")
    text = _text(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        received = f"half of a surrogate pair at character {error.start + 1}"
        file.fail(line, column, received, "must be valid Unicode")
    return text


def _text(value: Any) -> str:
    """Returns numbers alike that are equal, as 1 and 1.0."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _records(file: _File) -> Iterator[Row]:
    import tensorflow as tf
    from google.protobuf import message

    number = 0
    try:
        for record in tf.data.TFRecordDataset(file.path).as_numpy_iterator():
            number += 1
            example = tf.train.Example()
            try:
                example.ParseFromString(record)
            except message.DecodeError as error:
                file.fail(number, None, str(error), "must be a tf.train.Example")
            values = example.features.feature
            yield Row(number, tuple(_feature(file, number, values, c) for c in file.columns))
    except tf.errors.DataLossError as error:
        file.fail(number + 1, None, error.message, "must be undamaged")


def _feature(file: _File, record: int, values: Any, column: str | int) -> str:
    feature = values.get(str(column), None)
    kind = None if feature is None else feature.WhichOneof("kind")
    found = [] if kind is None else list(getattr(feature, kind).value)
    if len(found) != 1:
        file.fail(record, column, f"{len(found)} values", "must hold one value")
    return _decoded(file, record, column, found[0]) if kind == "bytes_list" else _text(found[0])


SUFFIXES: dict[str, Callable[[_File], Iterator[Row]]] = {
    ".tsv": _tab_separated,
    ".csv": _comma_separated,
    ".jsonl": _json_lines,
    ".tfrecord": _records,
}
