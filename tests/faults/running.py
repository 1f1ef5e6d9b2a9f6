"""Exports in processes of their own, on the bundled pre-training run, and a look at them."""

from __future__ import annotations

import dataclasses
import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

ROOT = pathlib.Path(__file__).parents[2]
EXPORT_TYPES = ("model", "model_with_mlm", "preprocessing", "all")

RUN = ROOT / "tests" / "testdata" / "bert_tiny"
# The launcher ends each step with such a line on standard error.
_STEP = re.compile(r"(.+): \d+\.\d s$")


class Fork:
    """An export in a fork of this process, with the interface of `subprocess.Popen`.

    Attributes:
      pid: The process.
      stderr: What it says, on standard output, too.
      peak_mb: How much memory it had at most, in megabytes, when it has ended.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        prepare: Callable[[], object] = lambda: None,
        *,
        supervised: bool = False,
    ) -> None:
        """Starts `launch.py` with some arguments.

        Args:
          arguments: The arguments.
          prepare: Is called in the process first.
          supervised: Whether another process tells of its end, as with the real command.
        """
        import launch
        from exporter import supervision

        def command() -> int:
            prepare()
            return launch.run(["launch.py", *arguments])

        read, write = os.pipe()
        sys.stdout.flush()
        self.peak_mb = 0
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.dup2(write, 1)
                os.dup2(write, 2)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                status = supervision.supervised(command) if supervised else command()
                sys.stdout.flush()
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(status)
        os.close(write)
        self.stderr = os.fdopen(read, errors="replace")

    def kill(self) -> None:
        """Sends SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Returns the exit status, or minus the signal's number."""
        _, status, usage = os.wait4(self.pid, 0)
        self.peak_mb = usage.ru_maxrss // 1024
        return os.waitstatus_to_exitcode(status)


@dataclasses.dataclass(frozen=True)
class Ended:
    """An export that has ended.

    Attributes:
      status: The exit status, or minus the signal's number.
      told: What it said.
      seconds: How long it took.
      peak_mb: How much memory it had at most, in megabytes.
    """

    status: int
    told: str
    seconds: float
    peak_mb: int

    @property
    def message(self) -> str:
        """What it said of a mistake, or else its last line."""
        _, found, message = self.told.partition("error: ")
        return message if found else self.told.rstrip().rpartition("\n")[2]


def run(
    arguments: Sequence[str],
    *,
    prepare: Callable[[], object] = lambda: None,
    supervised: bool = False,
    step: str = "",
    act: Callable[[int], object] = lambda pid: None,
    seconds: float = 300,
) -> Ended:
    """Exports in a fork of this process.

    Args:
      arguments: Those of `launch.py`.
      prepare: Is called in the process first.
      supervised: Whether another process tells of its end, as with the real command.
      step: When this step has ended, or a warning that begins so is told,
      act: this is called with the process.
      seconds: When to kill it.
    """
    start = time.monotonic()
    fork = Fork(arguments, prepare, supervised=supervised)
    timer = threading.Timer(seconds, fork.kill)
    timer.start()
    lines = []
    for line in fork.stderr:
        lines.append(line)
        if step and line.startswith(f"{step}: "):
            act(fork.pid)
    timer.cancel()
    timer.join()
    fork.stderr.close()
    status = fork.wait()
    return Ended(status, "".join(lines), time.monotonic() - start, fork.peak_mb)


Process = subprocess.Popen[str] | Fork
# Starts `launch.py` with some arguments.
Start = Callable[[Sequence[str]], Process]


def process(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Starts `launch.py` with some arguments in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "launch.py"), *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def flags(
    export_type: str, path: pathlib.Path, marker: int, *, overwrite: bool = True
) -> list[str]:
    """Returns the flags of an export that can be told from another one by its marker, 0 or 1."""
    made = [
        f"--export_type={export_type}",
        f"--export_path={path}",
        f"--overwrite={overwrite}",
        f"--vocab_file={RUN / 'vocab.txt'}",
        f"--do_lower_case={marker % 2 == 1}",
        # Wrong for this vocabulary, but a marker.
        "--gin_params=checks.allow_unlikely_casing = True",
        f"--default_seq_length={16 + marker % 2}",
    ]
    if export_type != "preprocessing":
        made += [
            f"--encoder_config_file={RUN / 'params.yaml'}",
            f"--model_checkpoint_path={RUN}",
        ]
    return made


def steps(running: Process) -> Iterator[str]:
    """Yields the names of an export's steps as they end."""
    assert running.stderr is not None
    for line in running.stderr:
        match = _STEP.match(line.rstrip())
        if match:
            yield match[1]


def examine(path: pathlib.Path) -> int | None:
    """Returns an export's marker, 0 or 1, or None where there is no export.

    Raises:
      AssertionError: It is not complete, or of parts that do not belong together.
    """
    if not path.exists():
        return None
    names = {entry.name for entry in path.iterdir()}
    several = names == {"encoder", "preprocessing", "text_embedding"}
    assert several or "saved_model.pb" in names, f"{path} holds {sorted(names)}"
    markers = {_marker(path / name) for name in names} if several else {_marker(path)}
    assert len(markers - {None}) == 1, f"parts of several exports: {markers}"
    return max(marker for marker in markers if marker is not None)


def _marker(path: pathlib.Path) -> int | None:
    """Loads a SavedModel, uses it and returns its marker; None for one that has no place for it."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 (registers the ops of preprocessing)

    loaded = tf.saved_model.load(str(path))
    if hasattr(loaded, "do_lower_case"):
        inputs = {
            name: tf.ones([2, 8], tf.int32)
            for name in ("input_word_ids", "input_mask", "input_type_ids")
        }
        outputs = loaded(inputs)["sequence_output"]
        assert bool(tf.reduce_all(tf.math.is_finite(outputs))), path
        # What a file lacks at its end would be found here: every value is read.
        assert all(float(tf.norm(variable)) < 1e6 for variable in loaded.variables), path
        return int(bool(loaded.do_lower_case))
    outputs = loaded(tf.constant(["The quick brown fox", ""]))
    if isinstance(outputs, dict) and "input_word_ids" in outputs:
        return int(outputs["input_word_ids"].shape[1]) - 16
    return None


def examined(path: pathlib.Path) -> int | None:
    """Like `examine`, in a process of its own, for this one must not start TensorFlow's threads."""
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.write(write, repr(examine(path)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as result:
        text = result.read()
    assert os.waitpid(pid, 0)[1] == 0, f"{path} is not complete"
    return None if text == "None" else int(text)


def import_all() -> None:
    """Imports what takes long, running nothing: forks must not inherit running threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for path in (ROOT / "exporter").glob("[a-z]*.py"):
        importlib.import_module(f"exporter.{path.stem}")
