import ast
import importlib
import inspect

import pytest
import tf_keras
from official.nlp.modeling import layers, networks

from exporter import keyword_arguments

_NAMES = (
    "official.nlp.modeling.layers.gated_feedforward.GatedFeedforward",
    "official.nlp.modeling.layers.rezero_transformer.ReZeroTransformer",
    "official.nlp.modeling.layers.talking_heads_attention.TalkingHeadsAttention",
    "official.nlp.modeling.layers.transformer.CompiledTransformer",
    "official.nlp.modeling.layers.transformer_scaffold.TransformerScaffold",
    "official.nlp.modeling.networks.encoder_scaffold.EncoderScaffold",
    "official.nlp.modeling.networks.mobile_bert_encoder.MobileBERTEncoder",
)


def _of_source(source: str) -> keyword_arguments.Keywords:
    """What the last class or function in a module's text takes."""
    tree = ast.parse(source)
    return keyword_arguments.of_source("some.module", tree, tree.body[-1])


def _body(*lines: str) -> keyword_arguments.Keywords:
    text = "\n".join(f"        {line}" for line in lines)
    header = "import tf_keras\nclass Layer(tf_keras.layers.Layer):\n"
    return _of_source(f"{header}    def __init__(self, size, depth=2, **kwargs):\n{text}\n")


def test_named_parameters_and_literal_defaults() -> None:
    found = _of_source("def build(a, b=1, *, c, d='x', e=len('abc')): pass\n")
    assert found.named == ("a", "b", "c", "d", "e")
    assert found.defaults == {"b": 1, "d": "x"}
    assert (found.others, found.takes_any, found.uses_any) == ((), False, False)


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("self.x = kwargs.pop('x', 1)", "x"),
        ("self.x = kwargs.get('x')", "x"),
        ("self.x = kwargs['x']", "x"),
        ("self.x = 'x' in kwargs", "x"),
        ("self.x = 'x' not in kwargs", "x"),
        ("kwargs['x'] = 1", None),
        ("kwargs.setdefault('x', 1)", None),
        ("util.filter_kwargs(kwargs)", None),
        ("del kwargs", None),
        ("if kwargs: raise ValueError", None),
    ],
)
def test_what_is_looked_up_is_taken_and_the_rest_dropped(line: str, taken: str | None) -> None:
    found = _body(line, "super().__init__()")
    assert found.others == (() if taken is None else (taken,))
    assert found.takes_any
    assert not found.uses_any, "dropped"


@pytest.mark.parametrize(
    "line",
    [
        "self.part = Part(**kwargs)",
        "self.options = kwargs",
        "self.names = list(kwargs.items())",
        "for name in kwargs: setattr(self, name, kwargs[name])",
        "self.x = kwargs.pop(size)",
    ],
)
def test_what_cannot_be_followed_may_be_used(line: str) -> None:
    assert _body(line, "super().__init__()").uses_any


@pytest.mark.parametrize(
    "call", ["super().__init__(**kwargs)", "super(Layer, self).__init__(name='a', **kwargs)"]
)
def test_keras_refuses_what_it_does_not_know(call: str) -> None:
    found = _body("self._kwargs = kwargs", call)
    assert set(found.others) | {"name"} == set(keyword_arguments.KERAS)
    assert ("name" in found.others) == ("name=" not in call)
    assert not found.uses_any


def test_base_classes_are_followed() -> None:
    found = _of_source(
        "import tf_keras as k\n"
        "from official.nlp.modeling.layers import transformer_scaffold as ts\n"
        "class Middle(ts.TransformerScaffold):\n"
        "    def __init__(self, middle=1, **kwargs):\n"
        "        super().__init__(norm_first=True, **kwargs)\n"
        "class Last(Middle): pass\n"
    )
    assert found.named == ("middle",)
    assert {"inner_dim", "intermediate_size", "name"} < set(found.others)
    assert "norm_first" not in found.others, "the base class has it already"
    assert not found.uses_any


def test_a_base_class_that_is_not_found_may_use_anything() -> None:
    assert _of_source("import elsewhere\nclass Layer(elsewhere.Base): pass\n").uses_any


def test_a_class_without_bases_takes_nothing() -> None:
    found = _of_source("class Plain: pass\n")
    assert (found.named, found.takes_any, found.uses_any) == ((), False, False)


@pytest.mark.parametrize("name", _NAMES)
def test_source_and_class_agree(name: str) -> None:
    module_name, _, class_name = name.rpartition(".")
    module = importlib.import_module(module_name)
    tree = ast.parse(inspect.getsource(module))
    (node,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    from_source = keyword_arguments.of_source(module_name, tree, node)
    assert from_source == keyword_arguments.of_class(getattr(module, class_name))
    assert from_source.takes_any
    assert not from_source.uses_any


@pytest.mark.parametrize(
    ("layer", "others"),
    [
        (layers.TransformerScaffold, {"intermediate_size"}),
        (layers.GatedFeedforward, {"intermediate_size", "intermediate_activation"}),
        (layers.TalkingHeadsAttention, set()),
    ],
)
def test_tf_nlps_layers_take_what_they_look_up(layer: type, others: set[str]) -> None:
    found = keyword_arguments.of_class(layer)
    assert others <= set(found.others) <= others | set(keyword_arguments.KERAS)


def test_they_really_drop_the_rest() -> None:
    """Why all this is needed."""
    layer = layers.GatedFeedforward(norm_first=True, intermediate_size=8)
    assert "norm_first" not in layer.get_config()
    assert layer.get_config()["inner_dim"] == 8


@pytest.mark.parametrize("base", [tf_keras.layers.Layer, tf_keras.Model])
def test_keras_takes_what_is_said_and_refuses_the_rest(base: type) -> None:
    names = set(keyword_arguments.KERAS)
    if base is tf_keras.Model:
        names.remove("activity_regularizer")
    for name in names:
        value = "float32" if name == "dtype" else None if "regularizer" in name else True
        base(**{name: "layer" if name == "name" else value})
    with pytest.raises(TypeError, match="norm_first"):
        base(norm_first=True)


def test_a_class_without_source_may_use_anything() -> None:
    namespace: dict[str, type] = {}
    exec("class Made:\n    def __init__(self, a, **kwargs): pass\n", namespace)
    assert keyword_arguments.of_class(namespace["Made"]).uses_any


def test_scaffolds_take_keras_names() -> None:
    found = keyword_arguments.of_class(networks.EncoderScaffold)
    assert "name" in found.others
    assert "norm_first" not in (*found.named, *found.others)
