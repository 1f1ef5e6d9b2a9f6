"""Reads gin files into flat lists of bindings, without running anything they name.

Gin's own parser does the syntax. What is added: an `include` is also looked for in the including
file's folder, every binding knows where it was said, and a mistake in one file does not hide those
in the next.
"""

from __future__ import annotations

import dataclasses
import functools
import tokenize
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gin import config_parser

from exporter import errors, gin_files

# `NAME/macro.value = 1` is gin's long form of `NAME = 1`, and `@NAME/macro()` that of `%NAME`.
MACRO_SELECTORS = ("macro", "gin.macro")
# Files that include others several times can do so more often than there is time for.
_MAX_FILES = 200


@dataclasses.dataclass(frozen=True)
class Source:
    """Gin text that came from elsewhere than a file.

    Attributes:
      text: One or more lines of gin.
      where: What it came from, for messages: "--vocab_file=vocab.txt".
    """

    text: str
    where: str


@dataclasses.dataclass(frozen=True)
class Reference:
    """`@scope/selector` or, evaluated, `@scope/selector()`."""

    scope: str
    selector: str
    evaluate: bool

    def __repr__(self) -> str:
        return f"@{_scoped(self.scope, self.selector)}{'()' if self.evaluate else ''}"


@dataclasses.dataclass(frozen=True)
class Macro:
    """`%name`."""

    name: str

    def __repr__(self) -> str:
        return f"%{self.name}"


@dataclasses.dataclass(frozen=True)
class Binding:
    """`scope/selector.parameter = value`, or a macro's definition: `scope/selector = value`.

    Attributes:
      scope: Scopes joined by "/", or "".
      selector: The configurable as it was written.
      parameter: The parameter; "" for a macro.
      value: Python literals, `Reference` and `Macro`, nested.
      where: "file:line", or the flag.
      preamble: The imports that the file's dynamic registration resolves the names by, if any.
      recorded: Whether it is what a pre-training run recorded, and not the user's.
    """

    scope: str
    selector: str
    parameter: str
    value: Any
    where: str
    preamble: str = ""
    recorded: bool = False

    # A sweep asks for these hundreds of times a point.
    @functools.cached_property
    def macro(self) -> str | None:
        """The name of the macro that this defines, or None."""
        if not self.parameter:
            return _scoped(self.scope, self.selector)
        long_form = self.selector in MACRO_SELECTORS and self.parameter == "value"
        return self.scope if long_form else None

    @functools.cached_property
    def name(self) -> str:
        """What stands left of the equals sign."""
        selector = _scoped(self.scope, self.selector)
        return f"{selector}.{self.parameter}" if self.parameter else selector

    @functools.cached_property
    def inside(self) -> tuple[Reference | Macro, ...]:
        """The references and macros in its value."""
        return tuple(walk(self.value))

    @property
    def text(self) -> str:
        """The binding as one logical line of gin."""
        return f"{self.name} = {self.value!r}"


@dataclasses.dataclass(frozen=True)
class Import:
    """An `import` statement: its text, the module it names, and the rest as in `Binding`."""

    text: str
    module: str
    where: str
    recorded: bool = False


Statement = Binding | Import


@dataclasses.dataclass
class Parsed:
    """What was read: the statements in the order in which they apply, and what was wrong."""

    statements: list[Statement] = dataclasses.field(default_factory=list)
    mistakes: list[errors.UserError] = dataclasses.field(default_factory=list)

    @property
    def bindings(self) -> list[Binding]:
        """The bindings, in the order in which they apply."""
        return [statement for statement in self.statements if isinstance(statement, Binding)]

    @property
    def imports(self) -> list[Import]:
        """The imports, in the order in which they apply."""
        return [statement for statement in self.statements if isinstance(statement, Import)]


def parse(
    paths: Iterable[str], sources: Iterable[Source], search_paths: Iterable[str] = ()
) -> Parsed:
    """Reads gin files with what they include, then further gin text.

    Args:
      paths: Gin files as a user gives them; later ones win.
      sources: Text that is applied after the files, in order.
      search_paths: Folders in which a relative path is looked for, after the current one and
        before the project's.
    """
    reader = _Reader(tuple(search_paths))
    for path in paths:
        reader.read_file(path, where=f"--gin_file={path}", folder=None, stack=())
    for source in sources:
        reader.read_text(source.text, functools.partial(_line_of, source))
    return reader.parsed


def walk(value: Any) -> Iterator[Reference | Macro]:
    """Yields the references and macros inside a value."""
    if isinstance(value, Reference | Macro):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from walk(key)
            yield from walk(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from walk(item)


def _scoped(scope: str, selector: str) -> str:
    return f"{scope}/{selector}" if scope else selector


def _line_of(source: Source, line: int) -> str:
    lines = source.text.split("\n")
    several = sum(bool(text.strip()) for text in lines) > 1
    return f"{source.where}, line {line}" if several else source.where


class _Delegate(config_parser.ParserDelegate):
    """Makes plain data of what a gin value refers to."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Reference:
        scope, _, selector = scoped_configurable_name.rpartition("/")
        return Reference(scope, selector, evaluate)

    def macro(self, macro_name: str) -> Macro:
        return Macro(macro_name)


class _Reader:
    """Collects statements and mistakes while files include files."""

    def __init__(self, search_paths: tuple[str, ...]) -> None:
        self.parsed = Parsed()
        self._search_paths = search_paths
        self._num_files = 0

    def read_file(
        self, path: str, *, where: str, folder: str | None, stack: tuple[str, ...]
    ) -> None:
        """Reads a file; `folder` is that of the file that includes it, `stack` all above it."""
        self._num_files += 1
        if self._num_files > _MAX_FILES:
            if self._num_files == _MAX_FILES + 1:
                self.parsed.mistakes.append(_too_many_files(path, where))
            return
        try:
            found = gin_files.find(path, where, self._search_paths, folder)
            key = gin_files.identity(found)
            if key in stack:
                raise errors.UserError(
                    "A gin file must not include itself, directly or by way of others.",
                    received=" -> ".join([*stack[stack.index(key) :], key]),
                    where=where,
                )
            text = gin_files.read(found, where)
        except errors.UserError as mistake:
            self.parsed.mistakes.append(mistake)
            return
        own_folder = found.rpartition("/")[0] if "/" in found else ""
        self.read_text(text, lambda line: f"{found}:{line}", own_folder, (*stack, key))

    def read_text(
        self,
        text: str,
        where: Callable[[int], str],
        folder: str | None = None,
        stack: tuple[str, ...] = (),
    ) -> None:
        """Reads gin text; `where` says where a line is."""
        preamble = ""
        try:
            for statement in config_parser.ConfigParser(text, _Delegate()):
                location = where(statement.location.line_num)
                if isinstance(statement, config_parser.IncludeStatement):
                    self.read_file(statement.filename, where=location, folder=folder, stack=stack)
                elif isinstance(statement, config_parser.ImportStatement):
                    line = statement.format()
                    if preamble or statement.module == "__gin__.dynamic_registration":
                        preamble += f"{line}\n"
                    self.parsed.statements.append(Import(line, statement.module, location))
                elif isinstance(statement, config_parser.BindingStatement):
                    key = (statement.scope, statement.selector, statement.arg_name)
                    binding = Binding(*key, statement.value, location, preamble)
                    self.parsed.statements.append(binding)
        except RecursionError:
            self.parsed.mistakes.append(_too_deep(where))
        except (SyntaxError, tokenize.TokenError, ValueError) as error:
            self.parsed.mistakes.append(_syntax_mistake(error, text, where))


def _too_many_files(path: str, where: str) -> errors.UserError:
    return errors.UserError(
        f"There must not be more than {_MAX_FILES} gin files, each counted as often as it is "
        "included.",
        received=path,
        where=where,
    )


def _too_deep(where: Callable[[int], str]) -> errors.UserError:
    return errors.UserError(
        "In a gin file, values must not stand in values hundreds of times deep.",
        received="[[[[...",
        where=where(1),
    )


def _syntax_mistake(error: Exception, text: str, where: Callable[[int], str]) -> errors.UserError:
    message, line = str(error), 1
    if isinstance(error, SyntaxError):
        message, line = error.msg, error.lineno or 1
    elif isinstance(error, tokenize.TokenError):
        message, (line, _) = error.args
    lines = text.split("\n")
    # What Python's literal parser says of a word holds an address in memory.
    message = message.split("\n")[-1].strip() if "Failed to parse" in message else message
    return errors.UserError(
        f"This must be a statement of gin: {message.rstrip('.')}.",
        example="tokenizer.vocab_file = 'vocab.txt' (text in quotes)",
        received=lines[min(line, len(lines)) - 1].strip() or "the end of the text",
        where=where(line),
    )
