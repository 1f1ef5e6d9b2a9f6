"""Faults of the process: signals at all points, rivals, too little memory, nowhere to write to."""

from __future__ import annotations

import errno
import functools
import importlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from tests.faults import mounts, privileges, running, scenes
from tests.faults.scenes import Fault, Scene

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
_STATUSES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}
# Points of an export's life: a step, and how many seconds after its end.
_POINTS = {
    "when TensorFlow is imported": ("importing TensorFlow", 0.1),
    "when the checkpoint has been read": ("building the encoder", 0.0),
    "while it is written": ("building the encoder", 0.3),
    "while it is verified": ("writing the encoder", 0.02),
}
# Calls of functions, and whether that is after them.
_CALLS = {
    "before values are copied": ("exporter.tensor_bundles.append", False),
    "after the manifest": ("exporter.manifests.write", True),
    "before the rename": ("exporter.folders.rename", False),
    "after the rename": ("exporter.folders.rename", True),
    "before the record": ("exporter.records.write", False),
}
_NOWHERE = pathlib.Path("/nonexistent")
_NUM_RIVALS = 3
_PATIENCE = 10.0  # Seconds until killed processes are gone.
# Something is printed.
_SHOW = "--gin_params=export.show = True"
# What is made of a signal that nobody can tell of.


def _signalled(number: int, step: str, seconds: float) -> Callable[[Scene], running.Ended]:
    def act(pid: int) -> None:
        time.sleep(seconds)
        os.kill(pid, number)

    return lambda scene: scene.export(step=step, act=act)


def _signalled_at_call(number: int, name: str, *, after: bool) -> Callable[[Scene], running.Ended]:
    """Sends a signal just before or just after a function of the exporter has been called."""

    def prepare() -> None:
        module_name, _, function_name = name.rpartition(".")
        module = importlib.import_module(module_name)
        function = getattr(module, function_name)

        @functools.wraps(function)
        def signalled(*arguments: object, **more: object) -> object:
            if not after:
                os.kill(os.getpid(), number)
            result = function(*arguments, **more)
            if after:
                os.kill(os.getpid(), number)
            return result

        setattr(module, function_name, signalled)

    return lambda scene: scene.export(prepare=prepare)


def _signalled_at_start(scene: Scene) -> running.Ended:
    """Interrupts commands while they import what they are made of."""
    told, begin = [], time.monotonic()
    for milliseconds in (0, 20, 50, 100, 200):
        command = [sys.executable, str(running.ROOT / "launch.py"), *scene.flags()]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            # Python's own start, before the first line of a program, is beyond that.
            while _catches_interruption(process.pid) is not False and process.poll() is None:
                time.sleep(0.001)
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGINT)
            told.append(process.communicate()[1])
        # Of the one that says nothing, a shell has the other status, too.
        if process.returncode not in (130, -signal.SIGINT):
            return running.Ended(process.returncode, "".join(told), 0, 0)
    return running.Ended(130, f"{''.join(told)}interrupted\n", time.monotonic() - begin, 0)


def _catches_interruption(pid: int) -> bool | None:
    """Whether Python takes note of SIGINT; None where it has not started yet."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.partition(":\t")[::2] for line in lines)
    ignored, caught = (int(fields[name], 16) for name in ("SigIgn", "SigCgt"))
    if not ignored >> (signal.SIGPIPE - 1) & 1:  # The first that Python does.
        return None
    return bool(caught >> (signal.SIGINT - 1) & 1)


def _rivals(*more: str) -> Callable[[Scene], running.Ended]:
    """Exports several times at once, and returns how the one ended that did worst."""

    def make(scene: Scene) -> running.Ended:
        begin = time.monotonic()
        forks = [
            running.Fork([*scene.flags(), *more], scene.prepared()) for _ in range(_NUM_RIVALS)
        ]
        told = [fork.stderr.read() for fork in forks]
        statuses = [fork.wait() for fork in forks]
        seconds = time.monotonic() - begin
        for fork in forks:
            fork.stderr.close()
        refused = [text for text, status in zip(told, statuses, strict=True) if status == 2]
        if more and statuses.count(0) == 1 and len(refused) == _NUM_RIVALS - 1:
            rule = "An existing export is not overwritten unasked."
            errors = [scenes.errors_told(text) for text in refused]
            assert errors == [[f"error: {rule}"]] * len(refused), told
            return running.Ended(0, "", seconds, 0)
        return running.Ended(max(statuses), "".join(refused), seconds, 0)

    return make


def _limited(limit: int, value: int) -> Callable[[Scene], running.Ended]:
    return lambda scene: scene.export(
        prepare=lambda: resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))
    )


def _little_memory(scene: Scene) -> running.Ended:
    """Leaves room for so much more address space than the process has already."""

    def prepare() -> None:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 40_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return scene.export(prepare=prepare, supervised=True)


def _out_of_memory(scene: Scene) -> running.Ended:
    """Lets the kernel kill the process, in a control group with too little memory."""
    group = pathlib.Path("/sys/fs/cgroup/memory", f"exporter_fault_{os.getpid()}")
    try:
        group.mkdir()
    except OSError as error:
        raise scenes.NotSetUp(f"no control group for memory ({error.strerror})") from error
    try:
        try:
            (group / "memory.limit_in_bytes").write_text("60000000")
        except OSError as error:
            raise scenes.NotSetUp(f"no limit of memory ({error.strerror})") from error
        return scene.export(
            prepare=lambda: (group / "cgroup.procs").write_text(str(os.getpid())), supervised=True
        )
    finally:
        _remove_group(group)


def _remove_group(group: pathlib.Path) -> None:
    """Removes a control group as soon as its last process, which was killed, is gone."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > end:
                raise
        time.sleep(0.05)


def _open_files(scene: Scene) -> running.Ended:
    def prepare() -> None:
        used = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))

    return scene.export(prepare=prepare)


def _broken_pipe(descriptor: int) -> Callable[[Scene], running.Ended]:
    """Lets nobody hear what is said."""

    def prepare() -> None:
        read, write = os.pipe()
        os.close(read)
        os.dup2(write, descriptor)

    return lambda scene: scene.export(_SHOW, prepare=prepare)


def _closed(descriptor: int) -> Callable[[Scene], running.Ended]:
    """Closes standard output or standard error of a command."""

    def make(scene: Scene) -> running.Ended:
        begin = time.monotonic()
        launch = [sys.executable, str(running.ROOT / "launch.py"), *scene.flags(), _SHOW]
        process = subprocess.run(
            ["sh", "-c", f'exec "$@" {descriptor}>&-', "sh", *launch],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return running.Ended(process.returncode, process.stdout, time.monotonic() - begin, 0)

    return make


def _no_temporary_folder(scene: Scene) -> running.Ended:
    return scene.export(prepare=lambda: os.environ.update(TMPDIR=str(_NOWHERE)))


def _full_temporary_folder(scene: Scene) -> running.Ended:
    try:
        with mounts.tmpfs(scene.temporary, "size=4k"):
            (scene.temporary / "full").write_bytes(bytes(4096))
            return scene.export()
    except OSError as error:
        raise scenes.NotSetUp(f"no mounts ({error})") from error


def _unknown_user() -> None:
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        os.environ.pop(name, None)


def _nobody_knows(scene: Scene) -> running.Ended:
    """Exports as a user without a name, as it is in containers."""
    nobody = scene.folder / "passwd"
    nobody.touch()
    try:
        with mounts.over(nobody, pathlib.Path("/etc/passwd")):
            return scene.export(prepare=_unknown_user)
    except OSError as error:
        raise scenes.NotSetUp(f"no mounts ({error})") from error


def _closed_current_folder(scene: Scene) -> running.Ended:
    scene.current.chmod(0o555)
    return scene.export(prepare=privileges.drop)


def _no_current_folder(scene: Scene) -> running.Ended:
    ended = scene.export(prepare=lambda: shutil.rmtree(scene.current))
    scene.current.mkdir()
    return ended


def _at_points() -> Iterator[Fault]:
    for number in _SIGNALS:
        name, statuses = signal.Signals(number).name, (_STATUSES[number],)
        for point, (step, seconds) in _POINTS.items():
            yield Fault(f"{name} {point}", _signalled(number, step, seconds), statuses)
        for point, (function, after) in _CALLS.items():
            make = _signalled_at_call(number, function, after=after)
            yield Fault(f"{name} {point}", make, statuses)


FAULTS = (
    *_at_points(),
    Fault("SIGINT while a command starts", _signalled_at_start, (130,)),
    Fault("rivals, one new name", _rivals("--overwrite=False"), (0,), earlier=False),
    Fault("rivals that overwrite", _rivals(), (0,)),
    Fault("too little address space", _little_memory, (2, scenes.ABORTED)),
    Fault("killed for too little memory", _out_of_memory, (scenes.KILLED,)),
    Fault("too few open files", _open_files, (2, 3)),
    Fault("stdout is a broken pipe", _broken_pipe(1), (141,)),
    Fault("stderr is a broken pipe", _broken_pipe(2), (0,)),
    Fault("stdout is closed", _closed(1), (0,)),
    Fault("stderr is closed", _closed(2), (0,)),
    Fault("no TMPDIR", _no_temporary_folder, (0,), kind="preprocessing"),
    Fault("TMPDIR is full", _full_temporary_folder, (0,), kind="preprocessing"),
    Fault("no HOME", lambda scene: scene.export(prepare=_unknown_user), (0,)),
    Fault("a user without a name", _nobody_knows, (0,)),
    Fault("the current folder cannot be written to", _closed_current_folder, (0,)),
    Fault("the current folder is removed", _no_current_folder, (0,)),
)
