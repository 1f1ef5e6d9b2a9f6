"""The README's code on words and ids does what it says."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re

import tensorflow as tf

import launch
from tests import preprocessing_exports as exports

_README = (exports.ROOT / "README.md").read_text(encoding="utf-8")
_RUN = exports.TESTDATA / "bert_tiny"


def _blocks() -> list[str]:
    section = _README[_README.index("### Words and ids") :]
    section = section[: section.index("\n## ")]
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


def test_words_and_ids(tmp_path: pathlib.Path) -> None:
    flags = [
        f"--pretraining_dir={_RUN}",
        f"--vocab_file={_RUN / 'vocab.txt'}",
        "--do_lower_case=true",
        "--export_type=all",
        f"--export_path={tmp_path / 'bert'}",
        "--gin_params=tokenizer.keep_special_tokens = True",
    ]
    assert launch.run(["launch.py", *flags]) == 0
    preprocess = tf.saved_model.load(str(tmp_path / "bert" / "preprocessing"))
    encoder = tf.saved_model.load(str(tmp_path / "bert" / "encoder"))
    names = {"tf": tf, "preprocess": preprocess, "encoder": encoder}
    names["inputs"] = preprocess(tf.constant(["A list."]))
    words, gaps = _blocks()

    # Each line alone shows a value beside what the comment says of it.
    shown = {}
    for line in words.splitlines():
        code = line.split("  #")[0]
        exec(code, names)
        shown[code] = None if " = " in code else eval(code, names)
    pieces, ids, text, packed = (value for value in shown.values() if value is not None)
    assert pieces.numpy().tolist() == b"this method returns the names as a list .".split()
    assert preprocess.vocab.id_to_string(ids).numpy().tolist() == [b"list", b"[MASK]"]
    assert text.numpy().tolist() == [b"this method returns the names as a list ."]
    assert packed.numpy().tolist() == [b"a list ."]

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(gaps, names)
    assert printed.getvalue().strip() == gaps.splitlines()[-1].split("  # ")[1]
