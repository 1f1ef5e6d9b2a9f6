"""A task whose examples are in local files: TSV, CSV, JSON lines or TFRecord."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import re
from collections.abc import Sequence

import gin

from exporter import errors
from exporter.evaluation import examples, table_files

_logger = logging.getLogger(__name__)
CLASSIFICATION, REGRESSION = "classification", "regression"
_KINDS = (CLASSIFICATION, REGRESSION)
# Not all that Python takes for numbers: it reads 1_5 as 15.
_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# Of float32, in which scores are trained on.
_LARGEST = 3.4028234e38


@gin.configurable("text_files", module="exporter")
@dataclasses.dataclass(frozen=True)
class TextFiles:
    """Labelled texts in files of one's own.

    A file is TSV (without quotes, as GLUE's are), CSV, JSONL or TFRecord (of `tf.train.Example`),
    which the end of its name says: `.tsv`, `.csv`, `.jsonl`, `.tfrecord`. TSV and CSV begin with
    the columns' names, unless columns are given by number.

    Attributes:
      train_file: What to train on.
      validation_file: What to validate on.
      text_columns: The columns of one or two texts: names, or numbers from 0. One may be
        without a list.
      label_column: The column of the class or the score.
      kind: "classification" or "regression".
      classes: The classes, in the order of their numbers. None takes what `train_file` has, in the
        order of their names. Space around them does not count.
      metric: Beside accuracy: "f1" or "matthews_corrcoef", both for two classes. Of a regression
        the correlation (the mean of Pearson's and Spearman's) is measured in any case.
    """

    train_file: str | None = None
    validation_file: str | None = None
    text_columns: Sequence[str | int] | str | int = ("text",)
    label_column: str | int = "label"
    kind: str = CLASSIFICATION
    classes: Sequence[str | int] | None = None
    metric: str = examples.ACCURACY

    @property
    def name(self) -> str:
        """The file to train on, without its end, and the folder that it is in."""
        path = os.path.splitext(os.path.abspath(self.train_file or ""))[0]
        return "/".join(path.split(os.sep)[-2:])

    @property
    def columns(self) -> list[str | int]:
        """The columns that are read."""
        return [*self.columns_of_text, self.label_column]

    @property
    def columns_of_text(self) -> tuple[str | int, ...]:
        """The columns of the texts."""
        columns = self.text_columns
        return (columns,) if isinstance(columns, str | int) else tuple(columns)

    def mistakes(self) -> list[errors.UserError]:
        """Returns what can be told to be wrong without opening a file."""
        found = [
            errors.UserError(
                f"text_files.{setting} must name a file that ends in "
                f"{', '.join(table_files.SUFFIXES)}.",
                example=f"text_files.{setting} = '{setting.partition('_')[0]}.tsv'",
                received=path or "none",
                setting=f"text_files.{setting}",
            )
            for setting, path in self._files().items()
            if table_files.suffix(path or "") not in table_files.SUFFIXES
        ]
        found += [
            errors.UserError(
                "The file must be there.", received=path, setting=f"text_files.{setting}"
            )
            for setting, path in self._files().items()
            if path and not found and not os.path.isfile(path)
        ]
        if len(self.columns_of_text) not in (1, 2):
            found.append(
                errors.UserError(
                    "text_files.text_columns must name one or two columns.",
                    example="text_files.text_columns = ['question', 'answer']",
                    received=repr(self.text_columns),
                    setting="text_files.text_columns",
                )
            )
        if len({type(column) for column in self.columns}) > 1:
            found.append(
                errors.UserError(
                    "Columns must all be given by name or all by number.",
                    example="text_files.text_columns = [0] and text_files.label_column = 1",
                    received=f"text_columns {self.text_columns!r}, label_column "
                    f"{self.label_column!r}",
                    setting="text_files.label_column",
                )
            )
        return found + self._choices() + self._without_use()

    def _files(self) -> dict[str, str | None]:
        return {"train_file": self.train_file, "validation_file": self.validation_file}

    def _choices(self) -> list[errors.UserError]:
        return [
            errors.UserError(
                f"text_files.{setting} must be one of {', '.join(known)}.",
                example=f"text_files.{setting} = {known[0]!r}",
                received=repr(value),
                setting=f"text_files.{setting}",
            )
            for setting, value, known in (
                ("kind", self.kind, _KINDS),
                ("metric", self.metric, examples.CLASS_METRICS),
            )
            if value not in known
        ]

    def _without_use(self) -> list[errors.UserError]:
        """What says nothing of scores."""
        default = dataclasses.replace(self, classes=None, metric=examples.ACCURACY)
        return [
            errors.UserError(
                f"text_files.{setting} is for classes; of a regression the mean squared error and "
                "the correlation are measured.",
                example="text_files.kind = 'classification'",
                received=repr(getattr(self, setting)),
                setting=f"text_files.{setting}",
            )
            for setting in ("classes", "metric")
            if self.kind == REGRESSION and getattr(self, setting) != getattr(default, setting)
        ]

    def read(self) -> examples.Examples:
        """Reads the files.

        Raises:
          UserError: One is malformed; file, line and column are told.
        """
        rows = {
            setting: table_files.read(path or "", self.columns, f"text_files.{setting}")
            for setting, path in self._files().items()
        }
        for found in rows.values():
            self._look_for_blanks(found)
        classes = self._classes(rows["train_file"])
        train, validation = (self._split(found, classes) for found in rows.values())
        return examples.Examples(
            self.name,
            train,
            {"validation": validation},
            classes,
            examples.CORRELATION if self.kind == REGRESSION else self.metric,
        )

    def _look_for_blanks(self, rows: table_files.Rows) -> None:
        """Raises where a label is not there, and says how many texts are empty."""
        for row in rows.rows:
            if not row.values[-1].strip():
                received = repr(row.values[-1][:40])
                raise rows.mistake(row.place, self.label_column, received, "must not be empty")
        empty = [row.place for row in rows.rows if not all(map(str.strip, row.values[:-1]))]
        if empty:
            _logger.warning(
                "%s: %d of %d rows have an empty text, the first in %s %d",
                *(rows.path, len(empty), len(rows.rows), rows.unit, empty[0]),
            )

    def _require_named(self, rows: table_files.Rows) -> None:
        """Raises where other programs have written that a label is missing."""
        for row in rows.rows:
            name = row.values[-1].strip()
            if name.lower() == "nan":
                rule = "must not be missing; a class of this name must be in text_files.classes"
                raise rows.mistake(row.place, self.label_column, f"{name!r}", rule)

    def _classes(self, rows: table_files.Rows) -> tuple[str, ...]:
        if self.kind == REGRESSION:
            return ()
        if self.classes is not None:
            found = tuple(str(name).strip() for name in self.classes)
        else:
            self._require_named(rows)
            names = {row.values[-1].strip() for row in rows.rows}
            numbers = all(_WHOLE.fullmatch(name) for name in names)
            found = tuple(sorted(names, key=(lambda name: (int(name), name)) if numbers else None))
        most = 2 if self.metric != examples.ACCURACY else math.inf
        if not 2 <= len(set(found)) <= most or len(set(found)) < len(found):
            raise errors.UserError(
                f"A classification by {self.metric} needs "
                f"{'two' if most == 2 else 'two or more'} different classes.",
                received=", ".join(found[:10]),
                setting="text_files.classes" if self.classes else rows.setting,
            )
        return found

    def _split(self, rows: table_files.Rows, classes: tuple[str, ...]) -> examples.Split:
        numbers = {name: number for number, name in enumerate(classes)}
        known = f"one of {', '.join(classes[:10])}" if classes else "a number"
        labels: list[float] = []
        for row in rows.rows:
            text = row.values[-1].strip()
            label = numbers.get(text) if classes else _score(text)
            if label is None:
                raise rows.mistake(row.place, self.label_column, f"{text!r}", f"must be {known}")
            labels.append(label)
        return examples.Split([row.values[:-1] for row in rows.rows], labels)


def _score(text: str) -> float | None:
    """Returns the number that a text is, or None where it is none of float32."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if abs(number) <= _LARGEST else None
