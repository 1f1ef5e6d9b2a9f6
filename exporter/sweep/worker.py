"""A process of the launcher `local`. Its parent has imported this and TensorFlow."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from multiprocessing import connection

from exporter import parts, sharing
from exporter.sweep import running

# What an export imports, imported once for all processes.
_IMPORTED = parts


def work(jobs_in: connection.Connection, shared: str | None, threads: int) -> None:
    """Runs jobs that come by a pipe, and sends back what became of each.

    Args:
      jobs_in: Gives jobs and whether to wait for others that make the same; takes states. When the
        launcher ends, however that is, so does this.
      shared: The folder of files that several exports have, or None.
      threads: How many threads one operation may use.
    """
    _end_with_launcher()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Of a terminal's Ctrl-C, the launcher hears, too.
    gc.freeze()
    # What `tf.config.threading` sets would be written into each export.
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    with sharing.results(shared):
        while True:
            try:
                job, wait = jobs_in.recv()
            except EOFError:
                return
            state = running.run(job, wait=wait)
            try:
                jobs_in.send(state)
            except BrokenPipeError:
                return


def _end_with_launcher() -> None:
    """Has this process killed when the launcher ends, in whatever it does then."""
    launcher = multiprocessing.parent_process()
    assert launcher is not None

    def wait() -> None:
        launcher.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()
