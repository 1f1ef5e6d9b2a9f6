"""Copies of an encoder's SavedModel whose dropout draws the same numbers each time.

A SavedModel's random operations have no seeds, and whoever loads it cannot give them any: two
fine-tunings never are the same. Here they get seeds, and nothing else is changed. A function that
is called in several places becomes as many functions, since equal seeds would drop the same units
in each.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from exporter import edited_copies

# Draws from a generator of its own in each place, by two seeds; (0, 0) is another one each time.
_RANDOM = ("RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt")


def copy(path: str, folder: str, seed: int) -> None:
    """Makes a copy with seeds.

    Args:
      path: The SavedModel.
      folder: Where to; must not exist. Large files are links.
      seed: What all seeds are made of.
    """

    def add_seeds(graph: Any) -> None:
        _Seeder(graph.graph_def.library, seed).run(graph.object_graph_def.concrete_functions)

    edited_copies.write(path, folder, add_seeds)


@dataclasses.dataclass
class _Seeder:
    """Gives the random operations of a library of functions their seeds."""

    library: Any
    seed: int
    count: int = 0

    def run(self, roots: Any) -> None:
        """Gives seeds to the functions of these names, and to copies of those that they call."""
        self._functions = {entry.signature.name: entry for entry in self.library.function}
        self._random: dict[str, bool] = {}
        for name in sorted(roots):
            if name in self._functions and self._is_random(name):
                self._seed(self._functions[name])

    def _is_random(self, name: str) -> bool:
        """Whether a function or what it calls draws random numbers."""
        if name not in self._random:
            self._random[name] = False  # Meanwhile, of a function that calls itself.
            nodes = self._functions[name].node_def
            self._random[name] = any(
                node.op in _RANDOM or any(map(self._is_random, self._called(node)))
                for node in nodes
            )
        return self._random[name]

    def _called(self, node: Any) -> list[str]:
        names = [attr.func.name for attr in node.attr.values() if attr.HasField("func")]
        names += [node.op]
        return [name for name in names if name in self._functions]

    def _seed(self, function: Any) -> None:
        for node in function.node_def:
            if node.op in _RANDOM:
                self.count += 1
                node.attr["seed"].i = self.seed + 1  # Not zero.
                node.attr["seed2"].i = self.count
            for attr in node.attr.values():
                if attr.HasField("func") and self._is_random_name(attr.func.name):
                    attr.func.name = self._copied(attr.func.name)

    def _is_random_name(self, name: str) -> bool:
        return name in self._functions and self._is_random(name)

    def _copied(self, name: str) -> str:
        self.count += 1
        copied = self.library.function.add()
        copied.CopyFrom(self._functions[name])
        copied.signature.name = f"{name}_{self.count}_seeded"
        self._seed(copied)
        return str(copied.signature.name)
