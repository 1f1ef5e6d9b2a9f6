"""Exports in processes of their own, on the bundled pre-training run, and a look at them."""

from __future__ import annotations

import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

ROOT = pathlib.Path(__file__).parents[2]
EXPORT_TYPES = ("model", "model_with_mlm", "preprocessing", "all")

_RUN = ROOT / "tests" / "testdata" / "bert_tiny"
# The launcher ends each step with such a line on standard error.
_STEP = re.compile(r"(.+): \d+\.\d s$")


class Fork:
    """An export in a fork of this process, with the interface of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Starts `launch.py` with some arguments."""
        import launch

        read, write = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.dup2(write, 2)
                status = launch.run(["launch.py", *arguments])
            finally:
                os._exit(status)
        os.close(write)
        self.stderr = os.fdopen(read)

    def kill(self) -> None:
        """Sends SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Returns the exit status, or minus the signal's number."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


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
        f"--vocab_file={_RUN / 'vocab.txt'}",
        f"--do_lower_case={marker % 2 == 1}",
        # Wrong for this vocabulary, but a marker.
        "--gin_params=checks.allow_unlikely_casing = True",
        f"--default_seq_length={16 + marker % 2}",
    ]
    if export_type != "preprocessing":
        made += [
            f"--encoder_config_file={_RUN / 'params.yaml'}",
            f"--model_checkpoint_path={_RUN}",
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
    for path in (ROOT / "exporter").glob("[a-z]*.py"):
        importlib.import_module(f"exporter.{path.stem}")
