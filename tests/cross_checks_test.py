from __future__ import annotations

import pytest

from exporter import cross_checks


@pytest.mark.parametrize(("max_segments", "num_types"), [(1, 1), (2, 1), (2, 2), (3, 3), (2, 16)])
def test_segments_that_the_encoder_has_types_for(max_segments: int, num_types: int) -> None:
    assert not cross_checks.segment_mistakes(max_segments, num_types)


@pytest.mark.parametrize("num_types", [1, 2])
def test_more_segments_than_types(num_types: int) -> None:
    (mistake,) = cross_checks.segment_mistakes(3, num_types)
    assert mistake.setting == "preprocessing.max_segments"
    assert str(mistake) == (
        "preprocessing.max_segments must not be larger than the number of types of segments that "
        "the encoder knows (type_vocab_size): further segments' types would have no embedding.\n"
        f"  received: 3, with {num_types} types\n"
        "  example:  preprocessing.max_segments = 2"
    )
