"""Classes of configurations that are bound to a BUILDER, found and refused."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import gin
import pytest
import tensorflow as tf
import tf_keras
from official.modeling.hyperparams import base_config
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import builders, errors

_MODULE = "tests.builders_test"


@dataclasses.dataclass
class _Plain(tfnlp_encoders.BertEncoderConfig):
    """Bound to nothing."""


@dataclasses.dataclass
class _One(tfnlp_encoders.BertEncoderConfig):
    """Bound to a function."""

    one: int = 1


@dataclasses.dataclass
class _Two(base_config.Config):
    """Bound to a class, and of no relation to BERT's."""

    two: float = 2.0


@pytest.fixture(name="bound", autouse=True)
def _bound(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Binds two of the classes, and nothing else is bound."""
    monkeypatch.setattr(base_config, "_BOUND", set())
    base_config.bind(_Two)(tf_keras.layers.Layer)
    base_config.bind(_One)(lambda config: config.one)
    registry = gin.config._REGISTRY.copy()
    yield
    gin.config._REGISTRY = registry


def _configuration(given: Any, content: Any) -> Any:
    return builders.configuration(given, content, "FILE", setting="encoder.encoder_config_file")


def _error(given: Any, content: Any) -> errors.UserError:
    with pytest.raises(errors.UserError) as raised:
        _configuration(given, content)
    return raised.value


def test_classes_in_the_order_of_their_names() -> None:
    assert builders.bound() == [_One, _Two]


class TestConfiguration:
    def test_the_class_that_is_named(self) -> None:
        made = _configuration(_One, {"no": 1})
        assert (type(made), made.one) == (_One, 1)

    def test_the_class_as_gin_has_it(self) -> None:
        builders.register_configurables()
        gin.bind_parameter("_One.one", 3)
        given = gin.get_configurable("_One")
        assert given is not _One
        assert type(_configuration(given, {})) is _One

    @pytest.mark.parametrize(
        ("content", "expected"), [({"one": 5, "num_layers": 2}, _One), ({"two": 5}, _Two)]
    )
    def test_the_only_class_with_these_names(
        self, content: dict[str, Any], expected: type, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "exporter")
        assert type(_configuration(None, content)) is expected
        assert caplog.messages == [
            f"The encoder of type 'any' is taken for a {_MODULE}.{expected.__name__}."
        ]

    def test_the_only_class(self) -> None:
        """Whatever the names are: which one is unknown is told when they are read."""
        base_config._BOUND.remove(_Two)
        assert type(_configuration(None, {"three": 3})) is _One

    @pytest.mark.parametrize("content", [{}, {"three": 3}, None, 7])
    def test_none_or_several(self, content: Any) -> None:
        error = _error(None, content)
        assert str(error) == (
            "An encoder of type 'any' needs the class of its configuration: gin must import the "
            "package that binds a builder to it (official.modeling.hyperparams.base_config.bind) "
            "and, if there are several, name the class. To export it as one of TF-NLP's types "
            "instead, set encoder.type.\n"
            f"  received: FILE; bound are: {_MODULE}._One, {_MODULE}._Two\n"
            "  example:  import my_package, and encoder.config = @my_package.MyEncoderConfig"
        )
        assert error.setting == "encoder.encoder_config_file"

    def test_a_class_without_builder(self) -> None:
        error = _error(_Plain, {})
        assert str(error) == (
            "The configuration of an encoder of type 'any' must have a BUILDER: its package binds "
            "one to the class (official.modeling.hyperparams.base_config.bind).\n"
            f"  received: {_MODULE}._Plain without; bound are: {_MODULE}._One, {_MODULE}._Two\n"
            "  example:  @base_config.bind(MyEncoderConfig) above "
            "def build(config: MyEncoderConfig)"
        )
        assert error.setting == "encoder.config"


@pytest.mark.parametrize("given", [_One, _One(), _Two, _Two()])
def test_classes_and_objects_with_builder(given: Any) -> None:
    builders.require(given, setting="encoder.config")


@pytest.mark.parametrize("given", [_Plain, _Plain(), base_config.Config, 3])
def test_classes_and_objects_without_builder(given: Any) -> None:
    with pytest.raises(errors.UserError, match="must have a BUILDER"):
        builders.require(given, setting="encoder.config")


def test_what_gin_does_not_know_is_registered_once() -> None:
    gin.external_configurable(_One, name="TheOne", module="my_package")
    for _ in range(2):
        builders.register_configurables()
    names = {name for name, entry in gin.config._REGISTRY.items() if entry.wrapped in (_One, _Two)}
    assert names == {"my_package.TheOne", f"{_MODULE}._Two"}


def _build(config: _One) -> int:
    return config.one


def test_where_a_builder_is() -> None:
    base_config._BOUND.remove(_One)
    base_config.bind(_One)(_build)
    builders.register_configurables()
    expected = f"{_MODULE}._build, the BUILDER of {_MODULE}._One"
    assert builders.place(_One()) == expected
    assert builders.place(gin.get_configurable("_One")()) == expected
    name = f"{tf_keras.layers.Layer.__module__}.Layer"
    assert builders.place(_Two()) == f"{name}, the BUILDER of {_MODULE}._Two"


class _Encoder(tf_keras.layers.Layer):
    def get_embedding_table(self) -> None:
        """Makes it an encoder."""


def test_what_is_an_encoder() -> None:
    builders.check_built(_Encoder())


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (None, "builtins.NoneType"),
        (tf.Module(), "tensorflow.python.module.module.Module"),
        (tf_keras.layers.Dense(1), "tf_keras.src.layers.core.dense.Dense"),
    ],
)
def test_what_is_no_encoder(network: Any, name: str) -> None:
    with pytest.raises(TypeError) as raised:
        builders.check_built(network)
    assert str(raised.value) == (
        "The BUILDER must return an encoder: a layer or model of tf_keras with "
        f"get_embedding_table(), not {name}."
    )


def test_what_an_encoder_returns() -> None:
    names = ("pooled_output", "sequence_output", "encoder_outputs", "another")
    builders.check_outputs(dict.fromkeys(names))


@pytest.mark.parametrize(
    ("outputs", "got"),
    [
        ([1, 2], "a list"),
        ({}, "a dict"),
        ({"sequence_output": 1, "logits": 2}, "one with sequence_output, logits"),
    ],
)
def test_what_no_encoder_returns(outputs: Any, got: str) -> None:
    with pytest.raises(TypeError) as raised:
        builders.check_outputs(outputs)
    assert str(raised.value) == (
        "The encoder of a BUILDER must return a dict with sequence_output, pooled_output, "
        f"encoder_outputs, not {got}."
    )
