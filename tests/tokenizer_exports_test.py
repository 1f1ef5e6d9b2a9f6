"""Exports of preprocessing with choices of the tokenizer, from the command line to the report."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

import launch
from tests import tokenizer_texts as made

_PIECES = ["[PAD]", "<unk>", "[CLS]", "[SEP]", "[mask]", "café", "cafe", "x y", "", "[unused1]"]


def _export(folder: pathlib.Path, vocab_file: str, *bindings: str) -> tuple[object, str]:
    """Exports, verified, and returns what is loaded and the report's findings."""
    path = folder / "preprocessing"
    flags = [
        f"--vocab_file={vocab_file}",
        "--do_lower_case=true",
        "--export_type=preprocessing",
        f"--export_path={path}",
        *(f"--gin_params={binding}" for binding in bindings),
    ]
    assert launch.run(["launch.py", *flags]) == 0
    report = (folder / "preprocessing.record" / "report.txt").read_text(encoding="utf-8")
    return tf.saved_model.load(str(path)), report[: report.index("preprocessing:\n")]


def test_oddities_are_told_and_verified(tmp_path: pathlib.Path) -> None:
    pieces = [*_PIECES, "[unused1]"]
    path = tmp_path / "vocab.txt"
    path.write_bytes("\r\n".join(pieces).encode())

    loaded, found = _export(
        tmp_path,
        str(path),
        "tokenizer.strip_accents = False",
        'tokenizer.special_tokens = {"unknown_id": "<unk>"}',
    )

    assert loaded.tokenize(["CAFÉ cafe other"]).to_list() == [[[5], [6], [1]]]
    assert found.splitlines() == [
        "warning: vocabulary: no text has '[unused1]' in lines 10, 11, or their ids would be open",
        "warning: vocabulary: nothing in line 9, whose ids are never used",
        "vocabulary: never used, for its white space: 'x y'",
        "special tokens: there is no [MASK], and no mask_id among them",
    ]


@pytest.mark.parametrize("keep", [True, False])
def test_special_tokens_in_texts(tmp_path: pathlib.Path, keep: bool) -> None:
    loaded, _ = _export(tmp_path, made.VOCAB_FILE, f"tokenizer.keep_special_tokens = {keep}")
    ids = loaded(["the [MASK]"], seq_length=8)["input_word_ids"]
    pieces = loaded.vocab.id_to_string(ids[0]).numpy().tolist()
    assert (pieces[2] == b"[MASK]") is keep
    assert loaded.detokenize(ids).numpy().tolist() == [b"the [MASK]" if keep else b"the [ mask ]"]
