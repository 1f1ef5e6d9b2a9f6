"""Names and values of an encoder's configuration, compared with its dataclass."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from official.modeling.hyperparams import base_config

from exporter import config_values


@dataclasses.dataclass
class _Inner(base_config.Config):
    size: int = 3


@dataclasses.dataclass
class _Outer(base_config.Config):
    name: str = "a"
    rate: float = 0.5
    flag: bool = False
    ids: tuple[int, ...] = (1, 2)
    width: int | None = None
    pool_stride: int = 2
    inner: _Inner = dataclasses.field(default_factory=_Inner)


def _told(content: dict[str, Any]) -> list[str]:
    found = config_values.mistakes(content, _Outer(), "FILE", "setting")
    assert all(mistake.setting == "setting" for mistake in found)
    return [str(mistake) for mistake in found]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"name": "b", "rate": 1, "flag": True, "ids": [3], "width": 4, "inner": {"size": 5}},
        {"name": None, "rate": None, "ids": (), "width": None, "inner": {}},
        {"width": "anything", "pool_stride": [1, 2]},
    ],
)
def test_what_fits(content: dict[str, Any]) -> None:
    assert _told(content) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"nmae": "b"},
            (
                "Every name in the encoder's configuration must be known; nmae is not.\n"
                "  received: nmae: 'b' in FILE\n"
                "  example:  did you mean name?"
            ),
        ),
        (
            {"inner": {"other": list(range(1000))}},
            (
                "Every name in the encoder's configuration must be known; inner.other is not.\n"
                "  received: inner.other: [0, 1, 2, 3, 4, 5, ...] in FILE\n"
                "  example:  size"
            ),
        ),
        (
            {"inner": 3},
            (
                "inner in the encoder's configuration must be of type mapping.\n"
                "  received: 3 in FILE\n"
                "  example:  inner: {}"
            ),
        ),
        (
            {"inner": {"size": True}},
            (
                "inner.size in the encoder's configuration must be of type int.\n"
                "  received: True in FILE\n"
                "  example:  size: 3"
            ),
        ),
        (
            {"rate": "high"},
            (
                "rate in the encoder's configuration must be of type float.\n"
                "  received: 'high' in FILE\n"
                "  example:  rate: 0.5"
            ),
        ),
        (
            {"ids": 3},
            (
                "ids in the encoder's configuration must be of type tuple.\n"
                "  received: 3 in FILE\n"
                "  example:  ids: (1, 2)"
            ),
        ),
    ],
)
def test_what_does_not_fit(content: dict[str, Any], told: str) -> None:
    assert _told(content) == [told]


def test_all_is_told_at_once() -> None:
    assert len(_told({"flag": 1, "name": 2, "inner": {"size": 1.5}, "more": 0})) == 4


def test_override_that_fits() -> None:
    assert config_values.override_mistake("rate", 1, _Outer(), "Outer.rate") is None


def test_override_that_does_not_fit() -> None:
    mistake = config_values.override_mistake("flag", "yes", _Outer(), "Outer.flag")
    assert str(mistake) == (
        "Outer.flag must be of type bool, as in the encoder's configuration.\n"
        "  received: 'yes'\n"
        "  example:  Outer.flag = False"
    )
    assert mistake is not None
    assert mistake.setting == "Outer.flag"
