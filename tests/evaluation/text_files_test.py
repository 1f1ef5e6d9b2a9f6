"""Labelled texts in local files: what is read, and what is wrong with its place."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from exporter import errors
from exporter.evaluation import examples, text_files

_TABLE = "text\tlabel\nOne.\tyes\nTwo.\tno\n"


def _task(folder: pathlib.Path, train: str | bytes = _TABLE, **options: Any) -> Any:
    """Writes a file and returns the task that trains and validates on it."""
    path = folder / f"data.{options.pop('kind_of_file', 'tsv')}"
    path.write_bytes(train if isinstance(train, bytes) else train.encode())
    return text_files.TextFiles(train_file=str(path), validation_file=str(path), **options)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("tsv", _TABLE),
        ("tsv", "\ufeff" + _TABLE.replace("\n", "\r\n")),
        ("tsv", "label\tnumber\ttext\nyes\t1\tOne.\n\nno\t2\tTwo.\n"),
        ("csv", 'text,label\n"One.","yes"\nTwo.,no\n'),
        ("jsonl", '{"text": "One.", "label": "yes"}\n\n{"label": "no", "text": "Two."}\n'),
    ],
)
def test_kinds_of_files(kind: str, text: str, tmp_path: pathlib.Path) -> None:
    found = _task(tmp_path, text, kind_of_file=kind).read()
    assert found.classes == ("no", "yes")
    assert found.train == examples.Split([("One.",), ("Two.",)], [1, 0])
    assert found.validation == {"validation": found.train}
    assert found.metric == "accuracy"
    assert found.task == f"{tmp_path.name}/data"


def test_records_are_read_and_written(tmp_path: pathlib.Path) -> None:
    made = _task(tmp_path).read()
    path = examples.write(made, str(tmp_path))["train"]
    options = {"text_columns": ["text_0"], "classes": ["0", "1"]}
    found = text_files.TextFiles(train_file=path, validation_file=path, **options).read()
    assert found.train == made.train
    damaged = pathlib.Path(path)
    damaged.write_bytes(damaged.read_bytes()[:-3])
    with pytest.raises(errors.UserError) as told:
        text_files.TextFiles(train_file=path, validation_file=path, **options).read()
    assert f"received: {path}, record 2: " in str(told.value)
    with pytest.raises(errors.UserError) as told:
        text_files.TextFiles(train_file=path, validation_file=path).read()
    assert f"received: {path}, record 1, column 'text': 0 values" in str(told.value)


def test_cells_over_several_lines_and_quotes(tmp_path: pathlib.Path) -> None:
    text = 'text,label\n"He said ""no"",\nand left.",yes\nTwo.,no\n'
    found = _task(tmp_path, text, kind_of_file="csv").read()
    assert found.train.texts == [('He said "no",\nand left.',), ("Two.",)]
    # Of TSV, quotes are part of the text.
    text = 'text\tlabel\n"One.\tyes\nTwo"\tno\n'
    assert _task(tmp_path, text).read().train.texts == [('"One.',), ('Two"',)]


def test_columns_by_number_and_pairs(tmp_path: pathlib.Path) -> None:
    text = "a\t0\tOne.\tUno.\nb\t1\tTwo.\tDue.\n"
    found = _task(tmp_path, text, text_columns=[3, 2], label_column=1).read()
    assert found.train == examples.Split([("Uno.", "One."), ("Due.", "Two.")], [0, 1])
    assert found.num_texts == 2


def test_classes_that_are_numbers_are_in_their_order(tmp_path: pathlib.Path) -> None:
    text = "text\tlabel\nOne.\t10\nTwo.\t9\n"
    assert _task(tmp_path, text).read().classes == ("9", "10")
    assert _task(tmp_path, text, classes=[10, 9, 8]).read().train.labels == [0, 1]


def test_labels_that_are_equal_but_for_how_they_are_written(tmp_path: pathlib.Path) -> None:
    text = "text\tlabel\nOne.\tyes \nTwo.\t no\nThree.\tyes\n"
    found = _task(tmp_path, text, text_columns="text").read()
    assert found.classes == ("no", "yes")
    assert found.train == examples.Split([("One.",), ("Two.",), ("Three.",)], [1, 0, 1])
    lines = '{"text": "One.", "label": 1}\n{"text": "Two.", "label": 1.0}\n'
    lines += '{"text": "Three.", "label": 2.5}\n'
    found = _task(tmp_path, lines, kind_of_file="jsonl").read()
    assert found.classes == ("1", "2.5")


def test_empty_texts_are_counted(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    task = _task(tmp_path, "text\tmore\tlabel\nOne.\t\tyes\nTwo.\t2\tno\n \t3\tno\n")
    task = dataclasses.replace(task, text_columns=["text", "more"])
    assert task.read().train.texts == [("One.", ""), ("Two.", "2"), (" ", "3")]
    told = f"{task.train_file}: 2 of 3 rows have an empty text, the first in line 2"
    assert caplog.messages == [told, told]  # Of both splits.


def test_a_class_may_be_called_as_what_is_missing(tmp_path: pathlib.Path) -> None:
    text = "text\tlabel\nRoti.\troti\nNan.\tnan\n"
    assert _task(tmp_path, text, classes=["nan", "roti"]).read().train.labels == [1, 0]


def test_long_cells(tmp_path: pathlib.Path) -> None:
    long = "word " * 50_000
    found = _task(tmp_path, f"text,label\n{long},yes\nTwo.,no\n", kind_of_file="csv").read()
    assert found.train.texts == [(long,), ("Two.",)]


def test_scores(tmp_path: pathlib.Path) -> None:
    found = _task(tmp_path, "text\tlabel\nOne.\t1\nTwo.\t-2.5e0\n", kind="regression").read()
    assert found.is_regression
    assert found.train.labels == [1.0, -2.5]
    assert found.metric == "pearson_spearman_corr"


def test_equal_examples_have_equal_digests(tmp_path: pathlib.Path) -> None:
    one, two = (_task(tmp_path, text).read() for text in (_TABLE, _TABLE.replace("One", "Eins")))
    assert one.digest() == _task(tmp_path).read().digest() != two.digest()


_MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "too few columns": (
        {"train": "text\tlabel\nOne.\n"},
        "A row must have 2 columns as the first one.\n  received: {path}, line 2: 1",
    ),
    "no such column": (
        {"train": "sentence\tlabel\nOne.\tyes\n"},
        (
            "Column 'text' must be there once, in the line of names.\n"
            "  received: {path}, line 1, column 'text': 'sentence', 'label'"
        ),
    ),
    "no such number": (
        {"train": "One.\tyes\n", "text_columns": [2], "label_column": 1},
        "Column 2 must be there, counted from 0.\n  received: {path}, line 1, column 2: 2 columns",
    ),
    "an unknown class": (
        {"train": f"{_TABLE}Three.\tmaybe\n", "classes": ["yes", "no"]},
        (
            "Column 'label' must be one of yes, no.\n"
            "  received: {path}, line 4, column 'label': 'maybe'"
        ),
    ),
    "no number": (
        {"train": "text\tlabel\nOne.\thalf\n", "kind": "regression"},
        "Column 'label' must be a number.\n  received: {path}, line 2, column 'label': 'half'",
    ),
    "no finite number": (
        {"train": "text\tlabel\n\nOne.\tnan\n", "kind": "regression"},
        "Column 'label' must be a number.\n  received: {path}, line 3, column 'label': 'nan'",
    ),
    "no number of float32": (
        {"train": "text\tlabel\nOne.\t1e300\n", "kind": "regression"},
        "Column 'label' must be a number.\n  received: {path}, line 2, column 'label': '1e300'",
    ),
    "a number of Python alone": (
        {"train": "text\tlabel\nOne.\t1_5\n", "kind": "regression"},
        "Column 'label' must be a number.\n  received: {path}, line 2, column 'label': '1_5'",
    ),
    "no label": (
        {"train": f"{_TABLE}Three.\t \n"},
        "Column 'label' must not be empty.\n  received: {path}, line 4, column 'label': ' '",
    ),
    "a label that another program missed": (
        {"train": f"{_TABLE}Three.\tNaN\n"},
        (
            "Column 'label' must not be missing; a class of this name must be in "
            "text_files.classes.\n  received: {path}, line 4, column 'label': 'NaN'"
        ),
    ),
    "no UTF-8": (
        {"train": _TABLE.encode() + b"Caf\xe9\tyes\n"},
        "A row must be valid UTF-8.\n  received: {path}, line 4: byte 4 is not",
    ),
    "no CSV": (
        {"train": 'text,label\nOne.,yes\n"Two" and,no\n', "kind_of_file": "csv"},
        "A row must be valid CSV.\n  received: {path}, line 3: ',' expected after '\"'",
    ),
    "no JSON": (
        {"train": '{"text": "One.", "label": 1}\n{"text": "Two."\n', "kind_of_file": "jsonl"},
        (
            "A row must be valid JSON.\n"
            "  received: {path}, line 2: Expecting ',' delimiter at character 16"
        ),
    ),
    "no number of JSON": (
        {"train": '{"text": "One.", "label": NaN}\n', "kind_of_file": "jsonl"},
        (
            "Column 'label' must be a text or a finite number.\n"
            "  received: {path}, line 1, column 'label': nan"
        ),
    ),
    "half of a character": (
        {"train": '{"text": "One\\ud800", "label": 1}\n', "kind_of_file": "jsonl"},
        (
            "Column 'text' must be valid Unicode.\n"
            "  received: {path}, line 1, column 'text': half of a surrogate pair at character 4"
        ),
    ),
    "a number of thousands of digits": (
        {"train": f'{{"text": "One.", "label": {"1" * 5000}}}\n', "kind_of_file": "jsonl"},
        (
            "A row must not be nested so deep, nor so long.\n"
            f'  received: {{path}}, line 1: {{{{"text": "One.", "label": {"1" * 14}'
        ),
    ),
    "JSON that never ends": (
        {"train": '{"label": ' * 100_000 + "\n", "kind_of_file": "jsonl"},
        (
            "A row must not be nested so deep, nor so long.\n"
            "  received: {path}, line 1: " + '{{"label": ' * 4
        ),
    ),
    "no JSON object": (
        {"train": '["One.", 1]\n', "kind_of_file": "jsonl"},
        'A row must be a JSON object.\n  received: {path}, line 1: ["One.", 1]',
    ),
    "a missing key": (
        {"train": '{"text": "One."}\n', "kind_of_file": "jsonl"},
        ("Column 'label' must be there.\n  received: {path}, line 1, column 'label': 'text'"),
    ),
    "a null": (
        {"train": '{"text": "One.", "label": null}\n', "kind_of_file": "jsonl"},
        (
            "Column 'label' must be a text or a number.\n"
            "  received: {path}, line 1, column 'label': null"
        ),
    ),
    "nothing": ({"train": "text\tlabel\n"}, "The file must have rows.\n  received: {path}"),
    "one class": (
        {"train": "text\tlabel\nOne.\tyes\n"},
        "A classification by accuracy needs two or more different classes.\n  received: yes",
    ),
    "three classes": (
        {"train": f"{_TABLE}Three.\tmaybe\n", "metric": "f1"},
        "A classification by f1 needs two different classes.\n  received: maybe, no, yes",
    ),
}


@pytest.mark.parametrize("name", _MALFORMED)
def test_what_is_malformed_is_told_with_its_place(name: str, tmp_path: pathlib.Path) -> None:
    options, expected = _MALFORMED[name]
    task = _task(tmp_path, **options)
    assert task.mistakes() == []
    with pytest.raises(errors.UserError) as told:
        task.read()
    assert str(told.value) == expected.format(path=task.train_file)
    assert told.value.setting == "text_files.train_file"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"text_columns": ["a", "b", "c"]},
            (
                "text_files.text_columns must name one or two columns.\n"
                "  received: ['a', 'b', 'c']\n"
                "  example:  text_files.text_columns = ['question', 'answer']"
            ),
        ),
        (
            {"text_columns": [0]},
            (
                "Columns must all be given by name or all by number.\n"
                "  received: text_columns [0], label_column 'label'\n"
                "  example:  text_files.text_columns = [0] and text_files.label_column = 1"
            ),
        ),
        (
            {"kind": "regression", "metric": "f1"},
            (
                "text_files.metric is for classes; of a regression the mean squared error and the "
                "correlation are measured.\n"
                "  received: 'f1'\n"
                "  example:  text_files.kind = 'classification'"
            ),
        ),
        (
            {"kind": "regression", "classes": ["a", "b"]},
            (
                "text_files.classes is for classes; of a regression the mean squared error and "
                "the correlation are measured.\n"
                "  received: ['a', 'b']\n"
                "  example:  text_files.kind = 'classification'"
            ),
        ),
        (
            {"kind": "ranking"},
            (
                "text_files.kind must be one of classification, regression.\n"
                "  received: 'ranking'\n"
                "  example:  text_files.kind = 'classification'"
            ),
        ),
    ],
)
def test_wrong_settings(options: dict[str, Any], expected: str, tmp_path: pathlib.Path) -> None:
    (mistake,) = _task(tmp_path, **options).mistakes()
    assert str(mistake) == expected


def test_files_that_are_missing_or_of_no_kind() -> None:
    task = text_files.TextFiles(train_file="train.txt")
    assert [str(mistake) for mistake in task.mistakes()] == [
        (
            "text_files.train_file must name a file that ends in .tsv, .csv, .jsonl, .tfrecord.\n"
            "  received: train.txt\n"
            "  example:  text_files.train_file = 'train.tsv'"
        ),
        (
            "text_files.validation_file must name a file that ends in .tsv, .csv, .jsonl, "
            ".tfrecord.\n"
            "  received: none\n"
            "  example:  text_files.validation_file = 'validation.tsv'"
        ),
    ]
