"""A task whose examples are in local files: TSV, CSV, JSON lines or TFRecord."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence

import gin

from exporter import errors
from exporter.evaluation import examples, table_files

CLASSIFICATION, REGRESSION = "classification", "regression"
_KINDS = (CLASSIFICATION, REGRESSION)


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
      text_columns: The columns of one or two texts: names, or numbers from 0.
      label_column: The column of the class or the score.
      kind: "classification" or "regression".
      classes: The classes, in the order of their numbers. None takes what `train_file` has, in the
        order of their names.
      metric: Beside accuracy: "f1" or "matthews_corrcoef", both for two classes. Of a regression
        the correlation (the mean of Pearson's and Spearman's) is measured in any case.
    """

    train_file: str | None = None
    validation_file: str | None = None
    text_columns: Sequence[str | int] = ("text",)
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
        return [*self.text_columns, self.label_column]

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
        if len(self.text_columns) not in (1, 2):
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
        return found + self._choices()

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

    def read(self) -> examples.Examples:
        """Reads the files.

        Raises:
          UserError: One is malformed; file, line and column are told.
        """
        rows = {
            setting: table_files.read(path or "", self.columns, f"text_files.{setting}")
            for setting, path in self._files().items()
        }
        classes = self._classes(rows["train_file"])
        train, validation = (self._split(found, classes) for found in rows.values())
        return examples.Examples(
            self.name,
            train,
            {"validation": validation},
            classes,
            examples.CORRELATION if self.kind == REGRESSION else self.metric,
        )

    def _classes(self, rows: table_files.Rows) -> tuple[str, ...]:
        if self.kind == REGRESSION:
            return ()
        if self.classes is not None:
            found = tuple(map(str, self.classes))
        else:
            names = {row.values[-1] for row in rows.rows}
            numbers = all(name.isdecimal() for name in names)
            found = tuple(sorted(names, key=int if numbers else None))
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
        labels: list[float] = []
        for row in rows.rows:
            text = row.values[-1]
            try:
                label = numbers[text] if classes else float(text)
            except (KeyError, ValueError):
                label = math.nan
            if not math.isfinite(label):
                known = f"one of {', '.join(classes[:10])}" if classes else "a number"
                raise rows.mistake(row.place, self.label_column, f"{text!r}", f"must be {known}")
            labels.append(label)
        return examples.Split([row.values[:-1] for row in rows.rows], labels)
