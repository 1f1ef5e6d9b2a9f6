"""The command line: absl flags in, a configuration out; exceptions in, exit statuses out."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import os
import sys
import textwrap
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gin
from absl import flags
from absl import logging as absl_logging

from exporter import config, configurables, errors, flags_table, gin_parsing, interruptions

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
# Nobody reads what is printed any more.
EXIT_BROKEN_PIPE = 141
_OWN_FLAGS: Mapping[str, str] = {
    "gin_file": "A gin file; may be repeated, later ones win. Looked for in the current folder, "
    "then where --gin_search_path says, then in the project's.",
    "gin_params": "Gin bindings, applied after the files; may be repeated and hold several lines.",
    "gin_search_path": "A folder in which gin files and what they include are looked for; may be "
    "repeated.",
}
_HELP_FLAGS = ("help", "helpshort", "helpfull")


@dataclasses.dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
      mode: What to do.
      config: With which configuration.
      help: "short" or "full" if a description is asked for instead, else None.
      verbosity: absl's --verbosity, or None where it was not given.
    """

    mode: str
    config: config.Config
    help: str | None
    verbosity: int | None


@dataclasses.dataclass
class Outcome:
    """How a command ended.

    Attributes:
      status: The exit status.
    """

    status: int = 0


def parse(argv: Sequence[str], modes: Sequence[str]) -> Command:
    """Reads a command line.

    Args:
      argv: The program's name and its arguments.
      modes: What --mode may be; the first is the default.

    Raises:
      UserError: A flag is unknown, its value is wrong, or there is something besides flags.
    """
    values = _flag_values(modes)
    try:
        rest = values(list(argv))[1:]
    except flags.UnrecognizedFlagError as error:
        raise _unknown_flag(error.flagname, values) from None
    except (flags.Error, ValueError) as error:
        raise errors.UserError(
            f"Flags must be as --help says: {error}.", example="--export_path=/tmp/bert_model"
        ) from None
    if values["help"].value or values["helpshort"].value or values["helpfull"].value:
        return Command(
            modes[0], config.Config(), "full" if values["helpfull"].value else "short", None
        )
    _check_rest(rest)
    if values["mode"].value not in modes:
        raise errors.UserError(
            f"--mode must be one of: {', '.join(modes)}.",
            example=f"--mode={modes[0]}",
            received=f"--mode={values['mode'].value}",
        )
    _check_mode(values, modes)
    verbosity = values["verbosity"]
    return Command(
        values["mode"].value,
        _configuration(values),
        help=None,
        verbosity=verbosity.value if verbosity.present else None,
    )


def help_text(usage: str, roots: Sequence[str], *, full: bool) -> str:
    """Returns what --help prints.

    Args:
      usage: What stands above the flags.
      roots: The modules of the modes' root configurables.
      full: Whether absl's own flags are described, too.
    """
    for root in roots:  # They register what the flags bind, whose defaults are told.
        importlib.import_module(root)
    modes = ", ".join(root.rpartition(".")[2] for root in roots)
    entries = [("mode", f"What to do: {modes}.")]
    for flag in flags_table.FLAGS:
        selector, _, parameter = flag.setting.rpartition(".")
        entry = configurables.find_one(selector)
        default = entry.defaults.get(parameter) if entry else None
        shown = "none" if default is gin.REQUIRED else getattr(default, "__name__", repr(default))
        text = f"{flag.help} Binds {flag.setting} (default: {shown})."
        entries.append((f"[no]{flag.name}" if flag.boolean else flag.name, text))
    entries += _OWN_FLAGS.items()
    entries.append(("verbosity, -v", "1 shows tracebacks and all logs, -1 warnings only."))
    if full:
        entries += [(flag.name, flag.help or "") for flag in _absl_flags()]
    described = [
        f"  --{name}\n{textwrap.fill(text, 96, initial_indent=' ' * 6, subsequent_indent=' ' * 6)}"
        for name, text in entries
    ]
    return "\n".join([usage.strip(), "", *described])


def set_up_logging(verbosity: int | None) -> None:
    """Keeps TensorFlow's start-up messages out of the way, unless they are asked for.

    Marks absl's global flags as parsed.

    Args:
      verbosity: absl's: 1 for all, 0 for information, -1 for warnings; None for our choice.
    """
    flags.FLAGS.mark_as_parsed()  # Whatever is imported later finds its flags at their defaults.
    verbose = verbosity is not None and verbosity > 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    level = logging.INFO if verbosity is None else logging.DEBUG if verbose else logging.WARNING
    logging.getLogger("exporter").setLevel(logging.INFO if verbosity == 0 else level)


@contextlib.contextmanager
def reporting() -> Iterator[Outcome]:
    """Tells a user's mistake or a failed verification in one message, and gives its exit status.

    So it does with interruption, SIGTERM and a lack of memory. Any other exception passes.
    Meanwhile the exporter's own log goes to standard error as it is.
    """
    outcome = Outcome()
    logger = logging.getLogger("exporter")
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    logger.propagate = False  # Libraries that are imported later give the root logger handlers.
    try:
        with interruptions.raised():
            yield outcome
            sys.stdout.flush()
    except interruptions.Terminated:
        _say("terminated")
        outcome.status = EXIT_TERMINATED
    except KeyboardInterrupt:
        _say("interrupted")
        outcome.status = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python would try once more at its end, and say that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        outcome.status = EXIT_BROKEN_PIPE
    except errors.UserError as error:
        _tell(error)
        outcome.status = errors.EXIT_USER_ERROR
    except errors.VerificationError as error:
        _tell(error)
        outcome.status = errors.EXIT_VERIFICATION_FAILED
    except errors.IncompleteError as error:
        _tell(error)
        outcome.status = errors.EXIT_INCOMPLETE
    except MemoryError as error:
        _tell(errors.UserError("There must be enough memory.", received=str(error) or None))
        outcome.status = errors.EXIT_USER_ERROR
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def _tell(error: Exception) -> None:
    if absl_logging.get_verbosity() > 0:
        traceback.print_exception(error)
    mistakes = error.errors if isinstance(error, errors.UserErrors) else [error]
    for mistake in mistakes:
        _say(f"error: {mistake}")


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # Nobody hears it; the exit status tells all.
        print(text, file=sys.stderr)


def open_standard_streams() -> None:
    """Opens standard input, output and error where they are closed.

    Otherwise the next files that are opened would take their places, and what TensorFlow prints
    would be written into an export.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # The lowest that is free.
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115 (as long as the process)
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


def _flag_values(modes: Sequence[str]) -> flags.FlagValues:
    """Returns flags that are not absl's global ones, so that a process may parse many times."""
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    text = flags.ArgumentParser()
    values["mode"] = flags.Flag(text, None, "mode", modes[0], "mode")
    for flag in flags_table.FLAGS:
        values[flag.name] = flags.Flag(text, None, flag.name, None, flag.help, boolean=flag.boolean)
    for name, description in _OWN_FLAGS.items():
        values[name] = flags.MultiFlag(text, None, name, [], description)
    for name in _HELP_FLAGS:
        values[name] = flags.BooleanFlag(name, False, "Describes the flags.")
    for flag in _absl_flags():
        flag.unparse()
        values[flag.name] = flag
    return values


def _absl_flags() -> list[Any]:
    return flags.FLAGS.flags_by_module_dict()[absl_logging.__name__]


def _configuration(values: flags.FlagValues) -> config.Config:
    given = {
        flag.name: values[flag.name].value
        for flag in flags_table.FLAGS
        if values[flag.name].present
    }
    params = tuple(
        gin_parsing.Source(text, "--gin_params" if "\n" in text else f"--gin_params={text}")
        for text in values["gin_params"].value
    )
    return config.Config(
        gin_files=tuple(values["gin_file"].value),
        bindings=params + flags_table.bindings(given),
        search_paths=tuple(values["gin_search_path"].value),
    )


def _unknown_flag(name: str, values: flags.FlagValues) -> errors.UserError:
    guess = configurables.closest(name, list(values))
    return errors.UserError(
        f"There must be a flag of this name; --help lists them. Did you mean --{guess}?"
        if guess
        else "There must be a flag of this name; --help lists them.",
        received=f"--{name}",
    )


def _check_mode(values: flags.FlagValues, modes: Sequence[str]) -> None:
    """Refuses flags of other modes. Those of an export say to all what it is."""
    others = {*modes} - {modes[0], values["mode"].value}
    errors.raise_all(
        [
            errors.UserError(
                f"--{flag.name} is for --mode={flag.setting.partition('.')[0]}.",
                received=f"--mode={values['mode'].value} --{flag.name}={values[flag.name].value}",
            )
            for flag in flags_table.FLAGS
            if values[flag.name].present and flag.setting.partition(".")[0] in others
        ]
    )


def _check_rest(rest: Sequence[str]) -> None:
    if not rest:
        return
    truth = rest[0].lower() in ("true", "false")
    raise errors.UserError(
        "The value of a boolean flag must follow an equals sign."
        if truth
        else "There must be nothing but flags on the command line.",
        example=f"--overwrite={rest[0]}" if truth else "--export_path=/tmp/bert_model",
        received=" ".join(rest),
    )
