"""Which exports of a sweep have an encoder in common, and which of these have their graphs."""

from __future__ import annotations

import pytest

from exporter.sweep import inputs

_LENGTH = "exporter.preprocessing.default_seq_length = 128"
_ENCODER = "exporter.encoder.encoder_config_file = 'encoder.yaml'"


@pytest.mark.parametrize(
    "of_pooler",
    [
        [],
        ["exporter.export.pooler = @identity_pooler"],
        [
            "exporter.export.pooler = @exporter.initialized_pooler",
            "exporter.initialized_pooler.seed = 3",
        ],
        [
            "a/exporter.initialized_pooler.seed = 4",
            "exporter.export.pooler = @a/initialized_pooler",
            "exporter.export.verify = 'full'",
        ],
        [  # What is said of a pooler that only other points have.
            "exporter.export.pooler = @restored_pooler",
            "exporter.next_sentence_pooler.head = 'next'",
            "s/exporter.initialized_pooler.seed = 3",
        ],
        ["exporter.export.pooler = @my_poolers.mine", "my_poolers.mine.scale = 2"],
    ],
)
def test_poolers_do_not_change_graphs(of_pooler: list[str]) -> None:
    said = sorted([_ENCODER, _LENGTH, *of_pooler])
    assert inputs.graphs(said) == f"{_ENCODER}\n{_LENGTH}"


def test_nor_do_checkpoints() -> None:
    said = [
        "exporter.checkpoint.weights = 'ema'",
        "exporter.pretraining.checkpoint = 1000",
        _LENGTH,
    ]
    assert inputs.graphs(said) == _LENGTH


def test_what_else_is_said_may() -> None:
    said = ["exporter.export.export_type = 'all'", "exporter.text_embedding.vector = 'first_token'"]
    assert inputs.graphs(said) == "\n".join(said)
