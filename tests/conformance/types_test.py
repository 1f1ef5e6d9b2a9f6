"""The README's table of encoders: each cell is tested, and no encoder of TF-NLP is left out."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from official.nlp.configs import encoders as tfnlp_encoders

import launch
from exporter import choices, errors
from tests import testing
from tests.conformance import comparison, exports, goldens

_README = pathlib.Path(__file__).parents[2] / "README.md"
_YES = "yes"


def _table() -> dict[str, dict[str, str]]:
    """The README's cells by row and column."""
    text = _README.read_text(encoding="utf-8")
    lines = text[text.index("\n## Encoders\n") :].split("\n\n")[2].splitlines()
    head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
    return {name: dict(zip(head[1:], cells, strict=True)) for name, *cells in rows}


_TABLE = _table()
each_row = pytest.mark.parametrize("row", _TABLE)


@dataclasses.dataclass(frozen=True)
class _Exports:
    """A row's exports, loaded, and what they were made from."""

    case: testing.Case
    files: testing.SourceFiles
    folder: pathlib.Path

    @functools.cached_property
    def encoder(self) -> Any:
        """The encoder, with its head where it has one."""
        return self._exported("encoder", "--verify=full")

    @functools.cached_property
    def embed(self) -> Any:
        """The text embedding."""
        return self._exported("embed", "--export_type=text_embedding", "--verify=quick")

    def _exported(self, name: str, *flags: str) -> Any:
        return tf.saved_model.load(str(exports.run(self.files, self.folder / name, *flags)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], _Exports]:
    """Returns a function that makes what a row's exports are made from, when it is first asked."""
    folder = tmp_path_factory.mktemp("types")

    @functools.cache
    def export(row: str) -> _Exports:
        case = goldens.IN_README[row]
        files = testing.write_files(case, folder / case.name / "source")
        return _Exports(case, files, folder / case.name)

    return export


def test_the_table_has_all_encoders() -> None:
    config = tfnlp_encoders.EncoderConfig()
    fields = {field.name for field in dataclasses.fields(config)} - {"type", "any"}
    assert list(_TABLE) == list(goldens.IN_README)
    assert {f"`{name}`" for name in fields} <= set(_TABLE)
    assert all(
        list(cells) == ["encoder", "with MLM", "text embedding"] for cells in _TABLE.values()
    )
    assert {cell for cells in _TABLE.values() for cell in cells.values()} == {_YES, "no"}


@each_row
def test_encoder(row: str, exported: Callable[[str], _Exports]) -> None:
    assert _TABLE[row]["encoder"] == _YES
    made = exported(row)
    longest = made.case.max_length
    for batch, length in ((1, 1), (7, longest - 1), (3, longest)):
        inputs = comparison.inputs(made.case, batch, length)
        expected = made.files.source(inputs)
        outputs = made.encoder(inputs)
        assert set(outputs) == {"pooled_output", "default", "sequence_output", "encoder_outputs"}
        comparison.assert_same_outputs(expected, outputs)
    comparison.assert_same_outputs(
        comparison.flat(expected), made.encoder.signatures["serving_default"](**inputs)
    )


@each_row
def test_with_mlm(row: str, exported: Callable[[str], _Exports], tmp_path: pathlib.Path) -> None:
    made = exported(row)
    assert hasattr(made.encoder, "mlm") == (_TABLE[row]["with MLM"] == _YES)
    if not hasattr(made.encoder, "mlm"):
        target = tmp_path / "out"
        flags = [*made.files.flags(), "--export_type=model_with_mlm", f"--export_path={target}"]
        assert launch.run(["launch.py", *flags]) == errors.EXIT_USER_ERROR
        assert not target.exists()
        return
    for batch, length in ((2, 5), (1, made.case.max_length)):
        inputs = comparison.inputs(made.case, batch, length)
        inputs = comparison.with_positions(inputs, made.files.source(inputs)["sequence_output"])
        comparison.assert_same_outputs(made.files.source(inputs), made.encoder.mlm(inputs))


@each_row
def test_text_embedding(row: str, exported: Callable[[str], _Exports]) -> None:
    assert _TABLE[row]["text embedding"] == _YES
    made = exported(row)
    ids = np.array([[2, 5, 6, 3], [2, 7, 3, 0], [2, 3, 0, 0]])
    # Where padding has an effect, it is that of the sequence length.
    length = min(choices.DEFAULT_SEQ_LENGTH, made.case.max_length)
    ids = np.pad(ids, ((0, 0), (0, length - ids.shape[1])))
    arrays = (ids, ids > 0, 0 * ids)
    inputs = {
        name: tf.constant(array, tf.int32)
        for name, array in zip(testing.INPUT_NAMES, arrays, strict=True)
    }
    expected = made.files.source(inputs)["pooled_output"]
    got = made.embed(tf.constant(["Word0 word1", "Word2", ""]))
    comparison.assert_same_outputs({"vectors": expected}, {"vectors": got})


@each_row
def test_too_long_sequences(row: str, exported: Callable[[str], _Exports]) -> None:
    made = exported(row)
    longest = made.case.max_length
    inputs = comparison.inputs(made.case, 2, longest + 1)
    if made.case.type == "xlnet":  # It has no longest.
        comparison.assert_same_outputs(made.files.source(inputs), made.encoder(inputs))
        return
    told = f"sequences_may_have_at_most_{longest}_tokens"
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=told):
        made.encoder(inputs)
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        made.encoder.signatures["serving_default"](**inputs)


@each_row
def test_static_shapes(row: str, exported: Callable[[str], _Exports]) -> None:
    """Users build models on the outputs, whose widths must then be known."""
    made = exported(row)
    for batch, length in ((7, 5), (None, None)):
        call = tf.function(made.encoder.__call__)
        specs = {name: tf.TensorSpec([batch, length], tf.int32) for name in testing.INPUT_NAMES}
        outputs = call.get_concrete_function(specs).structured_outputs
        assert outputs["pooled_output"].shape.as_list() == [batch, 8]
        assert outputs["default"].shape.as_list() == [batch, 8]
        for output in (outputs["sequence_output"], *outputs["encoder_outputs"]):
            assert (output.shape[0], output.shape[2]) == (batch, 8)
