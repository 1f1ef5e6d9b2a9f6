"""Which keyword arguments a class really takes, though it may accept any.

Most of TF-NLP's layers have `**kwargs` and drop what they do not know, so that a misspelt or
misplaced argument has no effect and no error. What is taken is found in the source, along the base
classes: named parameters, what is looked up in `**kwargs`, and what Keras takes. Nothing is
imported, unless it has been already.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import importlib.util
import inspect
import pathlib
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Literal

# Keras refuses other arguments than these (and some that only input layers have a use for).
KERAS = ("name", "dtype", "trainable", "dynamic", "autocast", "activity_regularizer")
_KERAS_BASES = ("tf_keras.layers.Layer", "tf_keras.Model", "tf_keras.models.Model")
_KERAS_ENGINE = "tf_keras.src.engine."
# Where Keras defines what TF-NLP's layers are derived from.
_KERAS_MODULES = {
    "tf_keras.layers.MultiHeadAttention": "tf_keras.src.layers.attention.multi_head_attention"
}


@dataclasses.dataclass(frozen=True)
class Keywords:
    """What a class or function takes by name.

    Attributes:
      named: The parameters that its signature names.
      others: Those that it takes by way of `**kwargs`.
      takes_any: Whether it accepts still others.
      uses_any: Whether those may have an effect: what becomes of them could not be found.
      defaults: The defaults of named parameters, where they are literals.
    """

    named: tuple[str, ...]
    others: tuple[str, ...]
    takes_any: bool
    uses_any: bool
    defaults: Mapping[str, Any]


_Rest = Literal["none", "base", "dropped", "unknown"]


@dataclasses.dataclass(frozen=True)
class _Step:
    """What one constructor does with its arguments.

    Attributes:
      named: The parameters that its signature names.
      taken: What it looks up in `**kwargs`.
      rest: Where `**kwargs` go: there are none, to the base class, nowhere, or not known where.
      given: What it gives to the base class by name itself, which none can come in the way of.
    """

    named: tuple[str, ...]
    taken: frozenset[str]
    rest: _Rest
    given: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Module:
    """A module's name and its source."""

    name: str
    tree: ast.Module

    def full_name(self, name: str) -> str:
        """Resolves a dotted name by the imports that are made here."""
        first, _, rest = name.partition(".")
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                package = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                for alias in node.names:
                    if (alias.asname or alias.name) == first:
                        return f"{package}{alias.name}.{rest}".rstrip(".")
        return f"{self.name}.{name}"


_KERAS_STEP = _Step(KERAS, frozenset(), "none")
_UNREAD = _Step((), frozenset(), "unknown")


def of_source(module: str, tree: ast.Module, node: ast.FunctionDef | ast.ClassDef) -> Keywords:
    """Finds what a function or class takes, without importing it.

    Args:
      module: The module that it is defined in.
      tree: That module's source.
      node: Its definition there.
    """
    if isinstance(node, ast.FunctionDef):
        return _joined(iter([_read(node)]))
    return _joined(_steps_of_source(_Module(module, tree), node))


@functools.cache
def of_class(cls: type) -> Keywords:
    """Finds what a class that has been imported takes."""
    return _joined(_steps_of_class(cls))


def _joined(steps: Iterator[_Step | None]) -> Keywords:
    """Follows `**kwargs` from class to base class; None stands for a class that cannot be read."""
    first, last = _Step((), frozenset(), "none"), None
    others: dict[str, None] = {}
    given: set[str] = set()
    for step in steps:
        if last is None:
            first = step or _UNREAD
        last = step or _UNREAD
        others |= dict.fromkeys([*last.named, *sorted(last.taken)])
        others = {name: None for name in others if name not in given}
        given |= last.given
        if last.rest != "base":
            break
    return Keywords(
        named=first.named,
        others=tuple(name for name in others if name not in first.named),
        takes_any=first.rest != "none",
        uses_any=last is not None and last.rest == "unknown",
        defaults=first.defaults,
    )


def _steps_of_source(module: _Module, node: ast.ClassDef) -> Iterator[_Step | None]:
    found: tuple[_Module, ast.ClassDef] | None = (module, node)
    while found is not None:
        module, node = found
        init = _constructor(node)
        if init is not None:
            yield _read(init)
        if not node.bases:
            return
        base = module.full_name(ast.unparse(node.bases[0]))
        if base in _KERAS_BASES or base.startswith(_KERAS_ENGINE):
            yield _KERAS_STEP
            return
        found = _find_class(base, module)
    yield None


def _steps_of_class(cls: type) -> Iterator[_Step | None]:
    seen = set()
    for base in cls.__mro__:
        if base.__module__.startswith(_KERAS_ENGINE):
            yield _KERAS_STEP
            return
        # Gin gives a class without a constructor its base's.
        init = inspect.unwrap(vars(base).get("__init__", object.__init__))
        if init is not object.__init__ and init not in seen:
            seen.add(init)
            yield _read_function(init)


def _read_function(function: Any) -> _Step | None:
    """Reads a constructor that has been imported, or returns None where its source is not there."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    return _read(node) if isinstance(node, ast.FunctionDef) else None


def _read(function: ast.FunctionDef) -> _Step:
    arguments = function.args
    every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    named = tuple(argument.arg for argument in every if argument.arg != "self")
    defaults = _literal_defaults(arguments)
    if arguments.kwarg is None:
        return _Step(named, frozenset(), "none", defaults=defaults)
    parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    taken, given, uses = set(), set(), set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == arguments.kwarg.arg:
            name = _looked_up(node, parents)
            if name is not None:
                taken.add(name)
                continue
            call = _constructor_call(node, parents)
            if call is not None:
                given |= {keyword.arg for keyword in call.keywords if keyword.arg}
            uses.add("base" if call else "dropped" if _is_idle(node, parents) else "unknown")
    # Given to the base class whole, they are judged there, whatever else is done with them.
    rest: _Rest = "base" if "base" in uses else "unknown" if "unknown" in uses else "dropped"
    return _Step(named, frozenset(taken), rest, frozenset(given), defaults)


def _literal_defaults(arguments: ast.arguments) -> dict[str, Any]:
    positional = arguments.posonlyargs + arguments.args
    given: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    defaults = {}
    for argument, value in given:
        with contextlib.suppress(ValueError):  # Not a literal.
            if value is not None:
                defaults[argument.arg] = ast.literal_eval(value)
    return defaults


def _looked_up(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> str | None:
    """The name in `kwargs.pop(name)`, `kwargs.get(name)`, `kwargs[name]` or `name in kwargs`."""
    parent = parents[node]
    key: ast.AST | None = None
    if isinstance(parent, ast.Attribute) and parent.attr in ("pop", "get"):
        call = parents[parent]
        key = call.args[0] if isinstance(call, ast.Call) and call.args else None
    elif isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load):
        key = parent.slice
    elif isinstance(parent, ast.Compare) and isinstance(parent.ops[0], ast.In | ast.NotIn):
        key = parent.left
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _constructor_call(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> ast.Call | None:
    """The call in `super().__init__(**kwargs)`, or None where the arguments go elsewhere."""
    keyword = parents[node]
    call = parents[keyword]
    if not (isinstance(keyword, ast.keyword) and keyword.arg is None):
        return None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        return call if call.func.attr == "__init__" else None
    return None


def _is_idle(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether this use of `kwargs` lets none of them have an effect."""
    parent = parents[node]
    if isinstance(parent, ast.Call):  # TF-NLP's `util.filter_kwargs` takes names out.
        return ast.unparse(parent.func).rpartition(".")[2] == "filter_kwargs"
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("update", "setdefault", "clear")
    if isinstance(parent, ast.Subscript):
        return not isinstance(parent.ctx, ast.Load)
    return isinstance(parent, ast.Delete | ast.If)


def _constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    functions = (item for item in node.body if isinstance(item, ast.FunctionDef))
    return next((function for function in functions if function.name == "__init__"), None)


def _find_class(name: str, module: _Module) -> tuple[_Module, ast.ClassDef] | None:
    """Finds a class by its full name, in `module` or in another one's source."""
    module_name, _, class_name = name.rpartition(".")
    module_name = _KERAS_MODULES.get(name, module_name)
    tree = module.tree if module_name == module.name else _tree(module_name)
    if tree is None:
        return None
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    found = next((node for node in classes if node.name == class_name), None)
    return None if found is None else (_Module(module_name, tree), found)


@functools.cache
def _tree(module: str) -> ast.Module | None:
    """Returns a module's source, found without importing even its packages, or None."""
    package, *rest = module.split(".")
    spec = importlib.util.find_spec(package) if package in ("official", "tf_keras") else None
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = pathlib.Path(root, *rest).with_suffix(".py")
        if path.is_file():
            return ast.parse(path.read_bytes())
    return None
