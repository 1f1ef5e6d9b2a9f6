"""The dependencies that the BUILD files state are the imports that the modules have."""

from __future__ import annotations

import ast
import importlib.util
import pathlib
import re
import sys
from collections.abc import Iterator

import pytest

_ROOT = pathlib.Path(__file__).parent.parent
# Packages that are not called as what they are imported by.
_PACKAGES = {
    "absl": "absl_py",
    "gin": "gin_config",
    "google": "protobuf",
    "official": "tf_models_official",
    "orbit": "tf_models_official",
    "yaml": "pyyaml",
}
# Packages of layers over the environment: the exporter works without, only tests depend on them.
_OF_LAYERS = {
    "ray": "@pip_ray//ray",
    "tensorflow_datasets": "@pip_evaluate//tensorflow_datasets",
}
# What exporter_library and exporter_test add to every target.
_IMPLIED = {"//exporter:exporter", "//tests:conftest", "@pip//pytest"}
_MODULES = sorted(
    path.relative_to(_ROOT).as_posix()
    for pattern in ("launch.py", "benchmarks/**/*.py", "exporter/**/*.py", "tests/**/*.py")
    for path in _ROOT.glob(pattern)
    if path.name != "pytest_main.py"  # A source of every exporter_test.
)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yields the dotted names of what is imported, also inside of functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _names_in_strings(tree: ast.AST) -> Iterator[str]:
    """Yields the dotted names that may reach importlib.import_module."""
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", value):
            yield value


def _label(name: str) -> str | None:
    """Returns the label of the target with a module, or None for the standard library's.

    Args:
      name: A dotted name that starts with a module's, e.g. "exporter.errors.UserError".
    """
    parts = name.split(".")
    if parts[0] in {"__main__", *sys.stdlib_module_names}:
        return None
    for length in range(len(parts), 0, -1):
        source = _ROOT.joinpath(*parts[:length])
        if source.with_suffix(".py").is_file():
            return f"//{'/'.join(parts[: length - 1])}:{parts[length - 1]}"
        if (source / "__init__.py").is_file():
            return f"//{'/'.join(parts[:length])}:{parts[length - 1]}"
    if parts[0] in _OF_LAYERS:
        return _OF_LAYERS[parts[0]]
    if importlib.util.find_spec(parts[0]) is None:
        return None
    return f"@pip//{_PACKAGES.get(parts[0], parts[0])}"


def _absolute(label: str, package: str) -> str:
    if label.startswith(":"):
        return f"//{package}{label}"
    if label.startswith("//") and ":" not in label:
        return f"{label}:{label.rpartition('/')[2]}"
    return label


def _targets(package: str) -> dict[str, tuple[list[str], set[str]]]:
    """Returns the sources and the labels in `deps` of each target, by each of its sources."""
    targets: dict[str, tuple[list[str], set[str]]] = {}
    build = ast.parse((_ROOT / package / "BUILD").read_text(encoding="utf-8"))
    for node in ast.walk(build):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        arguments = {keyword.arg: keyword.value for keyword in node.keywords}
        if node.func.id not in ("exporter_library", "exporter_test", "py_library", "py_binary"):
            continue
        if "srcs" in arguments:
            sources = ast.literal_eval(arguments["srcs"])
        else:
            sources = [ast.literal_eval(arguments["name"]) + ".py"]
        assert not targets.keys() & set(sources), f"{package}/BUILD has two targets for {sources}"
        labels = ast.literal_eval(arguments["deps"]) if "deps" in arguments else []
        deps = {_absolute(label, package) for label in labels}
        targets.update(dict.fromkeys(sources, (sources, deps)))
    return targets


@pytest.mark.parametrize("module", _MODULES)
def test_deps_are_the_imports(module: str) -> None:
    path = _ROOT / module
    package = path.parent.relative_to(_ROOT).as_posix().removeprefix(".")
    targets = _targets(package)
    assert path.name in targets, f"{package}/BUILD has no target for {module}"

    sources, deps = targets[path.name]
    trees = [ast.parse(path.with_name(name).read_text(encoding="utf-8")) for name in sources]
    imported = {label for tree in trees for name in _imports(tree) if (label := _label(name))}
    named = {label for tree in trees for name in _names_in_strings(tree) if (label := _label(name))}
    implied = {*_IMPLIED, f"//{package}:conftest", *_OF_LAYERS.values()}
    missing, unused = sorted(imported - deps - implied), sorted(deps - imported - named - implied)
    assert not missing, f"{package}/BUILD: the target of {module} also needs {missing}"
    assert not unused, f"{package}/BUILD: the target of {module} does not need {unused}"
