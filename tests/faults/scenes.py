"""One fault after the other: an export that meets it, and all that can be seen afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.faults import running

OLD, NEW = 0, 1
# The statuses of commands whose process a signal has ended.
KILLED, ABORTED = 128 + signal.SIGKILL, 128 + signal.SIGABRT
NOTHING, AS_IT_WAS, REPLACED = "none", "as it was", "the new one"
# Of processes that could not say a word, and what is made of that by what waits for them.
_SILENT = (-signal.SIGKILL,)
_UNHEARD = 141
_ENDED = (KILLED, ABORTED)
_WORDS = {130: "interrupted", 143: "terminated"}
_RECORD = ".record"

Contents = Mapping[str, bytes]


class NotSetUp(Exception):  # noqa: N818 (it is an answer)
    """The fault cannot be produced here; the message says why."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A type of fault.

    Attributes:
      name: What happens.
      make: Makes the fault, exports, and takes the fault away.
      statuses: The exit statuses that are right.
      earlier: Whether there is an export already, which the new one is to replace.
      kind: The type of the export.
      says: What its message must have.
    """

    name: str
    make: Callable[[Scene], running.Ended]
    statuses: tuple[int, ...]
    earlier: bool = True
    kind: str = "model"
    says: str = ""


@dataclasses.dataclass
class Row:
    """What came of an export that met a fault.

    Attributes:
      fault: Its name.
      status: The exit status, or minus the signal's number.
      target: What is under the export's name.
      left: What is left over, of several exports of a fault.
      message: The first line of what was said of the fault.
      seconds: How long it took.
      wrong: What is not as it must be.
      why_not: Why the fault could not be produced.
    """

    fault: str
    status: int | None = None
    target: str = ""
    left: tuple[str, ...] = ()
    message: str = ""
    seconds: float = 0.0
    wrong: list[str] = dataclasses.field(default_factory=list)
    why_not: str | None = None

    def text(self) -> str:
        """Returns the row of the table."""
        if self.why_not is not None:
            return f"{self.fault:<58} NOT PRODUCED: {self.why_not}"
        verdict = f"WRONG: {'; '.join(self.wrong)}" if self.wrong else "ok"
        left = ", ".join(self.left) or "nothing"
        return (
            f"{self.fault:<58} {self.status:>4} {self.target:<12} {left:<28} "
            f"{self.seconds:5.1f} s  {verdict:<4} {self.message}"
        )


class Scene:
    """The folders of one export, and the export.

    Attributes:
      exports: The folder of the export.
      target: The export.
      source: A pre-training run of its own.
      temporary: TMPDIR.
      current: The current folder.
      intact: Exports that met no fault.
      fault: The fault.
    """

    def __init__(self, folder: pathlib.Path, intact: Intact, fault: Fault) -> None:
        """Makes the folders, with the earlier export if there is to be one."""
        self.folder = folder
        self.exports = folder / "exports"
        self.target = self.exports / "bert"
        self.source = folder / running.RUN.name  # As it is in the manifest.
        self.temporary = folder / "temporary"
        self.current = folder / "current"
        self.intact = intact
        self.fault = fault
        for path in (self.exports, self.temporary, self.current):
            path.mkdir()
        shutil.copytree(running.RUN, self.source)
        if fault.earlier:
            self.put_earlier(self.target)

    def put_earlier(self, path: pathlib.Path) -> None:
        """Writes the earlier export."""
        earlier = self.intact.folder(self.fault.kind, OLD)
        shutil.copytree(earlier, path, symlinks=True)
        shutil.copytree(f"{earlier}{_RECORD}", f"{path}{_RECORD}")

    def flags(self, *, path: pathlib.Path | None = None, marker: int = NEW) -> list[str]:
        """Returns an export's flags."""
        made = running.flags(self.fault.kind, path or self.target, marker)
        made = [flag.replace(str(running.RUN), str(self.source)) for flag in made]
        return [*made, *self.intact.flags]

    def export(
        self,
        *more: str,
        path: pathlib.Path | None = None,
        prepare: Callable[[], object] = lambda: None,
        supervised: bool = False,
        step: str = "",
        act: Callable[[int], object] = lambda pid: None,
    ) -> running.Ended:
        """Exports.

        Args:
          *more: More flags.
          path: Where to, if not to the target.
          prepare: Is called in the process first.
          supervised: Whether another process tells of its end, as with the real command.
          step: When this step has ended,
          act: this is called with the process.
        """
        return running.run(
            [*self.flags(path=path), *more],
            prepare=self.prepared(prepare),
            supervised=supervised,
            step=step,
            act=act,
        )

    def prepared(self, prepare: Callable[[], object] = lambda: None) -> Callable[[], None]:
        """Returns what an export's process is to do first: go where it is to be."""

        def go() -> None:
            os.environ["TMPDIR"] = str(self.temporary)
            tempfile.tempdir = None
            os.chdir(self.current)
            prepare()

        return go

    def left(self) -> tuple[str, ...]:
        """Returns what is where only the export and its record should be."""
        names = {path.name for path in self.exports.iterdir()} if self.exports.is_dir() else set()
        names -= {self.target.name, f"{self.target.name}{_RECORD}"}
        for folder in (self.temporary, self.current):
            if folder.is_dir():
                names |= {f"{folder.name}/{path.name}" for path in folder.iterdir()}
        return tuple(sorted(names))

    def state(self) -> str | None:
        """Returns what is under the export's name, by its bytes; None for anything else."""
        if not self.target.exists():
            return NOTHING
        found = contents(self.target)
        for marker, name in ((OLD, AS_IT_WAS), (NEW, REPLACED)):
            if found == contents(self.intact.folder(self.fault.kind, marker)):
                return name
        return None


class Intact:
    """Exports that met no fault, made once."""

    def __init__(self, folder: pathlib.Path, flags: Sequence[str] = ()) -> None:
        """Will write to a folder, with more flags."""
        self._folder = folder
        self.flags = tuple(flags)

    def folder(self, kind: str, marker: int) -> pathlib.Path:
        """Returns the folder of an export.

        Args:
          kind: Its type.
          marker: `OLD` or `NEW`.
        """
        path = self._folder / f"{kind}_{marker}"
        if not path.exists():
            ended = running.run([*running.flags(kind, path, marker), *self.flags])
            assert ended.status == 0, ended.told
        return path


def contents(folder: pathlib.Path) -> Contents:
    """Returns the bytes of a folder's files by their names, and where links lead."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.fsencode(os.readlink(path))
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@contextlib.contextmanager
def _scene(fault: Fault, intact: Intact, parent: pathlib.Path) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # For processes of other users.
        yield Scene(folder, intact, fault)


def examine(fault: Fault, intact: Intact, parent: pathlib.Path, *, lightly: bool) -> Row:
    """Exports with a fault, and once more without it, and says what is not as it must be.

    Args:
      fault: The fault.
      intact: Exports without it.
      parent: Where to write.
      lightly: Whether to export once more only where something is left.
    """
    row = Row(fault.name)
    with _scene(fault, intact, parent) as scene:
        try:
            ended = fault.make(scene)
        except NotSetUp as why:
            row.why_not = str(why)
            return row
        row.status, row.seconds = ended.status, ended.seconds
        _look(row, fault, scene, ended)
        if row.left or not lightly:
            _try_again(row, scene)
    return row


def _look(row: Row, fault: Fault, scene: Scene, ended: running.Ended) -> None:
    if ended.status not in fault.statuses:
        row.wrong.append(f"status {ended.status}, not {fault.statuses}: {ended.told}")
    state = scene.state()
    row.target = state or "?"
    before = AS_IT_WAS if fault.earlier else NOTHING
    interrupted = ended.status < 0 or ended.status in _WORDS
    may_be = {before, REPLACED} if interrupted else {REPLACED} if ended.status == 0 else {before}
    if "The export itself is complete" in ended.told or ended.status == _UNHEARD:
        may_be = {REPLACED}
    if state not in may_be:
        row.wrong.append(f"under the export's name is {row.target}, not {' or '.join(may_be)}")
    row.left = scene.left()
    named = all(name in ended.told for name in row.left)
    if row.left and ended.status not in _SILENT + _ENDED and not named:
        row.wrong.append("left over unsaid")
    if state in (before, NOTHING) and before == AS_IT_WAS and not _record_as_it_was(scene):
        row.wrong.append("another record")
    row.message, problem = _message(ended)
    if problem:
        row.wrong.append(f"{problem}: {ended.told}")
    if fault.says not in ended.told:
        row.wrong.append(f"no {fault.says!r} in {ended.told}")


def _record_as_it_was(scene: Scene) -> bool:
    record = pathlib.Path(f"{scene.target}{_RECORD}")
    kind = scene.fault.kind
    return contents(record) == contents(pathlib.Path(f"{scene.intact.folder(kind, OLD)}{_RECORD}"))


def errors_told(text: str) -> list[str]:
    """Returns the first lines of the errors that a command has told."""
    return [line for line in text.splitlines() if line.startswith("error: ")]


def _message(ended: running.Ended) -> tuple[str, str | None]:
    """Returns the first line of what is said of a fault, and what is wrong with all of it."""
    told = errors_told(ended.told)
    heard = ended.told
    if ended.status == ABORTED and told:  # After TensorFlow's own last words.
        heard = heard[heard.index(told[0]) :]
    if re.search(r"Traceback|Fatal Python error|\[libprotobuf|^F0000|Check failed", heard):
        return "", "no clear message"
    if ended.status in (*_SILENT, _UNHEARD, 0):
        return "", "an error is told" if told else None
    word = _WORDS.get(ended.status)
    if word is not None:
        return word, None if ended.told.splitlines()[-1:] == [word] else f"{word!r} is not told"
    if ended.status < 0:
        return "", None
    return (told[0] if told else ""), None if len(told) == 1 else f"{len(told)} messages"


def _try_again(row: Row, scene: Scene) -> None:
    """Exports without the fault: that must replace what is there and remove what is left."""
    scene.exports.mkdir(exist_ok=True)
    if not scene.source.is_dir() or contents(scene.source) != contents(running.RUN):
        shutil.rmtree(scene.source, ignore_errors=True)
        shutil.copytree(running.RUN, scene.source)
    before = scene.left()
    ended = scene.export()
    unnamed = [name for name in before if name not in ended.told]
    if ended.status != 0 or scene.state() != REPLACED:
        row.wrong.append(f"the next export ends with status {ended.status}: {ended.told}")
    elif scene.left():
        row.wrong.append(f"still there after the next export: {', '.join(scene.left())}")
    elif unnamed:
        row.wrong.append(f"removed by the next export unsaid: {', '.join(unnamed)}")
