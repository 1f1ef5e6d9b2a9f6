"""Graphs of other sequence lengths are, byte by byte, those that TensorFlow traces and saves."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from tensorflow.core.protobuf import saved_model_pb2

import launch
from exporter import (
    canonical,
    length_patterns,
    packing,
    preprocessing,
    saved_models,
    sharing,
    tokenizers,
    truncation,
)
from tests.sweep import launcher_cases

_TESTDATA = launcher_cases.TESTDATA
_LENGTHS = (16, 128, 24, 7, 300)
_TRACED = 2


def _wordpiece() -> tokenizers.Tokenizer:
    return tokenizers.make(
        vocab_file=str(_TESTDATA / "bert_tiny" / "vocab.txt"), do_lower_case=True
    )


def _sentencepiece() -> tokenizers.Tokenizer:
    return tokenizers.make(sp_model_file=str(_TESTDATA / "spm" / "spm.model"), do_lower_case=True)


@pytest.mark.parametrize(
    ("make", "choices"),
    [
        (_wordpiece, {"max_segments": 1}),
        (_wordpiece, {"tokenize_with_offsets": True, "max_segments": 3}),
        (
            _wordpiece,
            {"options": packing.Options(truncation.make("waterfall", 50), pad_to_longest=True)},
        ),
        (_wordpiece, {"options": packing.Options(truncation.make("head_and_tail", 30))}),
        (_sentencepiece, {"tokenize_with_offsets": True}),
    ],
)
def test_preprocessing(
    tmp_path: pathlib.Path, make: Callable[[], tokenizers.Tokenizer], choices: dict[str, Any]
) -> None:
    traced = []

    def write(folder: pathlib.Path, length: int) -> dict[str, int]:
        traced.append(length)
        root = preprocessing.Preprocessing(make(), default_seq_length=length, **choices)
        return saved_models.write_graph(root, str(folder))

    with sharing.results():
        for length in _LENGTHS:
            folder = tmp_path / str(length)
            said = length_patterns.write(
                "key", str(folder), length, functools.partial(write, folder, length)
            )
            assert said == {}
    assert tuple(traced) == _LENGTHS[:_TRACED]
    for length in _LENGTHS[_TRACED:]:
        write(tmp_path / "alone", length)
        assert launcher_cases.files(tmp_path / str(length)) == launcher_cases.files(
            tmp_path / "alone"
        )


def test_packing_for_xla_is_as_it_is_traced(tmp_path: pathlib.Path) -> None:
    def write(folder: pathlib.Path, length: int) -> dict[str, int]:
        options = packing.Options(for_xla=True)
        root = preprocessing.Preprocessing(_wordpiece(), default_seq_length=length, options=options)
        return saved_models.write_graph(root, str(folder))

    with sharing.results():
        for length in _LENGTHS:
            folder = tmp_path / str(length)
            length_patterns.write(
                "key", str(folder), length, functools.partial(write, folder, length)
            )
    write(tmp_path / "alone", _LENGTHS[-1])
    assert launcher_cases.files(folder) == launcher_cases.files(tmp_path / "alone")


_SWEEP = """
encoder.encoder_config_file = '{run}/params.yaml'
checkpoint.model_checkpoint_path = '{run}'
export.export_type = 'all'
{more}
sweep.points = @axis()
axis.name = 'preprocessing.default_seq_length'
axis.values = [32, 16, 64, 9]
"""
_BERT = f"""
tokenizer.vocab_file = '{_TESTDATA}/bert_tiny/vocab.txt'
tokenizer.do_lower_case = True
"""
_ALBERT = f"""
tokenizer.sp_model_file = '{_TESTDATA}/spm/spm.model'
tokenizer.do_lower_case = True
text_embedding.vector = 'mean'
text_embedding.normalize = True
"""


@pytest.mark.parametrize(("run", "more"), [("bert_tiny", _BERT), ("albert_tiny", _ALBERT)])
def test_exports(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, run: str, more: str
) -> None:
    graph, traced = saved_models.write_graph, []

    def counted(*arguments: Any) -> dict[str, int]:
        traced.append(arguments)
        return graph(*arguments)

    (tmp_path / "sweep.gin").write_text(_SWEEP.format(run=_TESTDATA / run, more=more))
    with monkeypatch.context() as patched:
        patched.setattr(saved_models, "write_graph", counted)
        assert launcher_cases.run_sweep(tmp_path) == 0
    # The encoder once, preprocessing and text embedding of two lengths.
    assert len(traced) == 1 + 2 * _TRACED
    assert {record["verification"] for record in launcher_cases.records(tmp_path).values()} == {
        "passed"
    }
    text = _SWEEP.partition("sweep.points")[0].format(run=_TESTDATA / run, more=more)
    (tmp_path / "alone.gin").write_text(text)
    for length in (64, 9):
        alone = tmp_path / f"alone_{length}"
        flags = [f"--gin_file={tmp_path}/alone.gin", f"--default_seq_length={length}"]
        assert launch.run(["launch.py", *flags, f"--export_path={alone}"]) == 0
        assert launcher_cases.files(tmp_path / "out" / str(length)) == launcher_cases.files(alone)


def _graph(text: str, size: int, **nodes: int) -> saved_model_pb2.SavedModel:
    saved_model = saved_model_pb2.SavedModel()
    graph = saved_model.meta_graphs.add().graph_def
    for name, value in nodes.items():
        node = graph.node.add(name=name, op=text)
        node.attr["value"].i = value
        node.attr["shape"].shape.dim.add(size=size)
    return saved_model


def _written(
    folder: pathlib.Path, make: Callable[[int], saved_model_pb2.SavedModel], asset: str = "{}"
) -> list[int]:
    """Writes SavedModels of lengths 10, 20 and 30, and returns which of them were traced."""
    traced = []

    def write(length: int) -> dict[str, int]:
        path = folder / str(length)
        traced.append(length)
        (path / "assets").mkdir(parents=True)
        (path / "assets" / "vocab.txt").write_text(asset.format(length))
        canonical.write_graph(str(path), make(length))
        return {"a": 1}

    with sharing.results():
        for length in (10, 20, 30):
            said = length_patterns.write(
                "key", str(folder / str(length)), length, functools.partial(write, length)
            )
            assert said == {"a": 1}
    return traced


def test_integers_that_go_with_the_length(tmp_path: pathlib.Path) -> None:
    def make(length: int) -> saved_model_pb2.SavedModel:
        return _graph("Const", length + 3, a=length - 2, b=length, c=20)

    assert _written(tmp_path, make, "the, of") == [10, 20]
    graph = (tmp_path / "30" / "saved_model.pb").read_bytes()
    assert graph == make(30).SerializeToString(deterministic=True)
    assert (tmp_path / "30" / "assets" / "vocab.txt").read_text() == "the, of"


@pytest.mark.parametrize(
    "make",
    [
        lambda length: _graph(f"Const{length}", 1, a=length),
        lambda length: _graph("Const", 1, a=2 * length),
        lambda length: _graph("Const", min(length, 15), a=length),
        lambda length: _graph("Const", 1, a=length, **{f"b{length}": 1}),
        lambda length: _graph("Const", 1, **dict.fromkeys("abcdef"[: length // 5], 1)),
        # Zero is not written.
        lambda length: _graph("Const", length - 10, a=length),
    ],
)
def test_other_differences_are_traced(
    tmp_path: pathlib.Path, make: Callable[[int], saved_model_pb2.SavedModel]
) -> None:
    assert _written(tmp_path, make, "the, of") == [10, 20, 30]


def test_other_files_are_traced(tmp_path: pathlib.Path) -> None:
    assert _written(tmp_path, lambda length: _graph("Const", 1, a=length)) == [10, 20, 30]


def test_a_single_export_is_traced(tmp_path: pathlib.Path) -> None:
    for length in (10, 20, 30):
        path = str(tmp_path / str(length))
        assert (
            length_patterns.write("key", path, length, functools.partial(str, length)) == path[-2:]
        )
    assert not list(tmp_path.iterdir())
