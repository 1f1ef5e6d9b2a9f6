"""The names that gin may bind: registered ones, and those TF-NLP would register if imported.

TF-NLP's are found by reading its source, since importing it imports TensorFlow: a misspelt name is
told in milliseconds.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import importlib
import importlib.util
import inspect
import pathlib
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import gin
from gin import selector_map

from exporter import keyword_arguments

# Where TF-NLP's encoders and what they are built of register themselves.
_TFNLP_FOLDERS = ("nlp/configs", "nlp/modeling")
_ENCODER_CONFIGS = "official.nlp.configs.encoders"
# Binds TF-NLP's encoder configurations, which do not register themselves.
_ENCODER_CONFIGS_REGISTRAR = "exporter.encoder_configs"
_ENCODER_CONFIGS_MODULE = "encoders"

# What a pre-training run's gin files bind, and operative_config.train.gin lists, that plays no part
# in an export. Each with its reason.
TRAINING_ONLY: Mapping[str, str] = {
    "official.core.actions.get_eval_actions": "what the trainer does after an evaluation",
    "official.core.actions.get_train_actions": "what the trainer does after some steps",
    "official.core.base_trainer.Trainer": "the training loop",
    "official.core.train_utils.create_trainer": "makes the training loop",
    "official.modeling.multitask.base_trainer.MultiTaskBaseTrainer": "the multi-task loop",
    "official.modeling.multitask.evaluator.MultiTaskEvaluator": "evaluates several tasks",
    "official.modeling.multitask.interleaving_trainer.MultiTaskInterleavingTrainer": (
        "the multi-task loop that alternates"
    ),
    "official.modeling.optimization.optimizer_factory.build_optimizer": "makes the optimizer",
    "official.nlp.optimization.create_optimizer": "makes the optimizer of older runs",
}


@dataclasses.dataclass(frozen=True)
class Configurable:
    """Something whose parameters gin binds.

    Attributes:
      selector: Its full name.
      parameters: The parameters that may be bound.
      others: What may be bound besides: what it takes by way of `**kwargs`.
      any_parameter: Whether still others may be bound: what becomes of its `**kwargs` is not known.
      takes_any: Whether it accepts keyword arguments that it then drops.
      required: The parameters that have no default and must be bound if it is called.
      defaults: The parameters' defaults, as far as they are known.
      types: The parameters' types, as far as they are known and ours to judge.
      module: The module to import for it to be registered, or None where it is.
    """

    selector: str
    parameters: tuple[str, ...]
    others: tuple[str, ...] = ()
    any_parameter: bool = False
    takes_any: bool = False
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    types: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    module: str | None = None

    @property
    def name(self) -> str:
        """Its name without modules."""
        return self.selector.rpartition(".")[2]

    def accepts(self, parameter: str) -> bool:
        """Whether gin may bind the parameter."""
        return self.any_parameter or parameter in (*self.parameters, *self.others)


def fits(selector: str) -> list[Configurable]:
    """Looks a name up, first among what is registered and then in TF-NLP's source.

    What only training uses is not found, whether something has imported it or not.

    Args:
      selector: A configurable's name, with as many of its modules before it as one likes.

    Returns:
      None, one, or several where the name is ambiguous.
    """
    registry = gin.config._REGISTRY  # gin has no public way to list it.
    known = _found.get(selector)
    if known is not None and known.is_of(registry):
        return known.matches
    entries = registry.get_all_matches(selector)
    registered = [_described(entry) for entry in entries if entry.selector not in TRAINING_ONLY]
    matches = registered or tfnlp_index().get_all_matches(selector)
    _found[selector] = _Found(len(registry), entries, matches)
    return matches


@dataclasses.dataclass(frozen=True)
class _Found:
    """What a name fitted, when so many were registered: a sweep asks a hundred times a point."""

    size: int
    entries: Sequence[Any]
    matches: list[Configurable]

    def is_of(self, registry: selector_map.SelectorMap) -> bool:
        """Whether it fits the same now; a name may be registered anew."""
        return len(registry) == self.size and all(
            registry.get(entry.selector) is entry for entry in self.entries
        )


_found: dict[str, _Found] = {}


def find_one(selector: str) -> Configurable | None:
    """Returns the one configurable that a name fits, or None."""
    matches = fits(selector)
    return matches[0] if len(matches) == 1 else None


@functools.cache
def is_training_only(selector: str) -> bool:
    """Whether a name is in `TRAINING_ONLY`, with as many modules before it as one likes."""
    return any(f".{full}".endswith(f".{selector}") for full in TRAINING_ONLY)


def suggest(selector: str) -> str | None:
    """Returns the known name that is most like a misspelt one, or None."""
    registered = [full for full, _ in gin.config._REGISTRY.items() if not full.startswith("gin.")]
    known = [*registered, *(full for full, _ in tfnlp_index().items()), *TRAINING_ONLY]
    module, _, name = selector.rpartition(".")
    of_module = [full for full in known if f".{full.rpartition('.')[0]}".endswith(f".{module}")]
    candidates = of_module if module else known
    return closest(name, [full.rpartition(".")[2] for full in candidates])


def owners(parameter: str) -> list[str]:
    """Returns the names of TF-NLP's configurables that have a parameter of this name."""
    return [entry.name for _, entry in tfnlp_index().items() if parameter in entry.parameters]


def closest(word: str, known: Iterable[str]) -> str | None:
    """Returns the word that is most like `word`, whatever its case, or None."""
    by_lower_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.7)
    return by_lower_case[near[0]] if near else None


def import_all(used: Iterable[Configurable]) -> None:
    """Imports what registers the given configurables. TF-NLP's import TensorFlow."""
    modules = {entry.module for entry in used if entry.module}
    for module in sorted(modules):
        importlib.import_module(module)
    if _ENCODER_CONFIGS in modules:
        importlib.import_module(_ENCODER_CONFIGS_REGISTRAR).register_configurables()


_descriptions: dict[str, tuple[Any, Configurable]] = {}


def _described(entry: Any) -> Configurable:
    """Describes what is registered, once: a sweep asks thousands of times."""
    known, description = _descriptions.get(entry.selector, (None, None))
    if description is None or known is not entry:  # A name may be registered anew.
        description = _describe(entry)
        _descriptions[entry.selector] = (entry, description)
    return description


def _describe(entry: Any) -> Configurable:
    function = entry.wrapped
    others: tuple[str, ...] = ()
    any_parameter = True
    if inspect.isclass(function):
        keywords = keyword_arguments.of_class(entry.wrapped)
        others, any_parameter = keywords.others, keywords.uses_any
        function = function.__init__
    signature = inspect.signature(inspect.unwrap(function))
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    own = entry.selector.startswith(("exporter.", f"{_ENCODER_CONFIGS_MODULE}."))
    init_only = _init_only(entry.wrapped)
    names = [
        name
        for name, kind in kinds.items()
        if kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        and not (name == "self" and inspect.isclass(entry.wrapped))
        and name not in (*(entry.denylist or ()), *init_only)
        and (not entry.allowlist or name in entry.allowlist)
    ]
    defaults = {name: signature.parameters[name].default for name in names}
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds.values() and not entry.allowlist
    return Configurable(
        selector=entry.selector,
        parameters=tuple(names),
        others=others if takes_any else (),
        any_parameter=takes_any and any_parameter,
        takes_any=takes_any,
        required=tuple(name for name in names if defaults[name] is gin.REQUIRED),
        defaults=defaults,
        types=typing.get_type_hints(entry.wrapped) if own else {},
    )


def _init_only(target: Any) -> set[str]:
    """Names of what a dataclass takes and does not keep, as TF-NLP's `default_params`."""
    if not dataclasses.is_dataclass(target):
        return set()
    kept = {field.name for field in dataclasses.fields(target)}
    return {*target.__dataclass_fields__} - kept


@functools.cache
def tfnlp_index() -> selector_map.SelectorMap:
    """Returns the configurables of TF-NLP's encoders: full name -> `Configurable`."""
    index = selector_map.SelectorMap()
    for entry in scan(_TFNLP_FOLDERS):
        index[entry.selector] = entry
    return index


def scan(folders: Iterable[str]) -> Iterator[Configurable]:
    """Finds the configurables in the source of `official`, which is not imported.

    Args:
      folders: Folders or files below the package.
    """
    spec = importlib.util.find_spec("official")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for folder in folders:
            path = pathlib.Path(root, folder)
            for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
                text = file.read_bytes()
                if b"gin." in text and not file.name.endswith("_test.py"):
                    parts = file.relative_to(root).with_suffix("").parts
                    yield from _scan_source(text, ".".join(("official", *parts)))


def _scan_source(text: bytes, module: str) -> Iterator[Configurable]:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        names = [ast.unparse(decorator) for decorator in node.decorator_list]
        if any(name.startswith(("gin.configurable", "gin.register")) for name in names):
            keywords = keyword_arguments.of_source(module, tree, node)
            yield Configurable(
                f"{module}.{node.name}",
                parameters=keywords.named,
                others=keywords.others,
                any_parameter=keywords.uses_any,
                takes_any=keywords.takes_any,
                defaults=keywords.defaults,
                module=module,
            )
        elif module == _ENCODER_CONFIGS and "dataclasses.dataclass" in names:
            fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
            if node.name != "EncoderConfig":  # The one that holds the others.
                yield _encoder_config(node.name, fields)


def _encoder_config(name: str, fields: list[ast.AnnAssign]) -> Configurable:
    known: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool}
    known |= {f"Optional[{text}]": kind | None for text, kind in known.items()}
    types = {ast.unparse(field.target): ast.unparse(field.annotation) for field in fields}
    defaults = {ast.unparse(f.target): f.value for f in fields if isinstance(f.value, ast.Constant)}
    return Configurable(
        selector=f"{_ENCODER_CONFIGS_MODULE}.{name}",
        parameters=tuple(types),
        defaults={field: node.value for field, node in defaults.items()},
        types={field: known[text] for field, text in types.items() if text in known},
        module=_ENCODER_CONFIGS,
    )
