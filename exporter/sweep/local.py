"""The launcher that runs exports in processes of this machine."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing import connection, forkserver, resource_tracker
from typing import TYPE_CHECKING

import gin

from exporter.sweep import jobs, launchers, scheduling

if TYPE_CHECKING:
    from exporter.sweep.states import State

_PRELOADED = ["exporter.sweep.server", "exporter.sweep.worker"]
# What `multiprocessing` adds to it for a socket's path has 33 bytes.
_LONGEST_FOLDER = 70
_SHORT_FOLDER = "/tmp"


@gin.configurable("local", module="exporter.sweep")
@dataclasses.dataclass
class Local:
    """Several exports at a time, in processes that each keep what they have loaded.

    Attributes:
      num_workers: How many processes. None takes as many as there are cores and memory for.
      retries: How often an export is tried again whose process was killed.
    """

    num_workers: int | None = None
    retries: int = 2

    def check(self) -> None:
        """Checks the settings.

        Raises:
          UserError: A number is too small.
        """
        launchers.require_least("local.num_workers", 1, self.num_workers)
        launchers.require_least("local.retries", 0, self.retries)

    def prepare(self) -> None:
        """Has TensorFlow imported for the processes, while exports are planned."""
        _start_server()

    def run(self, planned: Sequence[jobs.Job]) -> Iterator[launchers.Event]:
        """As `launchers.Launcher.run`."""
        if not planned:
            return
        count = min(self.num_workers or _affordable(planned), len(planned))
        with _started(count, planned[0].shared) as workers:
            yield from _Run(scheduling.Queue(planned), workers, self.retries).events()


def _affordable(planned: Sequence[jobs.Job]) -> int:
    """How many processes there are cores and memory for."""
    each = scheduling.memory(max(job.weights for job in planned))
    return max(1, min(len(os.sched_getaffinity(0)), int(_available_memory() / each)))


def _available_memory() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class _Worker:
    """A process, and the job that it runs."""

    def __init__(self, shared: str | None, threads: int) -> None:
        self._arguments = (shared, threads)
        self.job: jobs.Job | None = None
        # The job that it has run last, of which it has much loaded.
        self.last: jobs.Job | None = None
        self.start()

    def start(self) -> None:
        """Starts the process, anew if there was one."""
        context = multiprocessing.get_context("forkserver")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, *self._arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.last = None

    def send(self, job: jobs.Job, *, wait: bool) -> None:
        """Gives it a job."""
        self.job, self.last = job, job
        with contextlib.suppress(OSError):  # It was killed, which is seen when it should answer.
            self.connection.send((job, wait))

    def answer(self) -> tuple[bool, State | None]:
        """Returns whether the process is alive, and what became of its job."""
        try:
            return True, self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return False, None

    def stop(self) -> None:
        """Ends the process in whatever it does: what it was writing is never looked at."""
        self.process.kill()
        self.process.join()
        self.connection.close()


class _Run:
    """The course of one sweep."""

    def __init__(self, queue: scheduling.Queue, workers: Sequence[_Worker], retries: int) -> None:
        self._queue = queue
        self._workers = workers
        self._retries = retries
        self._losses: collections.Counter[str] = collections.Counter()
        # What another sweep is making.
        self._elsewhere: list[jobs.Job] = []

    def events(self) -> Iterator[launchers.Event]:
        """Gives jobs to idle processes and yields what happens."""
        while True:
            for worker in self._workers:
                given = self._give(worker) if worker.job is None else None
                if given is not None:
                    yield given
            busy = {worker.connection: worker for worker in self._workers if worker.job}
            if not busy:
                return
            for ready in connection.wait(list(busy)):
                yield from self._ended(busy[ready])  # type: ignore[index]

    def _give(self, worker: _Worker) -> launchers.Event | None:
        if not worker.process.is_alive():  # It was killed when it had nothing to do.
            worker.start()
        job, wait = self._queue.next(worker.last), False
        if job is None and self._elsewhere:
            job, wait = self._elsewhere.pop(0), True
        if job is None:
            return None
        worker.send(job, wait=wait)
        return launchers.Event(job, waits=wait)

    def _ended(self, worker: _Worker) -> Iterator[launchers.Event]:
        job = worker.job
        assert job is not None
        worker.job = None
        alive, state = worker.answer()
        if not alive:
            status = worker.process.exitcode
            worker.start()
            state = self._lost(job, status)
            if state is None:
                yield launchers.Event(
                    job, note=f"its process ended with status {status}, to be tried again"
                )
        elif state is None:
            self._elsewhere.append(job)
            yield launchers.Event(job, waits=True)
        if state is not None:
            yield launchers.Event(job, state)

    def _lost(self, job: jobs.Job, status: int | None) -> State | None:
        """Puts a job back whose process was killed, or gives it up."""
        from exporter.sweep import states

        self._losses[job.name] += 1
        if self._losses[job.name] <= self._retries:
            self._queue.put_back(job)
            return None
        message = f"Its process ended {self._losses[job.name]} times, at last with status {status}."
        state = states.State(job.name, states.FAILED, job.digest, job.values, message=message)
        states.write(job.record, state)
        return state


@contextlib.contextmanager
def _started(count: int, shared: str | None) -> Iterator[list[_Worker]]:
    """Starts processes, forked of one that has imported TensorFlow and done nothing else."""
    _start_server()
    threads = max(1, len(os.sched_getaffinity(0)) // count)
    workers: list[_Worker] = []
    try:
        workers += [_Worker(shared, threads) for _ in range(count)]
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def _start_server() -> None:
    """Starts the process that others are forked of, unless it runs; it ends with this one."""
    forkserver.set_forkserver_preload(_PRELOADED)
    with _importable(), _short_temporary_folder(), _deaf_to_interruptions():
        forkserver.ensure_running()


@contextlib.contextmanager
def _deaf_to_interruptions() -> Iterator[None]:
    """While open, what is started does not hear of a terminal's Ctrl-C; this process does later."""
    resource_tracker.ensure_running()  # When that is started, Python unblocks the signal.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _short_temporary_folder() -> Iterator[None]:
    """While open, sockets are made where their paths are not too long for Linux (108 bytes)."""
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > _LONGEST_FOLDER:
        tempfile.tempdir = _SHORT_FOLDER
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """While open, a process that is started finds all that this one finds."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _work(jobs_in: connection.Connection, shared: str | None, threads: int) -> None:
    from exporter.sweep import worker

    worker.work(jobs_in, shared, threads)
