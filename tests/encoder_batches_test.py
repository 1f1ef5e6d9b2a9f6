"""The inputs that encoders are compared on are within what they take, and of all kinds."""

from __future__ import annotations

import pytest

from exporter import encoder_batches, encoder_calls, encoders, settings, text_verification
from tests import encoder_exports, testing

_VOCABULARY = testing.TESTDATA / "bert_tiny" / "vocab.txt"


def _encoder(**config: int) -> encoders.Encoder:
    case = encoder_exports.with_config(encoder_exports.BERT, num_layers=1, **config)
    return encoders.build(encoder_exports.architecture(case), with_mlm=False)


def _text(vocabulary: str, max_segments: int = 2) -> text_verification.TextSource:
    return text_verification.TextSource(
        settings.TokenizerSettings(vocab_file=vocabulary, do_lower_case=True),
        32,
        settings.PreprocessingSettings(max_segments=max_segments),
        {},
    )


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        (1, []),
        (16, [7]),
        (50, [7, 24, 32]),
        (512, [7, 24, 32, 50, 64, 100, 128, 200, 384]),
    ],
)
def test_lengths_between(longest: int, expected: list[int]) -> None:
    encoder = _encoder(max_position_embeddings=longest)
    assert encoder_batches.lengths_between(encoder) == expected


@pytest.mark.parametrize("num_types", [1, 2])
def test_sentences_and_pairs(num_types: int) -> None:
    encoder = _encoder(vocab_size=3391, type_vocab_size=num_types, max_position_embeddings=64)
    batches = dict(encoder_batches.sentences(encoder, _text(str(_VOCABULARY))))
    assert list(batches) == ["of sentences", "of pairs of sentences"]
    for inputs in batches.values():
        assert all(inputs[name].shape == [4, 32] for name in encoder_calls.INPUT_NAMES)
        ids, mask, types = (inputs[name].numpy() for name in encoder_calls.INPUT_NAMES)
        assert set(ids[:, 0]) == {2}
        assert ids.max() > 5
        assert mask.any(axis=1).all()
        assert types.max() < num_types
    assert not batches["of sentences"]["input_mask"].numpy().all()
    assert batches["of pairs of sentences"]["input_type_ids"].numpy().max() == num_types - 1


def test_no_pairs_where_one_segment_is_packed() -> None:
    encoder = _encoder(vocab_size=3391, max_position_embeddings=64)
    batches = dict(encoder_batches.sentences(encoder, _text(str(_VOCABULARY), 1)))
    assert list(batches) == ["of sentences"]


@pytest.mark.parametrize("longest", [1, 2, 16, 512])
def test_what_looks_like_sentences(longest: int) -> None:
    encoder = _encoder(max_position_embeddings=longest)
    batches = dict(encoder_batches.like_sentences(encoder))
    assert list(batches) == ["like sentences", "like pairs of sentences"]
    for inputs in batches.values():
        ids, mask, types = (inputs[name].numpy() for name in encoder_calls.INPUT_NAMES)
        assert ids.shape == (4, min(longest, 128))
        assert 0 <= ids.min() <= ids.max() < 40
        assert set(ids[:, 0]) == {2}
        assert mask[-1].all()
        assert not types[mask == 0].any()
    if longest > 2:
        types = batches["like pairs of sentences"]["input_type_ids"].numpy()
        assert types.any(axis=1).sum() >= 3
