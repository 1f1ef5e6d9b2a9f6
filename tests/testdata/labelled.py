"""Sentences about functions, labelled by what their main clause says: a small task to fine-tune on.

    python -m tests.testdata.labelled --output_dir=/tmp/labelled

Half of them have a subordinate clause of another class, so that single words do not tell. The
sentences to validate on are of the same kind and none of them is among those to train on.
"""

from __future__ import annotations

import pathlib
import random
from collections.abc import Iterator

from absl import app, flags

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Where to write the two files.")
SIZES = {"train.tsv": 480, "validation.tsv": 160}
_SEED = 20201012

# By class: verb phrases that follow a subject in the third person.
_PHRASES = {
    "result": (
        "returns the {}",
        "gives the {} as its result",
        "yields each {} of the {}",
        "returns None in place of the {}",
    ),
    "error": (
        "raises an exception for the {}",
        "fails with an error without the {}",
        "does not accept the {}",
        "raises ValueError for an invalid {}",
    ),
    "change": (
        "removes the {} from the {}",
        "sets the {} of the {}",
        "replaces each {} in place",
        "adds the {} to the end of the {}",
    ),
}
_SUBJECTS = ("the method", "the function", "this class", "the module", "the decorator")
_NOUNS = (
    *("list", "string", "name", "value", "file", "key", "number", "tuple", "path", "line"),
    *("character", "object", "sequence", "dictionary", "argument", "code", "attribute", "set"),
)
_COMPOUNDS = (
    "although it {other}, {subject} {main}.",
    "{subject} {main}, although it {other}.",
    "while the default {other}, {subject} {main}.",
)


def tables() -> dict[str, str]:
    """Returns the files' texts by their names: two columns, `text` and `label`."""
    found = dict.fromkeys(_sentences(random.Random(_SEED)))
    wanted, tables = iter(found), {}
    for name, size in SIZES.items():
        rows = [next(wanted) for _ in range(size)]
        tables[name] = "".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *rows])
    return tables


def _sentences(random_: random.Random) -> Iterator[tuple[str, str]]:
    def one_of(words: tuple[str, ...]) -> str:
        return words[int(random_.random() * len(words))]

    labels = tuple(_PHRASES)
    for _ in range(4 * sum(SIZES.values())):
        label, other = one_of(labels), one_of(labels)
        main, side = (
            one_of(_PHRASES[kind]).format(one_of(_NOUNS), one_of(_NOUNS)) for kind in (label, other)
        )
        pattern = "{subject} {main}." if label == other else one_of(_COMPOUNDS)
        if random_.random() < 0.3:
            pattern = "{subject} {main}."
        text = pattern.format(subject=one_of(_SUBJECTS), main=main, other=side)
        yield f"{text[0].upper()}{text[1:]}", label


def main(_: list[str]) -> None:
    """Writes the files."""
    for name, text in tables().items():
        pathlib.Path(_OUTPUT_DIR.value or ".", name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
