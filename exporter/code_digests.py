"""Digests of Python code, so that what was made by other code is made again."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from types import ModuleType

_OWN = "exporter"
# Whose versions are known, see `provenance.packages`, and what they come with.
_VERSIONED = frozenset({_OWN, "gin", "official", "tensorflow", "tensorflow_text", "tf_keras"})


@functools.cache
def of_exporter() -> str:
    """Returns a digest of the exporter's own code."""
    folder = os.path.dirname(__file__)
    files = (
        os.path.join(root, name)
        for root, _, names in os.walk(folder)
        for name in names
        if name.endswith(".py")
    )
    return _digest(sorted(files))


def of_imported(names: Iterable[str]) -> str | None:
    """Returns a digest of imported modules and of what they import that is not installed.

    Args:
      names: The modules' full names; all of them have been imported.

    Returns:
      None where there are none of a user's own.
    """
    found: dict[str, str] = {}
    waiting = [name for name in names if name.partition(".")[0] not in _VERSIONED]
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if module is None or file is None or not file.endswith(".py") or name in found:
            continue
        found[name] = file
        waiting += [other for other in _mentioned(module, file) if _is_users(other)]
    return _digest(file for _, file in sorted(found.items())) if found else None


def _digest(files: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            content = stream.read()
        digest.update(b"%d\n" % len(content) + content)
    return digest.hexdigest()


def _mentioned(module: ModuleType, file: str) -> Iterator[str]:
    """Yields the names of modules that a module's imports name, and of the packages around it."""
    package = module.__package__ or ""
    yield from _around(module.__name__)
    with open(file, "rb") as stream:
        tree = ast.parse(stream.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _around(alias.name)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: 1 - node.level or None] if node.level else []
            origin = ".".join([*parts, *([node.module] if node.module else [])])
            yield from _around(origin)
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _around(name: str) -> Iterator[str]:
    """Yields a module's name and those of the packages that it is in."""
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(len(parts), 0, -1))


def _is_users(name: str) -> bool:
    """Whether a module is neither Python's nor installed: a user's own, as far as one can tell."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    top = name.partition(".")[0]
    if file is None or top in _VERSIONED or top in sys.stdlib_module_names:
        return False
    installed = {sysconfig.get_paths()[kind] for kind in ("purelib", "platlib")}
    return not any(os.path.realpath(file).startswith(f"{os.path.realpath(p)}/") for p in installed)
