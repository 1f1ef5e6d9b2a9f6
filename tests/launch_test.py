import importlib
import os
import pathlib
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import gin
import pytest

import launch
from exporter import errors, gin_files
from tests.launch_mistakes import MISTAKES, Mistake, Place

PROJECT = pathlib.Path(launch.__file__).parent
FOUND_IN = str(gin_files.PROJECT_FOLDER)
HEAVY = {"tensorflow", "tf_keras", "keras", "official", "tensorflow_text"}


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path)
    made.target.mkdir(parents=True)
    (made.target / "saved_model.pb").write_bytes(b"An earlier export.")
    monkeypatch.chdir(tmp_path)
    yield made
    gin.clear_config()


def _snapshot(folder: pathlib.Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake_is_told_and_nothing_written(
    mistake: Mistake, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"--export_path={place.target}", *mistake.arguments(place)]
    before = _snapshot(place.folder)
    status = launch.run(["launch.py", *arguments])
    captured = capsys.readouterr()
    told = mistake.told.replace("{folder}", str(place.folder)).replace("{project}", FOUND_IN)
    assert captured.err == told
    assert captured.out == ""
    assert status == errors.EXIT_USER_ERROR
    assert _snapshot(place.folder) == before


def test_there_are_enough_mistakes_and_each_has_a_name() -> None:
    names = [mistake.name for mistake in MISTAKES]
    assert len(names) == len(set(names)) >= 25


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--helpfull"], 0),
        (["--no_such_flag"], 2),
        (["--export_path=x", "--gin_params=EncoderScafold.x = 1"], 2),
        (["--gin_params=tokenizer.vocab_flie = 'v.txt'"], 2),
        (["--export_path=x", "--export_type=encoder"], 2),
    ],
    ids=["help", "helpfull", "flag", "configurable", "parameter", "value"],
)
def test_help_and_mistakes_do_not_import_tensorflow(arguments: list[str], status: int) -> None:
    code = (
        "import sys, launch\n"
        "assert launch.run(['launch.py', *sys.argv[1:-1]]) == int(sys.argv[-1])\n"
        f"assert not {HEAVY!r} & set(sys.modules), sys.modules.keys()\n"
    )
    done = _python(code, *arguments, str(status))
    assert done.returncode == 0, done.stderr


def _launch(
    *arguments: str, cwd: pathlib.Path = PROJECT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROJECT / "launch.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def test_help_takes_less_than_a_second() -> None:
    _launch("--help")  # Bytecode is written the first time.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _launch("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The processor's time: others may be keeping the machine busy.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    assert done.returncode == 0
    assert "--export_path" in done.stdout
    assert done.stderr == ""


def test_the_program_exits_with_the_status(tmp_path: pathlib.Path) -> None:
    done = _launch("--vocab_flie=v.txt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: There must be a flag of this name;")


def test_bazel_run_takes_paths_relative_to_the_users_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine.gin").write_text("tokenizer.x = 1\n")
    done = _launch("--gin_file=mine.gin", BUILD_WORKING_DIRECTORY=str(tmp_path))
    assert "  where:    mine.gin:1\n" in done.stderr


MODES = """
import os, signal, gin
from exporter import errors, gin_files
from tests.launch_mistakes import MISTAKES, Mistake, Place

@gin.configurable(module="launch_test_modes")
def act(what: str = gin.REQUIRED, dry_run: bool = False):
    if dry_run:
        return None
    if what == "verify":
        raise errors.VerificationError("It differs.")
    if what == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    if what == "break":
        raise RuntimeError("A bug.")
    return what
"""


@pytest.fixture(scope="module")
def modes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "launch_test_modes").mkdir()
    (folder / "launch_test_modes" / "__init__.py").touch()
    (folder / "launch_test_modes" / "act.py").write_text(MODES)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture
def act(modes: None, place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a mode that does what it is told."""
    monkeypatch.setitem(launch.MODES, "act", "launch_test_modes.act")

    def run(what: str, *arguments: str) -> int:
        return launch.run(
            ["launch.py", "--mode=act", f"--gin_params=act.what = {what!r}", *arguments]
        )

    return run


def test_success_leaves_a_record_beside_the_export(act: Callable[..., int], place: Place) -> None:
    assert act(str(place.target)) == 0
    record = place.folder / "exports" / "earlier.record"
    assert sorted(path.name for path in record.iterdir()) == ["operative.gin", "parsed.gin"]
    gin.clear_config()
    gin.parse_config((record / "operative.gin").read_text())
    assert gin.query_parameter("act.what") == str(place.target)
    assert gin.query_parameter("act.dry_run") is False


def test_a_dry_run_prints_the_configuration_and_records_nothing(
    act: Callable[..., int], place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _snapshot(place.folder)
    assert act("chess", "--gin_params=act.dry_run = True") == 0
    assert capsys.readouterr().out == (
        "# Parameters for act:\n"
        f"# {'=' * 78}\n"
        "act.dry_run = True\n"
        "act.what = 'chess'\n"
    )  # fmt: skip
    assert _snapshot(place.folder) == before


def test_a_failed_verification_has_a_status_of_its_own(
    act: Callable[..., int], place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert act("verify") == 3
    assert capsys.readouterr().err == "error: It differs.\n"


def test_an_interruption_has_a_status_of_its_own(
    act: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert act("interrupt") == 130
    finally:
        signal.signal(signal.SIGINT, handler)
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_is_not_taken_for_a_mistake(act: Callable[..., int]) -> None:
    with pytest.raises(RuntimeError, match="A bug"):
        act("break")


def test_a_traceback_on_request(
    act: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert act("verify", "-v=1") == 3
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last):\n")
    assert error.endswith("\nerror: It differs.\n")


def test_a_run_file_and_an_encoder_file_compose(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundled files are found from anywhere, and flags win over them."""
    resolved = launch.config.resolve(
        launch.command_line.parse(
            [
                "launch.py",
                "--gin_file=configs/encoders/bert_tiny.gin",
                "--gin_file=configs/runs/encoder.gin",
                "--export_type=all",
                f"--export_path={place.target}",
            ],
            tuple(launch.MODES),
        ).config,
        "exporter.export",
    )
    assert resolved.value("export.export_type") == "all"
    assert resolved.where("export.export_type") == "--export_type=all"
    assert resolved.where("BertEncoderConfig.num_layers") == (
        f"{FOUND_IN}/configs/encoders/bert_tiny.gin:9"
    )


def test_every_mode_has_a_root_of_its_name() -> None:
    for mode, root in launch.MODES.items():
        resolved_name = root.rpartition(".")[2]
        assert resolved_name == mode
        importlib.import_module(root)
        (entry,) = launch.config.configurables.fits(root)
        assert entry.name == mode
