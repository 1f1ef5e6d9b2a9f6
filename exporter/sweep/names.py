"""The names of a sweep's exports, made of their values: unique, and safe as those of folders."""

from __future__ import annotations

import collections
import dataclasses
import re
import string
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from exporter import errors
from exporter.sweep import spaces

SETTING = "sweep.name"
# A field of templates beside the axes' labels: which of the points it is, from 0.
_INDEX = "index"
_STEP = "step"  # The column of the results that has the global steps of checkpoints.
_LONGEST = 200  # Bytes; file systems have room for 255, with what stands behind a name.
_PUNCTUATION = "_.+=,-"
_ENDING = re.compile(r"(?<=.)\.(?:gin|txt|ya?ml|json|model|ckpt)$")
# In braces, they would not stand for themselves; nor are scores' columns free to be taken.
_NOT_IN_LABELS = frozenset(".[]{}!:")

# What values are called in names: by label and `repr`.
_Texts = Mapping[tuple[str, str], str]


@dataclasses.dataclass(frozen=True)
class _Value:
    """A value, and what it is called in names."""

    value: Any
    text: str


class _Formatter(string.Formatter):
    """Formats numbers as Python does, and everything else as a part of a folder's name."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return self.get_value(field_name, args, kwargs), field_name

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value if conversion is None else super().convert_field(value.value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        if not isinstance(value, _Value):
            return format(_shown(value), format_spec)
        number = isinstance(value.value, int | float) and not isinstance(value.value, bool)
        return format(value.value if number and format_spec else value.text, format_spec)


def of_points(points: Sequence[spaces.Point], template: str | None, where: str) -> list[str]:
    """Returns the names of points' exports.

    A value that is a path stands for the file, without its folders unless another one of the axis
    has the same name, and without what says its kind.

    Args:
      points: The points.
      template: With a label in braces for its value: "{pooler}-{step:07d}", and {index} for which
        of the points it is, from 0. None joins all values.
      where: Where the template was said, for errors.

    Raises:
      UserError: The template asks for what is no label, a name cannot be a folder's, or two points
        have the same one, whatever the letters' case.
    """
    texts = _texts(points)
    made = [_name(i, point, texts, template, where) for i, point in enumerate(points)]
    seen: dict[str, int] = {}
    for index, name in enumerate(made):
        first = seen.setdefault(name.casefold(), index)
        if first != index:
            said = " and for ".join(_described(points[i]) for i in (first, index))
            raise errors.UserError(
                "Each point's export must have a name of its own, whatever the letters' case. "
                "axis.labels says what values are called.",
                example=f"{SETTING} = '{_distinct_template(points, texts)}'",
                received=f"{name} for {said}",
                where=where,
            )
    return made


def check_labels(points: Sequence[spaces.Point], columns: Collection[str]) -> None:
    """Raises if labels of points are not to be told from each other or from other columns.

    Args:
      points: The points.
      columns: The other columns of the results. That of checkpoints' steps may be their label.

    Raises:
      UserError: With the first of each kind.
    """
    mistakes: dict[str, errors.UserError] = {}
    for point in points:
        labels = collections.Counter(choice.label for choice in point)
        for choice in point:
            is_own = choice.label == _STEP and choice.setting.endswith("pretraining.checkpoint")
            if labels[choice.label] > 1:
                rule = "Settings of one point must not have the same label."
            elif choice.label in columns and not is_own:
                rule = f"{choice.label} is another column of the results, and can be no label."
            elif not choice.label.isprintable() or not set(choice.label).isdisjoint(_NOT_IN_LABELS):
                rule = "A label must have none of . [ ] { } ! : in it."
            else:
                continue
            mistakes.setdefault(rule, _label_mistake(rule, choice))
    errors.raise_all(list(mistakes.values()))


def _label_mistake(rule: str, choice: spaces.Choice) -> errors.UserError:
    return errors.UserError(
        rule,
        example=f"an axis over {choice.setting} with axis.label = 'my_{choice.label}'"
        if choice.label.isidentifier()
        else "axis.label = 'length'",
        received=f"{choice.label!r} for {choice.setting}",
        where=choice.where,
    )


def _name(index: int, point: spaces.Point, texts: _Texts, template: str | None, where: str) -> str:
    values = {
        choice.label: _Value(choice.plain, texts[choice.label, repr(choice.plain)])
        for choice in point
    }
    if template is None:
        made = "-".join(value.text for value in values.values()) or "export"
    else:
        made = _formatted(template, {_INDEX: _Value(index, str(index)), **values}, where)
    first = next((label for label in values if _is_safe(values[label].text)), _INDEX)
    if not _is_safe(made):
        raise errors.UserError(
            f"An export's name must have letters, digits and any of {' '.join(_PUNCTUATION)}, not "
            f"begin with a period and not have more than {_LONGEST} bytes.",
            example=f"{SETTING} = '{{{first}}}'",
            received=repr(made if len(made) < 2 * _LONGEST else f"{made[:_LONGEST]}..."),
            where=where,
        )
    folded = made.casefold()
    if folded.endswith(".record") or folded.startswith("results."):
        raise errors.UserError(
            "An export's name must not end in .record nor begin with results., which is what is "
            "beside exports.",
            example=f"{SETTING} = 'export-{{{first}}}'",
            received=made,
            where=where,
        )
    return made


def _formatted(template: str, values: Mapping[str, Any], where: str) -> str:
    try:
        return _Formatter().vformat(template, (), values)
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        labels = [label for label in values if label != _INDEX]
        raise errors.UserError(
            "The template of names must have labels in braces, of the axes that each point has: "
            f"{', '.join(labels)}; or {{{_INDEX}}}.",
            example=f"{SETTING} = '{'-'.join(f'{{{label}}}' for label in labels)}'",
            received=f"{template!r} ({type(error).__name__}: {error})",
            where=where,
        ) from None


def _distinct_template(points: Sequence[spaces.Point], texts: _Texts) -> str:
    """A template that gives each point a name of its own."""
    labels = [c.label for c in points[0] if all(_has(point, c.label) for point in points)]
    template = "-".join(f"{{{label}}}" for label in labels)
    made = []
    for index, point in enumerate(points):
        shown = {c.label: _Value(c.plain, texts[c.label, repr(c.plain)]) for c in point}
        made.append(_formatted(template, {_INDEX: _Value(index, str(index)), **shown}, ""))
    if len({name.casefold() for name in made}) == len(made) and all(map(_is_safe, made)):
        return template
    return f"export-{{{_INDEX}}}"


def _has(point: spaces.Point, label: str) -> bool:
    return any(choice.label == label for choice in point)


def _texts(points: Sequence[spaces.Point]) -> _Texts:
    by_label: dict[str, dict[str, Any]] = {}
    for point in points:
        for choice in point:
            plain = choice.plain
            by_label.setdefault(choice.label, {})[repr(plain)] = plain
    found = {}
    for label, values in by_label.items():
        alike = collections.defaultdict(list)
        for key, value in values.items():
            alike[_shown(value).casefold()].append(key)
        for keys in alike.values():
            shown = _told_apart([values[key] for key in keys])
            found.update({(label, key): text for key, text in zip(keys, shown, strict=True)})
    return found


def _told_apart(values: Sequence[Any]) -> list[str]:
    """Shows values that would look the same with their kinds, or with as many folders as needed."""
    deepest = max(value.count("/") if isinstance(value, str) else 0 for value in values)
    for folders in range(deepest + 1):
        for with_kind in (False, True):
            shown = [_shown(value, folders, with_kind=with_kind) for value in values]
            if len({text.casefold() for text in shown}) == len(shown):
                return shown
    return list(map(_shown, values))


def _shown(value: Any, folders: int = 0, *, with_kind: bool = False) -> str:
    """Returns what a value is called: of a path the file, below so many of its folders."""
    if isinstance(value, list):
        return "_".join(map(_shown, value))
    if isinstance(value, dict):
        return "_".join(f"{_shown(key)}={_shown(item)}" for key, item in value.items())
    text = str(value)
    if isinstance(value, str):
        parts = [part for part in value.split("/") if part not in ("", ".")][-1 - folders :]
        text = "_".join(parts) if with_kind else _ENDING.sub("", "_".join(parts))
    return _safe(text).lstrip(".") or "_"


def _safe(text: str) -> str:
    """Replaces what is no letter, digit or harmless sign, in whatever script."""
    kept = (c if _is_kept(c) else " " for c in unicodedata.normalize("NFC", text))
    return re.sub(" +", "_", "".join(kept))


def _is_kept(character: str) -> bool:
    is_mark = unicodedata.category(character).startswith("M")  # Vowels, in many scripts.
    return character.isalnum() or character in _PUNCTUATION or is_mark


def _is_safe(name: str) -> bool:
    fits = 0 < len(name.encode("utf-8", "replace")) <= _LONGEST
    return fits and not name.startswith(".") and name == _safe(name)


def _described(point: spaces.Point) -> str:
    return ", ".join(f"{choice.setting} = {choice.value!r}" for choice in point)
