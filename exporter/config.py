"""The configuration of one run: gin files and bindings as strings, checked as a whole and applied.

    resolved = config.resolve(config.Config(gin_files=("run.gin",)), root="exporter.export")
    resolved.apply()
    folder = resolved.run()

Flags are bindings like any other, applied last (`exporter.flags_table`). A `Config` is plain data:
it can be stored or sent elsewhere, and is resolved where it runs.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
import importlib
import logging
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import gin

from exporter import (
    configurables,
    errors,
    gin_checks,
    gin_macros,
    gin_parsing,
    pretraining_gin,
    progress,
)

_BASE_CONFIG = "official.modeling.hyperparams.base_config"
_logger = logging.getLogger(__name__)
_Result = TypeVar("_Result")


@gin.configurable("config", module="exporter")
@dataclasses.dataclass(frozen=True)
class ConfigSettings:
    """What a gin file may say of the configuration itself.

    Attributes:
      ignored_configurables: Names whose bindings are skipped, as those of
        `configurables.TRAINING_ONLY` are: what a pre-training run binds of one's own trainer, say.
    """

    ignored_configurables: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Config:
    """What a user said, as strings.

    Attributes:
      gin_files: Paths of gin files; later ones win.
      bindings: Gin text that is applied after the files, later ones winning.
      search_paths: Folders in which gin files are looked for, after the current one and before the
        project's. An `include` is first looked for beside the file that has it.
    """

    gin_files: tuple[str, ...] = ()
    bindings: tuple[gin_parsing.Source, ...] = ()
    search_paths: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A configuration in which no mistake was found.

    Attributes:
      root: The full gin name of what it configures: "exporter.export".
      statements: What gin is given, in order, includes resolved.
      used: The configurables that are bound or referred to.
      ignored: The bindings that play no part in an export.
      notes: What is worth a line in the log.
    """

    root: str
    statements: tuple[gin_parsing.Statement, ...]
    used: tuple[configurables.Configurable, ...]
    ignored: tuple[gin_parsing.Binding, ...]
    notes: tuple[str, ...] = ()

    @property
    def bindings(self) -> tuple[gin_parsing.Binding, ...]:
        """The bindings that gin is given, in order."""
        return tuple(item for item in self.statements if isinstance(item, gin_parsing.Binding))

    @functools.cached_property
    def winning(self) -> Mapping[str, gin_parsing.Binding]:
        """The last binding of each parameter and macro, as `gin_checks.winning` returns them."""
        return gin_checks.winning(self.bindings)

    def where(self, setting: str) -> str | None:
        """Returns the flag, or gin file and line, that decides a setting; None if nothing does.

        Args:
          setting: A configurable and its parameter: "tokenizer.vocab_file".
        """
        binding = self._winning(setting)
        if binding is None:
            return None
        return gin_macros.places(binding, gin_macros.definitions(self.bindings))

    def value(self, setting: str) -> Any:
        """Returns the literal that a setting is bound to, by way of macros or not.

        Returns:
          None where nothing is bound; a `gin_parsing.Reference` for what gin would call.
        """
        binding = self._winning(setting)
        macros = gin_macros.definitions(self.bindings)
        return None if binding is None else gin_macros.resolve(binding.value, macros)

    def apply(self, *, quietly: bool = False) -> None:
        """Replaces gin's configuration by this one, importing what it names.

        Args:
          quietly: Whether nothing is logged.

        Raises:
          UserError: Gin refuses a binding that could not be judged without importing.
        """
        for line in (*self.notes, *([_ignored_line(self.ignored)] if self.ignored else [])):
            if not quietly:
                _logger.info("%s", line)
        gin.clear_config()
        if any(entry.module for entry in self.used):
            with progress.step("importing what gin names of TF-NLP"):
                configurables.import_all(self.used)
        for statement in self.statements:
            _apply(statement)
        gin.finalize()
        pretraining_gin.remember(self.bindings)

    def run(self) -> Any:
        """Calls the root configurable.

        Raises:
          UserError, VerificationError: As the root did, with the place of the setting.
        """
        return self.call(gin.get_configurable(self.root))

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Calls what is configured by this configuration, which is applied.

        Raises:
          UserError, VerificationError: As it did, with the place of the setting.
        """
        # TF-NLP registers configurables when it is imported, which a locked gin refuses.
        with gin.unlock_config():
            try:
                return function()
            except errors.UserError as error:
                original = unwrap(error)
                original.locate(self.where)
                raise original from None
            except errors.VerificationError as error:
                raise unwrap(error) from None

    def text(self) -> str:
        """Returns the applied configuration as gin text, in an order that is always the same."""
        comment = f"# {_ignored_line(self.ignored)}\n\n" if self.ignored else ""
        return f"{comment}{gin.config_str().strip()}\n"

    def record(self, folder: str) -> None:
        """Writes `parsed.gin` (all bindings) and `operative.gin` (what was used, with defaults).

        Args:
          folder: Made where it does not exist; a path that `tf.io.gfile` can write.
        """
        operative = f"{gin.operative_config_str().strip()}\n"
        for name, text in (("parsed.gin", self.text()), ("operative.gin", operative)):
            _write(folder, name, text)

    def _winning(self, setting: str) -> gin_parsing.Binding | None:
        scoped, _, parameter = setting.rpartition(".")
        scope, slash, selector = scoped.rpartition("/")
        # Ours come first: a user's package may have a `tokenizer`, too.
        entry = configurables.find_one(f"exporter.{selector}") or configurables.find_one(selector)
        full = f"{scope}{slash}{entry.selector if entry else selector}.{parameter}"
        return self.winning.get(full)


def resolve(config: Config, root: str) -> Resolved:
    """Reads and checks a configuration, importing no more than it asks for by `import`.

    Args:
      config: What the user said.
      root: The module of the root configurable, which has the same name: "exporter.export".

    Raises:
      UserError: There are mistakes; all of them are told.
    """
    return resolve_parsed(parse(config), root)


def parse(config: Config) -> gin_parsing.Parsed:
    """Reads a configuration's files and bindings, as `resolve` does."""
    return gin_parsing.parse(config.gin_files, config.bindings, config.search_paths)


def resolve_parsed(parsed: gin_parsing.Parsed, root: str) -> Resolved:
    """Checks a configuration that was read before.

    Args:
      parsed: The configuration.
      root: As `resolve` takes it; its module is imported.

    Raises:
      UserError: There are mistakes; all of them are told.
    """
    with gin.unlock_config():  # An earlier run in this process may have locked it.
        importlib.import_module(root)
    record = pretraining_gin.read(parsed.bindings)
    notes = [record.note] if record else []
    if record:
        parsed = _joined(record.parsed, parsed)
    if parsed.imports:  # They may register any name: nothing can be judged without them.
        errors.raise_all(parsed.mistakes)
        parsed = imported(parsed, notes)
    (entry,) = configurables.fits(root)
    findings = gin_checks.check(parsed, entry)
    errors.raise_all([*findings.mistakes, *pretraining_gin.check(findings.kept)])
    ignored = {id(binding) for binding in findings.ignored}
    statements = pretraining_gin.without_defaults(
        item for item in parsed.statements if id(item) not in ignored
    )
    bindings = [item for item in statements if isinstance(item, gin_parsing.Binding)]
    return Resolved(
        root=entry.selector,
        statements=statements,
        used=tuple(gin_checks.used(bindings).values()),
        ignored=tuple(findings.ignored),
        notes=(*notes, *findings.notes),
    )


def unwrap(error: BaseException) -> Any:
    """Returns the exception that was raised inside a configurable.

    Gin lets a copy climb out of each configurable: of a subclass made on the spot, with its own
    text appended to the message.
    """
    while "__getattr__" in vars(type(error)) and error.__context__ is not None:
        error = error.__context__
    return error


def _joined(*parts: gin_parsing.Parsed) -> gin_parsing.Parsed:
    statements = [statement for part in parts for statement in part.statements]
    return gin_parsing.Parsed(statements, [mistake for part in parts for mistake in part.mistakes])


def imported(parsed: gin_parsing.Parsed, notes: list[str] | None = None) -> gin_parsing.Parsed:
    """Imports what the statements name.

    Args:
      parsed: The statements.
      notes: Gets a line for each import of a pre-training run's that fails here.

    Returns:
      The statements without those imports.

    Raises:
      UserError: An import of the user's fails.
    """
    statements, mistakes = [], []
    for statement in parsed.statements:
        mistake = _import(statement) if isinstance(statement, gin_parsing.Import) else None
        if mistake is None:
            statements.append(statement)
        elif statement.recorded:
            if notes is not None:
                notes.append(f"{statement.where}: left out, for it fails here: {mistake.received}")
        else:
            mistakes.append(mistake)
    errors.raise_all(mistakes)
    if _BASE_CONFIG in sys.modules:  # What is bound to a builder, gin may name.
        importlib.import_module("exporter.builders").register_configurables()
    return gin_parsing.Parsed(statements, parsed.mistakes)


def _import(statement: gin_parsing.Import) -> errors.UserError | None:
    if statement.module.startswith("__gin__."):
        return None
    try:
        importlib.import_module(statement.module)
    except (ImportError, AttributeError) as error:  # The latter: gin.tf, with TensorFlow 2.20.
        mistake = errors.UserError(
            "What a gin file imports must be a module that can be imported: installed, or in a "
            "folder that PYTHONPATH names.",
            example="PYTHONPATH=/path/to/your/folder python launch.py ...",
            received=f"{statement.text} ({error})",
            where=statement.where,
        )
        mistake.__cause__ = error
        return mistake
    return None


def _apply(statement: gin_parsing.Statement) -> None:
    try:
        if isinstance(statement, gin_parsing.Import):
            gin.parse_config(statement.text)
        elif statement.preamble or statement.inside:
            gin.parse_config(f"{statement.preamble}{statement.text}")
        else:  # As gin does with what it has parsed; a sweep applies thousands.
            named = (statement.scope, statement.selector, statement.parameter)
            macro = (statement.macro, "gin.macro", "value")
            value = copy.deepcopy(statement.value)
            gin.bind_parameter(named if statement.macro is None else macro, value)
    except (ValueError, TypeError, LookupError, NameError, AttributeError, SyntaxError) as error:
        reason = str(error).split("\n")[0]
        raise errors.UserError(
            f"Gin must accept the statement; it says: {reason}",
            received=statement.text,
            where=statement.where,
        ) from error


def _ignored_line(ignored: Sequence[gin_parsing.Binding]) -> str:
    counts = collections.Counter(binding.selector for binding in ignored if binding.macro is None)
    names = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
    return f"Ignored, since only training uses them (bindings): {names}"


def _write(folder: str, name: str, text: str) -> None:
    if "://" not in folder:
        path = pathlib.Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
        return
    import tensorflow as tf

    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(f"{folder.rstrip('/')}/{name}", "w") as file:
        file.write(text)
