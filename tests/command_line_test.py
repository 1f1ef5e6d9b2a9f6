import logging
import os
import pathlib
import signal
import time

import pytest

from exporter import command_line, errors, flags_table, gin_parsing, interruptions

MODES = ("export", "sweep")


def _parse(*arguments: str) -> command_line.Command:
    return command_line.parse(["launch.py", *arguments], MODES)


def _mistake(*arguments: str) -> str:
    with pytest.raises(errors.UserError) as caught:
        _parse(*arguments)
    return str(caught.value)


def test_without_flags_the_first_mode_runs_with_defaults() -> None:
    command = _parse()
    assert (command.mode, command.help, command.verbosity) == ("export", None, None)
    assert command.config == command_line.config.Config()


def test_gin_files_params_and_search_paths_repeat_in_order() -> None:
    asked = _parse(
        *("--gin_file=a.gin", "--gin_search_path=x", "--gin_params=A = 1", "--gin_file", "b.gin"),
        *("--gin_search_path=y", "--gin_params=B = 2\nC = 3"),
    ).config
    assert asked.gin_files == ("a.gin", "b.gin")
    assert asked.search_paths == ("x", "y")
    assert asked.bindings == (
        gin_parsing.Source("A = 1", "--gin_params=A = 1"),
        gin_parsing.Source("B = 2\nC = 3", "--gin_params"),
    )


def test_flags_come_after_gin_params() -> None:
    asked = _parse("--vocab_file=v.txt", "--gin_params=A = 1", "--nodo_lower_case").config
    assert [binding.where for binding in asked.bindings] == [
        "--gin_params=A = 1",
        "--vocab_file=v.txt",
        "--do_lower_case=false",
    ]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("--overwrite", "True"),
        ("--overwrite=true", "True"),
        ("--overwrite=1", "True"),
        ("-overwrite", "True"),
        ("--nooverwrite", "False"),
        ("--overwrite=False", "False"),
    ],
)
def test_boolean_flags(argument: str, value: str) -> None:
    (binding,) = _parse(argument).config.bindings
    assert binding.text == f"exporter.export.overwrite = {value}"


def test_the_last_of_a_repeated_flag_wins() -> None:
    (binding,) = _parse("--vocab_file=a", "--vocab_file=b").config.bindings
    assert binding.where == "--vocab_file=b"


def test_a_command_line_of_the_predecessor() -> None:
    asked = _parse(
        "--encoder_config_file=bert_encoder.yaml",
        "--model_checkpoint_path=bert_model.ckpt",
        "--vocab_file=vocab.txt",
        "--export_type=model",
        "--export_path=/tmp/bert_model",
        "--alsologtostderr",
        "--stderrthreshold=info",
    ).config
    assert [binding.text for binding in asked.bindings] == [
        "exporter.export.export_path = '/tmp/bert_model'",
        "exporter.export.export_type = 'model'",
        "exporter.encoder.encoder_config_file = 'bert_encoder.yaml'",
        "exporter.checkpoint.model_checkpoint_path = 'bert_model.ckpt'",
        "exporter.tokenizer.vocab_file = 'vocab.txt'",
    ]


def test_a_flagfile_is_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "flags"
    path.write_text("--vocab_file=v.txt\n# A comment.\n--overwrite\n")
    asked = _parse(f"--flagfile={path}").config
    assert [binding.where for binding in asked.bindings] == [
        "--overwrite=true",
        "--vocab_file=v.txt",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--vocab_flie=v.txt"],
            (
                "There must be a flag of this name; --help lists them. Did you mean --vocab_file?\n"
                "  received: --vocab_flie"
            ),
        ),
        (
            ["--quite_another=1"],
            "There must be a flag of this name; --help lists them.\n  received: --quite_another",
        ),
        (
            ["--mode=exprot"],
            (
                "--mode must be one of: export, sweep.\n"
                "  received: --mode=exprot\n"
                "  example:  --mode=export"
            ),
        ),
        (
            ["vocab.txt", "--overwrite"],
            (
                "There must be nothing but flags on the command line.\n"
                "  received: vocab.txt\n"
                "  example:  --export_path=/tmp/bert_model"
            ),
        ),
        (
            ["--overwrite", "True"],
            (
                "The value of a boolean flag must follow an equals sign.\n"
                "  received: True\n"
                "  example:  --overwrite=True"
            ),
        ),
        (
            ["--default_seq_length=long"],
            (
                "--default_seq_length takes an integer.\n"
                "  received: --default_seq_length=long\n"
                "  example:  --default_seq_length=128"
            ),
        ),
        (
            ["--default_seq_length="],
            (
                "--default_seq_length takes an integer.\n"
                "  received: --default_seq_length=\n"
                "  example:  --default_seq_length=128"
            ),
        ),
        (
            ["--do_lower_case=maybe"],
            (
                "--do_lower_case takes true or false.\n"
                "  received: --do_lower_case=maybe\n"
                "  example:  --do_lower_case=true"
            ),
        ),
        (
            ["--export_path"],
            (
                "Flags must be as --help says: Missing value for flag --export_path.\n"
                "  example:  --export_path=/tmp/bert_model"
            ),
        ),
        (
            ["--nooverwrite=1"],
            (
                "Flags must be as --help says: --nooverwrite=1 does not take an argument.\n"
                "  example:  --export_path=/tmp/bert_model"
            ),
        ),
    ],
)
def test_mistakes(arguments: list[str], message: str) -> None:
    assert _mistake(*arguments) == message


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("--help", "short"), ("--helpshort", "short"), ("--helpfull", "full")],
)
def test_help_is_asked_for(argument: str, expected: str) -> None:
    assert _parse(argument, "--vocab_file=v.txt").help == expected


def test_help_names_each_flag_with_its_gin_parameter_and_default() -> None:
    text = command_line.help_text("Usage.", ["exporter.export"], full=False)
    assert text.startswith("Usage.\n\n  --mode\n      What to do: export.\n")
    flat = " ".join(text.split())
    for flag in flags_table.FLAGS:
        assert f"--[no]{flag.name} " in flat if flag.boolean else f"--{flag.name} " in flat
        assert f"Binds {flag.setting} (default: " in flat
    assert "Binds export.verify (default: 'quick')." in flat
    assert "Binds export.pooler (default: restored_pooler)." in flat
    assert "Binds export.export_path (default: none)." in flat
    assert "logtostderr" not in flat


def test_full_help_has_the_flags_of_logging() -> None:
    assert "--logtostderr" in command_line.help_text("", ["exporter.export"], full=True)


@pytest.mark.parametrize(
    ("verbosity", "level", "tensorflow"),
    [(None, "INFO", "3"), (0, "INFO", "3"), (1, "DEBUG", "0"), (-1, "WARNING", "3")],
)
def test_logging(
    verbosity: int | None, level: str, tensorflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    logger = logging.getLogger("exporter")
    before = logger.level
    command_line.set_up_logging(verbosity)
    assert logging.getLevelName(logger.level) == level
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == tensorflow
    logger.setLevel(before)


def test_a_level_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    before = logging.getLogger("exporter").level
    command_line.set_up_logging(1)
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"
    logging.getLogger("exporter").setLevel(before)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (errors.UserError("A rule."), 2, "error: A rule.\n"),
        (
            errors.UserErrors([errors.UserError("One."), errors.UserError("Two.", received="2")]),
            2,
            "error: One.\nerror: Two.\n  received: 2\n",
        ),
        (errors.VerificationError("It differs."), 3, "error: It differs.\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (interruptions.Terminated(), 143, "terminated\n"),
        (MemoryError(), 2, "error: There must be enough memory.\n"),
    ],
)
def test_reporting(
    error: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _parse("--verbosity=-1")
    with command_line.reporting() as outcome:
        raise error
    assert outcome.status == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message)


def test_a_traceback_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    with command_line.reporting() as outcome:
        _parse("-v=1")
        raise errors.UserError("A rule.")
    assert outcome.status == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last):\n")
    assert error.endswith("\nerror: A rule.\n")
    _parse()  # Parsing again takes it back.
    with command_line.reporting():
        raise errors.UserError("A rule.")
    assert capsys.readouterr().err == "error: A rule.\n"


def test_sigterm_is_told_and_leaves_room_to_clear_up(capsys: pytest.CaptureFixture[str]) -> None:
    cleared = []
    handler = signal.getsignal(signal.SIGTERM)
    with command_line.reporting() as outcome:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            cleared.append(True)
    assert (outcome.status, cleared) == (143, [True])
    assert capsys.readouterr().err == "terminated\n"
    assert signal.getsignal(signal.SIGTERM) == handler


def test_other_exceptions_pass() -> None:
    with pytest.raises(ZeroDivisionError), command_line.reporting():
        raise ZeroDivisionError
    assert logging.getLogger("exporter").handlers == []


def test_success_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    with command_line.reporting() as outcome:
        logging.getLogger("exporter.something").warning("Told as it is.")
    assert outcome.status == 0
    assert capsys.readouterr().err == "Told as it is.\n"
