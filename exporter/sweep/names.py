"""The names of a sweep's exports, made of their values: unique, and safe as those of folders."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from exporter import errors
from exporter.sweep import spaces

SETTING = "sweep.name"
_LONGEST = 200
# A value that is a path stands for the file: without folders, and without what says its kind.
_PATH = re.compile(r"(?:.*/)?([^/]+?)/*(?:\.(?:gin|txt|ya?ml|json|model|ckpt))?")


class _Formatter(string.Formatter):
    """Formats numbers as Python does, and everything else as a part of a folder's name."""

    def format_field(self, value: Any, format_spec: str) -> str:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return format(value if number and format_spec else _shown(value), format_spec)


def name(point: spaces.Point, template: str | None, where: str) -> str:
    """Returns the name of a point's export.

    Args:
      point: The point.
      template: With a label in braces for its value: "{pooler}-{step:07d}". None joins all values.
      where: Where the template was said, for errors.

    Raises:
      UserError: The template asks for what is no label, or the name cannot be a folder's.
    """
    values = {choice.label: choice.plain for choice in point}
    if template is None:
        made = "-".join(map(_shown, values.values())) or "export"
    else:
        made = _formatted(template, values, where)
    if not re.fullmatch(r"[A-Za-z0-9_+=,-][A-Za-z0-9_.+=,-]*", made) or len(made) > _LONGEST:
        raise errors.UserError(
            f"An export's name must have 1 to {_LONGEST} letters, digits and any of _ . + = , - "
            "and not begin with a period.",
            example=f"{SETTING} = '{{{next(iter(values), 'label')}}}'",
            received=repr(made),
            where=where,
        )
    if made.endswith(".record"):
        raise errors.UserError(
            "An export's name must not end in .record: what is beside an export has that name.",
            example=f"{SETTING} = 'export-{{{next(iter(values), 'label')}}}'",
            received=made,
            where=where,
        )
    return made


def require_unique(names: Sequence[str], points: Sequence[spaces.Point], where: str) -> None:
    """Raises if two points have the same name.

    Args:
      names: The points' names, in the points' order.
      points: The points.
      where: Where the template was said, for errors.

    Raises:
      UserError: With the first two points that have one name, whatever the letters' case.
    """
    seen: dict[str, int] = {}
    for index, made in enumerate(names):
        first = seen.setdefault(made.casefold(), index)
        if first != index:
            texts = (_described(points[i]) for i in (first, index))
            raise errors.UserError(
                "Each point's export must have a name of its own, whatever the letters' case.",
                example=f"{SETTING} = '{'-'.join(f'{{{c.label}}}' for c in points[index])}'",
                received=f"{made} for {' and for '.join(texts)}",
                where=where,
            )


def _formatted(template: str, values: Mapping[str, Any], where: str) -> str:
    try:
        return _Formatter().vformat(template, (), values)
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        raise errors.UserError(
            "The template of names must have labels in braces, of the axes that each point has: "
            f"{', '.join(values)}.",
            example=f"{SETTING} = '{'-'.join(f'{{{label}}}' for label in values)}'",
            received=f"{template!r} ({type(error).__name__}: {error})",
            where=where,
        ) from None


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "_".join(map(_shown, value))
    if isinstance(value, dict):
        return "_".join(f"{_shown(key)}={_shown(item)}" for key, item in value.items())
    text = str(value)
    path = _PATH.fullmatch(text) if isinstance(value, str) else None
    text = path[1] if path else text
    return re.sub(r"[^A-Za-z0-9_.+=,-]+", "_", text).lstrip(".") or "_"


def _described(point: spaces.Point) -> str:
    return ", ".join(f"{choice.setting} = {choice.value!r}" for choice in point)
