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
# What exporter_library and exporter_test add to every target.
_IMPLIED = {"//exporter:exporter", "//tests:conftest", "@pip//pytest"}
_MODULES = sorted(
    path.relative_to(_ROOT).as_posix()
    for pattern in ("launch.py", "exporter/**/*.py", "tests/**/*.py")
    for path in _ROOT.glob(pattern)
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
        if isinstance(value, str) and re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", value):
            yield value


def _label(name: str) -> str | None:
    """Returns the label of the target with a module, or None for the standard library's.

    Args:
      name: A dotted name that starts with a module's, e.g. "exporter.errors.UserError".
    """
    parts = name.split(".")
    if parts[0] in sys.stdlib_module_names:
        return None
    for length in range(len(parts), 0, -1):
        source = _ROOT.joinpath(*parts[:length])
        if source.with_suffix(".py").is_file():
            return f"//{'/'.join(parts[: length - 1])}:{parts[length - 1]}"
        if (source / "__init__.py").is_file():
            return f"//{'/'.join(parts[:length])}:{parts[length - 1]}"
    if importlib.util.find_spec(parts[0]) is None:
        return None
    return f"@pip//{_PACKAGES.get(parts[0], parts[0])}"


def _absolute(label: str, package: str) -> str:
    if label.startswith(":"):
        return f"//{package}{label}"
    if label.startswith("//") and ":" not in label:
        return f"{label}:{label.rpartition('/')[2]}"
    return label


def _stated(package: str) -> dict[str, set[str]]:
    """Returns the labels in `deps` by the Python file of each target of a package."""
    deps = {}
    build = ast.parse((_ROOT / package / "BUILD").read_text(encoding="utf-8"))
    for node in ast.walk(build):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        arguments = {keyword.arg: keyword.value for keyword in node.keywords}
        if node.func.id in ("exporter_library", "exporter_test"):
            sources = [ast.literal_eval(arguments["name"]) + ".py"]
        elif node.func.id in ("py_library", "py_binary"):
            sources = ast.literal_eval(arguments["srcs"])
        else:
            continue
        labels = ast.literal_eval(arguments["deps"]) if "deps" in arguments else []
        for source in sources:
            deps[source] = {_absolute(label, package) for label in labels}
    return deps


@pytest.mark.parametrize("module", _MODULES)
def test_deps_are_the_imports(module: str) -> None:
    path = pathlib.PurePosixPath(module)
    package = "" if path.parent.name == "" else path.parent.as_posix()
    stated = _stated(package)
    if module == "tests/pytest_main.py":  # A source of every exporter_test.
        return
    assert path.name in stated, f"{package}/BUILD has no target for {module}"

    tree = ast.parse((_ROOT / module).read_text(encoding="utf-8"))
    imported = {label for name in _imports(tree) if (label := _label(name))} - _IMPLIED
    named = {label for name in _names_in_strings(tree) if (label := _label(name))}
    deps = stated[path.name] - _IMPLIED - {f"//{package}:conftest"}
    missing, unused = sorted(imported - deps), sorted(deps - imported - named)
    assert not missing, f"{package}/BUILD: the target of {module} also needs {missing}"
    assert not unused, f"{package}/BUILD: the target of {module} does not need {unused}"
