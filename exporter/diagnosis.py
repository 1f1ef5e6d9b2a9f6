"""Says in a person's words how a checkpoint and a configuration differ, and why they may.

A cause is only told where the values themselves show it.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from exporter import encoder_configs, structures

Shape = structures.Shape

# Their values are nested as no other type's are, and their sizes say nothing about others'.
_UNMISTAKABLE = frozenset({"albert", "fnet", "mobilebert", "reuse", "sparse_mixer", "xlnet"})
_SHOWN = 8
# So many values of a layer are told one by one.
_FEW = 4
_INDENT = " " * 12
_NONE = "-"


@dataclasses.dataclass(frozen=True)
class Cause:
    """Why a checkpoint does not fit.

    Attributes:
      text: A clause for a person, as "the checkpoint has 12 layers, the configuration 6".
      remedy: What to write instead, as "num_layers: 12", or None where it is not as simple.
    """

    text: str
    remedy: str | None = None


@dataclasses.dataclass(frozen=True)
class Difference:
    """A value that is not on both sides, or not of the same shape or dtype.

    Attributes:
      name: What a person calls it.
      configured: The shape (and dtype if that differs) that was configured, or None for no value.
      stored: That of the checkpoint, or None.
    """

    name: str
    configured: str | None
    stored: str | None


def causes(
    configured: structures.Structure,
    stored: structures.Structure,
    architecture: encoder_configs.Architecture,
    differences: Sequence[Difference],
    *,
    layers_fit: bool,
    other_dtypes: Sequence[str] = (),
) -> list[Cause]:
    """Lists the likely causes of the differences, as far as the values show them.

    Args:
      configured: The encoder that was built, with its head if that is to be exported.
      stored: What the checkpoint holds of these.
      architecture: What the encoder was built from.
      differences: What does not fit.
      layers_fit: Whether some layers' values were found, which tells that layers are nested alike.
      other_dtypes: The dtypes of stored values that are not those of the variables.
    """
    found = []
    unmistakable = _UNMISTAKABLE & {*configured.types, *stored.types}
    if unmistakable or not layers_fit:
        found += _other_type(configured, stored, architecture.type)
    found += _other_parts(configured, stored)
    if other_dtypes:
        found.append(Cause(f"the checkpoint's values are {' and '.join(other_dtypes)}"))
    if not found or not unmistakable:
        found += _other_numbers(configured, stored, architecture)
    return found or _other_whole_part(differences)


def table(differences: Sequence[Difference], most: int | None = _SHOWN) -> str:
    """Returns the differences as lines of a table, equal layers in one line.

    Args:
      differences: What does not fit.
      most: How many lines to show; None for all, with no layers taken together.
    """
    rows = [(d.name, d.configured or _NONE, d.stored or _NONE) for d in differences]
    rest = 0
    if most is not None:
        rows = _grouped(rows)
        rest = max(0, len(rows) - most)
        rows = rows[:most]
    rows.insert(0, ("value", "configured", "checkpoint"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows]
    if rest:
        lines.append(f"... and {rest} more; -v=1 lists all")
    return "\n".join(f"{_INDENT}{line.rstrip()}" for line in lines)


def compare(configured: Mapping[str, str], stored: Mapping[str, str]) -> list[Difference]:
    """Pairs what has no place with what has no value, by name.

    Args:
      configured: Shapes of variables whose values are missing or do not fit, by name.
      stored: Shapes of values that have no variable or do not fit, by name.

    Returns:
      What differs. Values that are only counted differently (the pooler after fewer layers) are
      left out, unless there is nothing else.
    """
    names = list(dict.fromkeys([*configured, *stored]))
    all_of_them = [Difference(n, configured.get(n), stored.get(n)) for n in names]
    return [d for d in all_of_them if d.configured != d.stored] or all_of_them


def _other_type(
    configured: structures.Structure, stored: structures.Structure, configured_type: str
) -> list[Cause]:
    ours, theirs = configured.types, stored.types
    if configured_type in ours:
        ours = (configured_type,)
    if not ours or not theirs or set(ours) & set(theirs):
        return []
    kinds = _any_of(theirs)
    why = ""
    if "albert" in theirs:
        why = " (one layer's values, behind an embedding projection)"
    elif "albert" in ours:
        why = f" ({stored.numbers['layers']} layers with values of their own)"
    text = f"the checkpoint's values are those of type {kinds}{why}, not of {_any_of(ours)}"
    return [Cause(text, f"type: {theirs[0]}")]


def _any_of(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _other_parts(configured: structures.Structure, stored: structures.Structure) -> list[Cause]:
    forgotten = sorted(stored.parts - configured.parts)
    unwanted = sorted(configured.parts - stored.parts)
    found = []
    if forgotten:
        found.append(
            Cause(
                f"the checkpoint has weights of {' and '.join(forgotten)} (was the pre-training "
                "gin file forgotten?)",
                "--gin_file=RUN/operative_config.train.gin",
            )
        )
    if unwanted and stored.layers:
        found.append(
            Cause(
                f"the gin files ask for {' and '.join(unwanted)}, of which the checkpoint has "
                "nothing (are they those of another run?)"
            )
        )
    return found


def _other_numbers(
    configured: structures.Structure,
    stored: structures.Structure,
    architecture: encoder_configs.Architecture,
) -> list[Cause]:
    ours, theirs = configured.numbers, stored.numbers
    found = []
    for name, fields in structures.FIELDS.items():
        if name not in ours or name not in theirs or ours[name] == theirs[name]:
            continue
        if name == "embedding size":
            found += _other_embedding_size(ours, theirs, fields, architecture)
            continue
        field = next((f for f in fields if hasattr(architecture.encoder, f)), None)
        remedy = f"{field}: {theirs[name]}" if field else None
        found.append(Cause(_clause(name, ours[name], theirs[name]), remedy))
    return found


def _clause(name: str, ours: int, theirs: int) -> str:
    if name in ("layers", "attention heads", "positions", "types"):
        return f"the checkpoint has {theirs} {_counted(name, theirs)}, the configuration {ours}"
    return f"the {name} is {theirs} in the checkpoint, {ours} in the configuration"


def _counted(name: str, count: int) -> str:
    return name.removesuffix("s") if count == 1 else name


def _other_embedding_size(
    ours: Mapping[str, int],
    theirs: Mapping[str, int],
    fields: Sequence[str],
    architecture: encoder_configs.Architecture,
) -> list[Cause]:
    """Tells apart embeddings of another size and ones that are not as wide as the layers."""
    size, hidden = theirs["embedding size"], theirs.get("hidden size")
    field = next((f for f in fields if hasattr(architecture.encoder, f)), fields[0])
    if ours["embedding size"] != ours.get("hidden size") and size == hidden:
        text = "the configuration has an embedding projection, the checkpoint has none"
        return [Cause(text, f"{field}: null")]
    if size == hidden:  # The hidden sizes differ, which is told already.
        return []
    if ours["embedding size"] == ours.get("hidden size"):
        text = f"the checkpoint has embeddings of size {size} and a projection, the configuration"
        return [Cause(f"{text} has none", f"{field}: {size}")]
    return [Cause(_clause("embedding size", ours["embedding size"], size), f"{field}: {size}")]


def _other_whole_part(differences: Sequence[Difference]) -> list[Cause]:
    names = {d.name for d in differences}
    is_missing = all(d.stored is None for d in differences)
    if names and is_missing and all(name.startswith("pooler ") for name in names):
        return [
            Cause(
                "the checkpoint has no pooler (another one may be chosen)",
                "export.pooler = @identity_pooler, or @initialized_pooler",
            )
        ]
    if names and all(name.startswith("MLM head: ") for name in names):
        return [
            Cause(
                "the encoder fits, the masked-language-model head does not",
                "--export_type=model exports the encoder alone",
            )
        ]
    parts = {d.name.rpartition("/")[0].partition("/")[0] for d in differences}
    if names and all(d.configured is None for d in differences) and all(parts):
        patterns = ", ".join(f"'{part}/.*'" for part in sorted(parts))
        return [
            Cause(
                "the checkpoint has values that are no part of an encoder",
                f"checks.ignored_values = [{patterns}], if they are to be left out",
            )
        ]
    return []


def _grouped(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Takes layers together that differ in the same way, and the values of whole layers."""
    others: list[tuple[str, str, str]] = []
    layers: dict[int, list[tuple[str, str, str]]] = collections.defaultdict(list)
    for name, ours, theirs in rows:
        layer = re.fullmatch(r"layer (\d+): (.*)", name)
        if layer:
            layers[int(layer[1])].append((layer[2], ours, theirs))
        else:
            others.append((name, ours, theirs))
    alike: dict[tuple[tuple[str, str, str], ...], list[int]] = collections.defaultdict(list)
    for number, values in sorted(layers.items()):
        alike[tuple(values)].append(number)
    mixed = []
    for parts, numbers in alike.items():
        label = _range(numbers)
        count = f"{len(parts)} values" + (" each" if len(numbers) > 1 else "")
        if len(parts) > _FEW and all(theirs == _NONE for _, _, theirs in parts):
            others.append((label, count, _NONE))
        elif len(parts) > _FEW and all(ours == _NONE for _, ours, _ in parts):
            others.append((label, _NONE, count))
        else:
            mixed += [(f"{label}: {name}", ours, theirs) for name, ours, theirs in parts]
    return [*others, *mixed]


def _range(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"layer {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"layers {numbers[0]} to {numbers[-1]}"
    return f"layers {', '.join(map(str, numbers))}"
