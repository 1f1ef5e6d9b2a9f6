"""The launcher that runs exports on a Ray cluster: a running one, or one of this machine alone."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gin

from exporter import errors
from exporter.sweep import jobs, launchers, ray_sessions, scheduling

_PATIENCE = 30.0  # Seconds without any worker until that is told.
_logger = logging.getLogger(__name__)


@gin.configurable("ray", module="exporter.sweep")
@dataclasses.dataclass
class Ray:
    """Exports in processes of a Ray cluster that each keep what they have loaded.

    Every node must see the sweep's folder and what the exports are made of under the same paths: on
    a file system that the nodes share, or as `gs://...`.

    Attributes:
      address: The cluster's. None takes the environment's (`RAY_ADDRESS`, as `ray job submit` sets
        it), and without any starts a cluster of this machine and stops it at the end.
      num_workers: How many processes at most. None takes as many as the cluster has CPUs for.
      num_cpus: How many CPUs each is given.
      memory: How many bytes of memory each is given. None goes by the checkpoint's size.
      retries: How often an export is tried again whose process or node was lost.
      py_modules: Folders of packages that gin files import, to be sent to nodes that do not see
        them. The exporter itself is sent to where it is missing.
    """

    address: str | None = None
    num_workers: int | None = None
    num_cpus: float = 1
    memory: int | None = None
    retries: int = 2
    py_modules: Sequence[str] = ()

    def check(self) -> None:
        """Checks the settings, and that there is Ray.

        Raises:
          UserError: A number is too small, or Ray is not installed.
        """
        for name, least in (("num_workers", 1), ("memory", 1), ("retries", 0)):
            launchers.require_least(f"ray.{name}", least, getattr(self, name))
        if self.num_cpus <= 0:
            raise errors.UserError(
                "ray.num_cpus must be a number above 0.",
                example="ray.num_cpus = 2",
                received=repr(self.num_cpus),
                setting="ray.num_cpus",
            )
        ray_sessions.require_ray()

    def run(self, planned: Sequence[jobs.Job]) -> Iterator[launchers.Event]:
        """As `launchers.Launcher.run`.

        Raises:
          UserError: There is no such cluster, or its nodes do not see the sweep's files.
        """
        if not planned:
            return
        with ray_sessions.connected(self.address, self.py_modules) as code:
            hire = _Hire(self, code, planned[0].shared)
            run = _Run(scheduling.Queue(planned), hire, len(planned))
            try:
                yield from run.events()
            finally:
                run.stop()


@dataclasses.dataclass(eq=False)
class _Worker:
    """A process somewhere, and what it does.

    Attributes:
      actor: Ray's handle of it.
      room: The size of the largest checkpoint that it has memory for.
      answer: What it is to answer.
      node: Where it is; None before it has started.
      job: What it runs.
      last: What it has done last, and so has loaded.
    """

    actor: Any
    room: int
    answer: Any
    node: str | None = None
    job: jobs.Job | None = None
    last: jobs.Job | None = None

    def send(self, job: jobs.Job, *, wait: bool) -> None:
        """Gives it a job."""
        self.job, self.last = job, job
        self.answer = self.actor.run.remote(job, wait)

    @property
    def is_idle(self) -> bool:
        """Whether it has started and has no job."""
        return self.node is not None and self.job is None


class _Hire:
    """Starts processes of the cluster.

    Args:
      launcher: What each is given.
      code: Where they find modules.
      shared: The folder of files that several exports have, or None.
    """

    def __init__(self, launcher: Ray, code: ray_sessions.Code, shared: str | None) -> None:
        import ray

        self.launcher = launcher
        self._class = ray.remote(_worker_class())
        threads = max(1, int(launcher.num_cpus))
        self._arguments = (code.paths, code.is_seen, os.getcwd(), shared, threads)
        self._nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self.count = launcher.num_workers or max(
            1, sum(int(node.get("CPU", 0) / launcher.num_cpus) for node in self._nodes)
        )

        _logger.info(
            "Ray cluster with %d nodes and %d CPUs: up to %d workers",
            len(self._nodes),
            sum(node.get("CPU", 0) for node in self._nodes),
            self.count,
        )

    def worker(self, weights: int) -> _Worker:
        """Asks for a process, which starts when there is a node with room for it.

        Args:
          weights: The size of the largest checkpoint that it is to export.
        """
        options = {"num_cpus": self.launcher.num_cpus, "memory": self.needed(weights)}
        actor = self._class.options(**options).remote(*self._arguments)
        return _Worker(actor, weights, actor.about.remote())

    def needed(self, weights: int) -> int:
        """Returns how many bytes of memory a process is given; never more than any node has."""
        wanted = self.launcher.memory or scheduling.memory(weights)
        return min([wanted, max((int(node.get("memory", 0)) for node in self._nodes), default=0)])


def _worker_class() -> type:
    """Returns a class that Ray sends as it is: it imports nothing before it knows where that is."""

    class SweepWorker:
        def __init__(self, paths: list[str], is_seen: bool, *arguments: Any) -> None:
            import sys

            # What was sent is found by itself, and something older may be where this would be.
            others = [path for path in sys.path if path not in paths]
            sys.path[:] = [*paths, *others] if is_seen else others
            from exporter.sweep import ray_worker

            self._worker = ray_worker.Worker(*arguments)

        def about(self) -> tuple[str, Mapping[str, Any]]:
            import socket

            return socket.gethostname(), self._worker.packages()

        def run(self, job: jobs.Job, wait: bool) -> Any:
            return self._worker.run(job, wait=wait)

    return SweepWorker


class _Run:
    """The course of one sweep.

    Args:
      queue: The jobs.
      hire: Starts processes.
      count: How many jobs there are.
    """

    def __init__(self, queue: scheduling.Queue, hire: _Hire, count: int) -> None:
        self._queue = queue
        self._hire = hire
        self._limit = min(hire.count, count)
        self._workers: list[_Worker] = []
        self._losses: collections.Counter[str] = collections.Counter()
        self._failed_starts = 0
        # What another sweep is making.
        self._elsewhere: list[jobs.Job] = []

    def events(self) -> Iterator[launchers.Event]:
        """Gives jobs to idle processes and yields what happens."""
        import ray

        while True:
            self._ask_for_workers()
            for worker in [worker for worker in self._workers if worker.is_idle]:
                given = self._give(worker)
                if given is None:
                    self._dismiss(worker)  # Its room is another's.
                else:
                    yield given
            if not self._workers:
                if not self._waiting():
                    return
                continue
            answers = {worker.answer: worker for worker in self._workers}
            ready, _ = ray.wait(list(answers), num_returns=1, timeout=_PATIENCE)
            if not ready and not any(worker.node for worker in self._workers):
                _logger.info(
                    "No worker has started yet: the cluster has no room for %s CPUs and %d MB.",
                    self._hire.launcher.num_cpus,
                    self._hire.needed(self._workers[0].room) // 1_000_000,
                )
            for answer in ready:
                yield from self._heard(answers[answer])

    def stop(self) -> None:
        """Ends all processes in whatever they do: what is half-written is never looked at."""
        for worker in list(self._workers):
            self._dismiss(worker)

    def _waiting(self) -> list[int]:
        """The sizes of the checkpoints of jobs that nobody has, the largest first."""
        return sorted([*self._queue.weights(), *(j.weights for j in self._elsewhere)], reverse=True)

    def _ask_for_workers(self) -> None:
        waiting = self._waiting()
        free = (worker for worker in self._workers if worker.job is None)
        for worker in sorted(free, key=lambda worker: worker.room):
            fitting = next((weights for weights in waiting if weights <= worker.room), None)
            if fitting is not None:
                waiting.remove(fitting)
            elif worker.node is None:
                self._dismiss(worker)  # It has nothing to do when it starts.
        for weights in waiting[: self._limit - len(self._workers)]:
            self._workers.append(self._hire.worker(weights))

    def _give(self, worker: _Worker) -> launchers.Event | None:
        import tensorflow as tf

        from exporter.sweep import kept_texts

        job, wait = self._queue.next(worker.last, worker.room), False
        fitting = [other for other in self._elsewhere if other.weights <= worker.room]
        if job is None and fitting:
            job, wait = fitting[0], True
            self._elsewhere.remove(job)
        if job is None:
            return None
        with kept_texts.telling(job.record):
            tf.io.gfile.makedirs(job.record)  # What the process must see.
        worker.send(job, wait=wait)
        return launchers.Event(job, waits=wait)

    def _dismiss(self, worker: _Worker) -> None:
        import ray

        self._workers.remove(worker)
        with contextlib.suppress(ray.exceptions.RayError):  # It has ended by itself.
            ray.kill(worker.actor, no_restart=True)

    def _heard(self, worker: _Worker) -> Iterator[launchers.Event]:
        import ray

        from exporter.sweep import ray_worker

        job, worker.job = worker.job, None
        try:
            answer = ray.get(worker.answer)
        except ray.exceptions.RayError as error:
            self._dismiss(worker)
            yield from self._lost(worker, job, error)
            return
        if job is None:
            worker.node = self._welcome(*answer)
        elif answer is None:
            self._elsewhere.append(job)
            yield launchers.Event(job, waits=True)
        elif isinstance(answer, ray_worker.Unseen):
            raise _unseen(answer.path, worker.node)
        else:
            yield launchers.Event(job, answer)

    def _welcome(self, node: str, packages: Mapping[str, Any]) -> str:
        """Checks that a process would write the same bytes as this one.

        Raises:
          UserError: It has other packages.
        """
        from exporter import provenance

        self._failed_starts = 0
        expected = provenance.packages()
        other = {name: packages[name] for name in expected if packages[name] != expected[name]}
        if other:
            raise errors.UserError(
                "All nodes of the cluster must have the packages that the launcher has: "
                f"{', '.join(f'{name} {expected[name]}' for name in other)}.",
                received=f"{', '.join(f'{n} {other[n]}' for n in other)} on {node}",
                setting="sweep.launcher",
            )
        return node

    def _lost(
        self, worker: _Worker, job: jobs.Job | None, error: Exception
    ) -> Iterator[launchers.Event]:
        """Puts a job back whose process or node was lost, or gives it up."""
        from exporter.sweep import states

        reason = str(error).strip().splitlines()
        if job is None:
            self._failed_starts += 1
            if self._failed_starts > self._hire.launcher.retries:
                raise errors.UserError(
                    "Workers must be able to start: their nodes need the exporter's packages.",
                    received=reason[-1],
                    setting="sweep.launcher",
                ) from error
            return
        self._losses[job.name] += 1
        if self._losses[job.name] <= self._hire.launcher.retries:
            self._queue.put_back(job)
            yield launchers.Event(job, note=f"lost on {worker.node}, to be tried again")
            return
        message = (
            f"Its process was lost {self._losses[job.name]} times, at last on {worker.node}: "
            f"{reason[0]}"
        )
        state = states.State(job.name, states.FAILED, job.digest, job.values, message=message)
        states.write(job.record, state)
        yield launchers.Event(job, state)


def _unseen(path: str, node: str | None) -> errors.UserError:
    return errors.UserError(
        "All nodes of the cluster must see the sweep's folder and what its exports are made of, "
        "under the same paths: on a file system that they share, or as gs://...",
        example="--export_path=/shared/sweep",
        received=f"{path}, which is not there on {node}",
        setting="export.export_path",
    )
