"""What is taken from a manifest, and what is named where settings contradict it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import gin
import numpy as np
import pytest

import exporter.export  # noqa: F401 (gin binds it)
from exporter import choices, manifest_choices, manifests, poolers


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    gin.clear_config()
    yield
    gin.clear_config()


def _write(folder: pathlib.Path, **manifest: Any) -> str:
    file = folder / manifests.FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"manifest_version": 1, "files": {}, **manifest}))
    return str(folder)


def _complete(path: str) -> manifest_choices.Completed:
    return manifest_choices.complete(choices.from_gin(), path)


def test_what_is_not_bound_is_taken(tmp_path: pathlib.Path) -> None:
    lines = [
        "LENGTH = 'waterfall'",
        "exporter.text_embedding.vector = 'mean'",
        "preprocessing.truncation = %LENGTH",
        "preprocessing.max_segments = 3",
        "export.pooler = @random_pooler",
        "tokenizer.vocab_file = 'vocab.txt'",
    ]
    path = _write(tmp_path, gin=lines, seq_length=64, vocabulary={"do_lower_case": True})
    completed = _complete(path)
    assert completed.taken == {
        "text_embedding.vector": "mean",
        "preprocessing.default_seq_length": 64,
        "preprocessing.max_segments": 3,
        "preprocessing.truncation": "waterfall",
        "tokenizer.do_lower_case": True,
    }
    assert completed.chosen.text_embedding.vector == "mean"
    assert completed.chosen.preprocessing.max_segments == 3
    assert completed.chosen.tokenizer.vocab_file is None
    assert completed.contradictions == ()


def test_what_is_bound_otherwise_is_named(tmp_path: pathlib.Path) -> None:
    gin.bind_parameter("exporter.text_embedding.vector", "first_token")
    gin.bind_parameter("exporter.preprocessing.max_segments", 2)
    completed = _complete(_write(tmp_path, gin=["text_embedding.vector = 'mean'"]))
    assert completed.taken == {}
    assert completed.chosen.text_embedding.vector == "first_token"
    assert completed.contradictions == (
        "the manifest says text_embedding.vector = 'mean', not 'first_token'",
    )


def test_what_a_manifest_does_not_bind_was_the_default(tmp_path: pathlib.Path) -> None:
    gin.bind_parameter("exporter.preprocessing.truncation", "waterfall")
    completed = _complete(_write(tmp_path, gin=[]))
    assert completed.contradictions == (
        "the manifest says preprocessing.truncation = 'equal_size', not 'waterfall'",
    )


def test_the_pooler_is_taken(tmp_path: pathlib.Path) -> None:
    lines = ["exporter.initialized_pooler.seed = 3", "SEED = 4"]
    path = _write(tmp_path, checkpoint={"pooler": "initialized_pooler"}, gin=lines)
    completed = _complete(path)
    assert str(completed.taken) == "{'export.pooler': @initialized_pooler with seed = 3}"
    expected = poolers.initialized_pooler(seed=3)
    assert expected.make_values is not None
    got = completed.chosen.pooler()
    assert (got.name, got.make_values is None) == ("initialized_pooler", False)
    for one, other in zip(
        expected.make_values((4, 4), (4,)), got.make_values((4, 4), (4,)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_another_pooler_is_named(tmp_path: pathlib.Path) -> None:
    gin.parse_config("exporter.export.pooler = @identity_pooler")
    given = choices.from_gin(pooler=poolers.identity_pooler)
    path = _write(tmp_path, checkpoint={"pooler": "next_sentence_pooler"})
    completed = manifest_choices.complete(given, path)
    assert completed.taken == {}
    assert completed.contradictions == (
        "the manifest says export.pooler = @next_sentence_pooler, not @identity_pooler",
    )


@pytest.mark.parametrize(
    "manifest",
    [
        {"checkpoint": {"pooler": "a_pooler_of_others"}},
        {"checkpoint": {"pooler": ["identity_pooler"]}},
        {
            "checkpoint": {"pooler": "initialized_pooler"},
            "gin": ["initialized_pooler.initializer = @Constant()"],
        },
        {
            "checkpoint": {"pooler": "next_sentence_pooler"},
            "gin": ["next_sentence_pooler.heed = 1"],
        },
        {"gin": ["preprocessing.truncation = 'unheard of'"]},
        {"gin": "text_embedding.vector = 'mean'"},
        {"gin": ["text_embedding.vector = __import__('os')"], "seq_length": "64"},
        {"vocabulary": [], "gin": [1, None]},
    ],
)
def test_what_no_export_says_is_not_taken(manifest: Any, tmp_path: pathlib.Path) -> None:
    given = choices.from_gin()
    completed = manifest_choices.complete(given, _write(tmp_path, **manifest))
    assert (completed.taken, completed.chosen) == ({}, given)


def test_without_a_manifest_nothing_is_taken(tmp_path: pathlib.Path) -> None:
    given = choices.from_gin()
    assert manifest_choices.complete(given, str(tmp_path)) == manifest_choices.Completed(given, {})
