import ast
import dataclasses
import importlib
import pathlib
import subprocess
import sys

import gin
import pytest

import exporter.export  # noqa: F401
from exporter import configurables, settings


def test_registered_ones_are_described() -> None:
    (entry,) = configurables.fits("tokenizer")
    assert entry.selector == "exporter.tokenizer"
    assert entry.name == "tokenizer"
    fields = {field.name: field for field in dataclasses.fields(settings.TokenizerSettings)}
    assert entry.parameters == tuple(fields)
    assert entry.types["vocab_file"] == str | None
    assert entry.types["do_lower_case"] == bool | None
    assert entry.defaults == {name: field.default for name, field in fields.items()}
    assert entry.accepts("vocab_file")
    assert not entry.accepts("vocab_fil")


def test_required_parameters_are_those_without_a_value() -> None:
    (root,) = configurables.fits("exporter.export")
    assert root.required == ("export_path",)


def test_lists_are_obeyed() -> None:
    @gin.configurable("allowing", module="configurables_test", allowlist=["a"])
    def allowing(a: int = 1, b: int = 2, **kwargs: int) -> None: ...

    @gin.configurable("denying", module="configurables_test", denylist=["b"])
    def denying(a: int = 1, b: int = 2) -> None: ...

    for name in ("allowing", "denying"):
        (entry,) = configurables.fits(f"configurables_test.{name}")
        assert (entry.parameters, entry.any_parameter) == (("a",), False)


def test_a_name_may_fit_several() -> None:
    for module in ("one", "two"):
        gin.external_configurable(
            settings.MlmSettings, "fits_several", module=f"configurables_test.{module}"
        )
    assert len(configurables.fits("fits_several")) == 2
    assert configurables.find_one("fits_several") is None
    assert configurables.find_one("one.fits_several") is not None


@pytest.mark.parametrize(
    "name",
    [
        "build_encoder",
        "BertPretrainerV2",
        "EncoderScaffold",
        "networks.encoder_scaffold.EncoderScaffold",
        "TransformerScaffold",
        "ReZeroTransformer",
        "TalkingHeadsAttention",
        "GatedFeedforward",
        "MobileBERTEncoder",
        "BertEncoderConfig",
        "AlbertEncoderConfig",
    ],
)
def test_tf_nlps_are_known(name: str) -> None:
    assert configurables.find_one(name) is not None


def test_tf_nlps_are_known_without_importing_them() -> None:
    code = (
        "import sys; from exporter import configurables as c; assert c.find_one('EncoderScaffold');"
        "assert not {'tensorflow', 'official', 'tf_keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=pathlib.Path(__file__).parents[1])


def test_unknown_names_fit_nothing() -> None:
    assert configurables.fits("EncodrScaffold") == []


@pytest.mark.parametrize(
    ("misspelt", "right"),
    [
        ("EncodrScaffold", "EncoderScaffold"),
        ("encoderscaffold", "EncoderScaffold"),
        ("tokenzier", "tokenizer"),
        ("exporter.tokenzier", "tokenizer"),
        ("Traner", "Trainer"),
        ("quite_another_thing", None),
    ],
)
def test_suggest(misspelt: str, right: str | None) -> None:
    assert configurables.suggest(misspelt) == right


def test_training_only_is_exactly_what_the_trainers_folders_register() -> None:
    found = configurables.scan(("core", "modeling", "nlp/optimization.py"))
    assert {entry.selector for entry in found} == set(configurables.TRAINING_ONLY)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Trainer", True),
        ("base_trainer.Trainer", True),
        ("official.core.base_trainer.Trainer", True),
        ("rainer", False),
        ("other.Trainer", False),
        ("build_encoder", False),
    ],
)
def test_is_training_only(name: str, expected: bool) -> None:
    assert configurables.is_training_only(name) == expected


def test_what_was_read_is_what_importing_registers() -> None:
    """Every name and parameter found in TF-NLP's source is the one that gin then knows."""
    entries = [entry for _, entry in configurables.tfnlp_index().items()]
    configurables.import_all(entries)
    assert len(entries) > 20
    for entry in entries:
        (live,) = configurables.fits(entry.selector)
        assert live.module is None, "read again, not registered"
        # InitVars of TF-NLP's Config, which nobody binds.
        hidden = {"default_params", "restrictions"}
        assert set(entry.parameters) == set(live.parameters) - hidden, entry.selector
        assert entry.others == live.others, entry.selector
        assert entry.takes_any == live.takes_any, entry.selector
        assert not entry.any_parameter, f"{entry.selector}: what becomes of **kwargs?"
        assert not live.any_parameter, entry.selector
        for parameter, default in entry.defaults.items():
            assert live.defaults[parameter] == default, f"{entry.selector}.{parameter}"


def test_types_that_were_read_are_right() -> None:
    encoders = importlib.import_module("official.nlp.configs.encoders")
    entry = configurables.tfnlp_index().get_match("encoders.BertEncoderConfig")
    defaults = vars(encoders.BertEncoderConfig())
    for parameter, kind in entry.types.items():
        assert isinstance(defaults[parameter], kind), parameter
        assert entry.defaults[parameter] == defaults[parameter]
    assert {"num_layers", "norm_first", "embedding_size"} <= set(entry.types)


def test_source_of_every_shape_is_read() -> None:
    source = b"""
import gin
class Base:
    def __init__(self, a, b=1): pass
@gin.configurable
class Inherits(Base): pass
@gin.register
class Foreign(elsewhere.Base): pass
@gin.configurable(denylist=["x"])
def function(x, *, y=1, **kwargs): pass
class Plain:
    @gin.configurable
    def method(self, z): pass
"""
    assert ast.parse(source)
    found = {e.name: e for e in configurables._scan_source(source, "m")}
    assert set(found) == {"Inherits", "Foreign", "function", "method"}
    assert (found["Inherits"].parameters, found["Inherits"].any_parameter) == (("a", "b"), False)
    assert (found["Foreign"].parameters, found["Foreign"].any_parameter) == ((), True)
    assert (found["function"].parameters, found["function"].any_parameter) == (("x", "y"), False)
    assert found["function"].takes_any
    assert found["method"].parameters == ("z",)
