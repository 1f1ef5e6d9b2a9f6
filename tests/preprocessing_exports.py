"""Exports of preprocessing that several tests use, and what they are compared with."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from official.nlp.modeling import layers

from exporter import preprocessing, tokenizers
from tests import written_models

TESTDATA = pathlib.Path(__file__).parent / "testdata"
ROOT = pathlib.Path(__file__).parent.parent
NAMES = ("input_word_ids", "input_mask", "input_type_ids")
TEXTS = [
    "the value of a list",
    "",
    "Ünïcode: if 中国 is NOT ﬁle\u200bs!",
    "the " * 60,
    b"a \xff b",
]
OTHERS = ["is true", "the " * 70, "", "a b c", "it's"]
LENGTH = 24
KINDS = ("uncased", "cased, lookups", "sentencepiece")


@dataclasses.dataclass(frozen=True)
class Export:
    """A tokenizer's export, loaded after it was moved and its vocabulary deleted."""

    root: preprocessing.Preprocessing
    path: str
    loaded: Any
    source_folder: str
    reference: Callable[..., Any]
    special_tokens: dict[str, int]


def _wordpiece(folder: pathlib.Path, name: str) -> tuple[tokenizers.Tokenizer, Any]:
    content = (TESTDATA / "bert_tiny" / "vocab.txt").read_text(encoding="utf-8")
    if name == "cased, lookups":  # White space in a piece.
        content += "a\u00a0b\n"
    path = folder / "my_vocab.txt"
    path.write_text(content, encoding="utf-8")
    lower_case = name != "cased, lookups"
    return (
        tokenizers.WordpieceTokenizer(str(path), lower_case),
        layers.BertTokenizer(vocab_file=str(path), lower_case=lower_case),
    )


def _sentencepiece(folder: pathlib.Path, _: str) -> tuple[tokenizers.Tokenizer, Any]:
    path = folder / "my_spm.model"
    shutil.copy(TESTDATA / "spm" / "spm.model", path)
    reference = layers.SentencepieceTokenizer(
        model_file_path=str(path), lower_case=True, strip_diacritics=True
    )
    return tokenizers.SentencepieceTokenizer(str(path), lower_case=True), reference


def maker(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Export]:
    """Returns a function that makes an export of a kind of `KINDS`, once."""

    @functools.cache
    def make(kind: str) -> Export:
        source_folder = tmp_path_factory.mktemp("source_of_vocabulary")
        make_tokenizer = _sentencepiece if kind == "sentencepiece" else _wordpiece
        tokenizer, reference = make_tokenizer(source_folder, kind)
        root = preprocessing.Preprocessing(
            tokenizer, default_seq_length=LENGTH, tokenize_with_offsets=True
        )
        folder = tmp_path_factory.mktemp("export")
        written_models.write(root, str(folder / "first"))
        shutil.rmtree(source_folder)
        (folder / "first").rename(folder / "moved")
        return Export(
            root=root,
            path=str(folder / "moved"),
            loaded=tf.saved_model.load(str(folder / "moved")),
            source_folder=str(source_folder),
            reference=reference,
            special_tokens=reference.get_special_tokens_dict(),
        )

    return make


def expected(
    export: Export, *segments: list[str | bytes], seq_length: int = LENGTH
) -> dict[str, tf.Tensor]:
    """Returns what TF-NLP makes of segments."""
    tokens = [export.reference(tf.constant(segment)) for segment in segments]
    pack = layers.BertPackInputs(seq_length, special_tokens_dict=export.special_tokens)
    return pack(tokens)


def assert_same(actual: dict[str, tf.Tensor], wanted: dict[str, tf.Tensor]) -> None:
    """Compares packed inputs."""
    assert set(actual) == set(wanted) == set(NAMES)
    for name, tensor in wanted.items():
        assert actual[name].dtype == tf.int32
        np.testing.assert_array_equal(actual[name], tensor, err_msg=name)


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Starts Python code in an environment that knows nothing of the exporter's Keras."""
    variables = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=variables | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Returns what a process printed."""
    output, log = process.communicate()
    assert process.returncode == 0, log
    return output
