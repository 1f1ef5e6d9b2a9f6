"""Axes and their combinations, as gin says them."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from exporter import config, errors, gin_parsing
from exporter.sweep import objects, spaces

_AXES = """
sweep.points = @SPACE()
pooler/axis.name = 'export.pooler'
pooler/axis.values = [@restored_pooler, @identity_pooler]
length/axis.name = 'preprocessing.default_seq_length'
length/axis.values = [64, 128]
length/axis.label = 'length'
"""


def _space(text: str) -> spaces.Space:
    parsed = gin_parsing.parse([], [gin_parsing.Source(text, "here")])
    assert parsed.mistakes == []
    resolved = config.resolve_parsed(parsed, "exporter.sweep.sweep")
    return objects.Maker(resolved).make("exporter.sweep.sweep").points


def _points(text: str, pretraining_dir: str | None = None) -> list[dict[str, Any]]:
    found = _space(text).points(spaces.Context(pretraining_dir))
    return [{choice.label: choice.plain for choice in point} for point in found]


def _mistake(text: str, pretraining_dir: str | None = None) -> str:
    with pytest.raises(errors.UserError) as raised:
        _points(text, pretraining_dir)
    return str(raised.value)


def test_an_axis() -> None:
    text = "sweep.points = @axis()\naxis.name = 'LENGTH'\naxis.values = [64, None, 'a', [1, 2]]"
    assert _points(text) == [{"LENGTH": value} for value in (64, None, "a", [1, 2])]


def test_values_stay_as_they_were_written() -> None:
    text = (
        "sweep.points = @axis()\naxis.name = 'encoder.config'\n"
        "axis.values = [@BertEncoderConfig(), @s/identity_pooler, %Z]\nZ = [@restored_pooler]"
    )
    (first,), (second,), (third,) = _space(text).points(spaces.Context())
    assert [repr(choice.value) for choice in (first, second, third)] == [
        "@BertEncoderConfig()",
        "@s/identity_pooler",
        "[@restored_pooler]",
    ]
    assert {choice.label for choice in (first, second, third)} == {"config"}
    assert first.where == "here, line 3"


def test_a_product_varies_its_last_part_first() -> None:
    text = _AXES.replace("SPACE", "product") + "product.parts = [@pooler/axis(), @length/axis()]"
    assert _points(text) == [
        {"pooler": "restored_pooler", "length": 64},
        {"pooler": "restored_pooler", "length": 128},
        {"pooler": "identity_pooler", "length": 64},
        {"pooler": "identity_pooler", "length": 128},
    ]


def test_zipped() -> None:
    text = _AXES.replace("SPACE", "zipped") + "zipped.parts = [@pooler/axis(), @length/axis()]"
    assert _points(text) == [
        {"pooler": "restored_pooler", "length": 64},
        {"pooler": "identity_pooler", "length": 128},
    ]


def test_a_union_has_each_point_once() -> None:
    text = _AXES.replace("SPACE", "union") + (
        "union.parts = [@length/axis(), @more/axis(), @points()]\n"
        "more/axis.name = 'preprocessing.default_seq_length'\n"
        "more/axis.values = [128, 256]\nmore/axis.label = 'length'\n"
        "points.values = [{'export.pooler': @identity_pooler, 'LENGTH': 1}]"
    )
    assert _points(text) == [
        {"length": 64},
        {"length": 128},
        {"length": 256},
        {"pooler": "identity_pooler", "LENGTH": 1},
    ]


def test_combinations_of_combinations_with_a_condition() -> None:
    text = _AXES.replace("SPACE", "where") + (
        "where.of = @product()\nproduct.parts = [@pooler/axis(), @length/axis()]\n"
        "where.keep = \"pooler != 'identity_pooler' or length > 64\""
    )
    assert _points(text) == [
        {"pooler": "restored_pooler", "length": 64},
        {"pooler": "restored_pooler", "length": 128},
        {"pooler": "identity_pooler", "length": 128},
    ]


def test_a_sample_depends_on_its_seed_alone() -> None:
    text = "sweep.points = @sample()\nsample.of = @axis()\naxis.name = 'SEED'\nsample.count = 4\n"
    text += f"axis.values = {list(range(20))}\n"
    drawn = [point["SEED"] for point in _points(text)]
    assert drawn == [1, 8, 12, 13]
    assert _points(f"{text}sample.seed = 0") == [{"SEED": seed} for seed in drawn]
    assert _points(f"{text}sample.seed = 1") != [{"SEED": seed} for seed in drawn]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> str:
    for step in (100, 1000, 200, 300, 400):
        (tmp_path / f"ckpt-{step}.index").touch()
    for other in ("best_ckpt-3.index", "ckpt-5.data-00000-of-00001", "ckpt-x.index", "checkpoint"):
        (tmp_path / other).touch()
    return str(tmp_path)


@pytest.mark.parametrize(
    ("said", "steps"),
    [
        ("", [100, 200, 300, 400, 1000]),
        ("checkpoints.every = 2", [100, 300, 1000]),
        ("checkpoints.every = 3", [200, 1000]),
        ("checkpoints.every = 9", [1000]),
        ("checkpoints.steps = [300, 'best']", [300, "best"]),
    ],
)
def test_checkpoints_of_a_run(run: str, said: str, steps: list[int | str]) -> None:
    text = f"sweep.points = @checkpoints()\n{said}"
    assert _points(text, run) == [{"checkpoint": step} for step in steps]


def test_checkpoints_of_several_runs(run: str) -> None:
    text = (
        "sweep.points = @union()\nunion.parts = [@a/checkpoints(), @b/checkpoints()]\n"
        f"a/checkpoints.pretraining_dir = '{run}'\na/checkpoints.every = 4\n"
        "b/checkpoints.pretraining_dir = '/other'\nb/checkpoints.steps = ['latest']\n"
    )
    assert _points(text) == [
        {"run": run, "checkpoint": 100},
        {"run": run, "checkpoint": 1000},
        {"run": "/other", "checkpoint": "latest"},
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "sweep.points = @axis()\naxis.name = 'X'\naxis.values = []",
            (
                "An axis must have values.\n  received: none\n  where:    here, line 3\n"
                "  example:  axis.values = [64, 128]"
            ),
        ),
        (
            "sweep.points = @axis()\naxis.name = 'X'",
            "axis.values must be set.\n  where:    (not set)\n  example:  axis.values = ...",
        ),
        (
            "sweep.points = @product()\nproduct.parts = []",
            (
                "A combination must have parts.\n  received: none\n  where:    here, line 2\n"
                "  example:  product.parts = [@pooler/axis(), @length/axis()]"
            ),
        ),
        (
            (
                "sweep.points = @product()\nproduct.parts = [@a/axis(), @b/axis()]\n"
                "axis.name = 'x.y'\naxis.values = [1]\na/axis.label = 'a'"
            ),
            (
                "Parts that are combined must not have the same setting.\n  received: x.y\n"
                "  where:    here, line 2\n  example:  one axis for both"
            ),
        ),
        (
            (
                "sweep.points = @product()\nproduct.parts = [@a/axis(), @b/axis()]\n"
                "axis.values = [1]\na/axis.name = 'x.seed'\nb/axis.name = 'y.seed'"
            ),
            (
                "Parts that are combined must not have the same label.\n  received: seed\n"
                "  where:    here, line 2\n  example:  size/axis.label = 'size'"
            ),
        ),
        (
            (
                "sweep.points = @zipped()\nzipped.parts = [@a/axis(), @b/axis()]\n"
                "a/axis.name = 'A'\na/axis.values = [1, 2]\nb/axis.name = 'B'\nb/axis.values = [1]"
            ),
            (
                "Parts that are zipped must have equally many points.\n  received: 2 and 1\n"
                "  where:    here, line 2\n"
                "  example:  zipped.parts = [@encoder/axis(), @checkpoint/axis()], with 3 values "
                "each"
            ),
        ),
        (
            "sweep.points = @points()\npoints.values = [1]",
            (
                "A point must be settings with values.\n  received: 1\n  where:    here, line 2\n"
                "  example:  points.values = [{'preprocessing.default_seq_length': 64}]"
            ),
        ),
        (
            (
                "sweep.points = @sample()\nsample.of = @axis()\naxis.name = 'A'\naxis.values = "
                "[1]\n"
                "sample.count = 2"
            ),
            (
                "sample.count must be from 1 to 1, the number of points.\n  received: 2\n"
                "  where:    here, line 5\n  example:  sample.count = 1"
            ),
        ),
        (
            "sweep.points = @product()\nproduct.parts = [@axis]",
            (
                "Parts of a combination must be axes or combinations, with parentheses.\n"
                "  received: Axis\n  where:    here, line 2\n"
                "  example:  product.parts = [@pooler/axis(), @length/axis()]"
            ),
        ),
        (
            "sweep.points = @points()\npoints.values = [{}]",
            (
                "A point must be settings with values.\n  received: {}\n  where:    here, line 2\n"
                "  example:  points.values = [{'preprocessing.default_seq_length': 64}]"
            ),
        ),
        (
            "sweep.points = @where()\nwhere.of = @axis\nwhere.keep = 'A'",
            (
                "where.of must be an axis or a combination, with parentheses.\n"
                "  received: Axis\n  where:    here, line 3\n  example:  where.of = @axis()"
            ),
        ),
        (
            "sweep.points = @sample()\nsample.of = @axis\nsample.count = 1",
            (
                "sample.of must be an axis or a combination, with parentheses.\n"
                "  received: Axis\n  where:    here, line 3\n  example:  sample.of = @axis()"
            ),
        ),
        (
            "sweep.points = @product()\nproduct.parts = [@s/where()]\ns/where.of = @product()",
            (
                "A part of a sweep must not be made of itself, directly or by way of others.\n"
                "  received: @product() -> @s/where() -> @product()\n  where:    here, line 2\n"
                "  example:  product.parts = [@pooler/axis(), @length/axis()]"
            ),
        ),
        (
            (
                "sweep.points = @product()\nproduct.parts = [@a/axis(), @b/axis()]\n"
                "axis.values = [1]\na/axis.name = 'preprocessing.default_seq_length'\n"
                "b/axis.name = 'exporter.preprocessing.default_seq_length'\nb/axis.label = 'b'"
            ),
            (
                "Parts that are combined must not have the same setting.\n"
                "  received: exporter.preprocessing.default_seq_length\n  where:    here, line 2\n"
                "  example:  one axis for both"
            ),
        ),
        (
            "sweep.points = @checkpoints()\ncheckpoints.every = 0",
            (
                "checkpoints.every must be at least 1.\n  received: 0\n  where:    here, line 2\n"
                "  example:  checkpoints.every = 10"
            ),
        ),
        (
            "sweep.points = @checkpoints()\ncheckpoints.steps = 'some'",
            (
                "checkpoints.steps must be 'all' or a list.\n  received: 'some'\n"
                "  where:    here, line 2\n  example:  checkpoints.steps = [1000, 'best']"
            ),
        ),
    ],
    ids=lambda text: text.split("\n")[0][:40],
)
def test_mistakes(text: str, told: str) -> None:
    assert _mistake(text, "/a_run") == told


def test_checkpoints_of_no_run() -> None:
    assert _mistake("sweep.points = @checkpoints()\ncheckpoints.every = 2") == (
        "The checkpoints of a run need the run's directory.\n"
        "  received: neither pretraining.pretraining_dir nor checkpoints.pretraining_dir\n"
        "  where:    here, line 2\n  example:  --pretraining_dir=/models/bert_run"
    )


def test_a_run_without_checkpoints(tmp_path: pathlib.Path) -> None:
    told = _mistake("sweep.points = @checkpoints()\ncheckpoints.every = 1", str(tmp_path))
    assert told == (
        "All checkpoints of a run: there must be some, ckpt-STEP.index.\n"
        f"  received: {tmp_path}\n  where:    here, line 2\n"
        "  example:  --pretraining_dir=/models/bert_run"
    )


def test_values_with_labels() -> None:
    text = "sweep.points = @axis()\naxis.name = 'A'\naxis.values = [1, 2]\n"
    assert _points(f"{text}axis.labels = ['x', 'y']") == [{"A": "x"}, {"A": "y"}]
    for wrong in (["x"], ["x", "x"]):
        assert _mistake(f"{text}axis.labels = {wrong}") == (
            "axis.labels must be as many as there are values, 2, and differ.\n"
            f"  received: {wrong}\n  where:    here, line 4\n"
            "  example:  axis.labels = ['small', 'large']"
        )
