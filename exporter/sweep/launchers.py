"""Where a sweep's exports run. A launcher is any configurable that makes an object with `run`.

    import my_package.slurm

    sweep.launcher = @my_package.slurm.slurm()

If it has a method `check` as well, that is called before anything else is done, and raises an
`errors.UserError` where the launcher's settings or this machine are not as they must be. If it has
a method `prepare`, that is called while exports are still planned, and begins what takes its time.

What it runs is `run_job`, in whatever process: a job is plain data, and its export is the same
bytes wherever it is made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import gin

from exporter import errors, sharing
from exporter.sweep import jobs

if TYPE_CHECKING:
    from exporter.sweep.states import State


@dataclasses.dataclass(frozen=True)
class Event:
    """What happened to a job.

    Attributes:
      job: The job.
      state: What became of it; None when it has started, or for what follows.
      note: What else happened to it, so that it does not run for now.
      waits: Whether it waits for another sweep, which is making the same export.
    """

    job: jobs.Job
    state: State | None = None
    note: str | None = None
    waits: bool = False


class Launcher(Protocol):
    """Runs jobs."""

    def run(self, planned: Sequence[jobs.Job]) -> Iterator[Event]:
        """Runs jobs, and yields an event when one starts and when it has ended.

        A job that fails is no exception. When the generator is closed, nothing goes on.

        Args:
          planned: The jobs; those that share an encoder follow each other, and of these those that
            share graphs.
        """
        ...


def require_least(setting: str, least: int, value: float | None) -> None:
    """Checks a launcher's number.

    Args:
      setting: The number's name in gin.
      least: What it must be at least.
      value: What it is; None for the default.

    Raises:
      UserError: It is too small.
    """
    if value is not None and value < least:
        raise errors.UserError(
            f"{setting} must be an integer of at least {least}.",
            example=f"{setting} = 2",
            received=repr(value),
            setting=setting,
        )


def run_job(job: jobs.Job, *, wait: bool) -> State | None:
    """Makes an export in this process, unless it is complete.

    Between jobs, results are kept while `sharing.results(job.shared)` is open.

    Args:
      job: The job.
      wait: Whether to wait while another sweep makes the same export.

    Returns:
      What became of it, also written beside it; None if another sweep is making it.
    """
    from exporter.sweep import running  # It imports TensorFlow.

    return running.run(job, wait=wait)


@gin.configurable("in_process", module="exporter.sweep")
@dataclasses.dataclass
class InProcess:
    """One export after the other, in the launcher's own process."""

    def run(self, planned: Sequence[jobs.Job]) -> Iterator[Event]:
        """As `Launcher.run`."""
        waiting = []
        with sharing.results(planned[0].shared if planned else None):
            for job in planned:
                yield Event(job)
                state = run_job(job, wait=False)
                if state is None:
                    waiting.append(job)
                    yield Event(job, waits=True)
                else:
                    yield Event(job, state)
            for job in waiting:
                yield Event(job, run_job(job, wait=True))
