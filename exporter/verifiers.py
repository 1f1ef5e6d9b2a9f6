"""Who verifies the SavedModels of an export: this process, or one beside it.

A process that is forked before TensorFlow has started threads has all that this one has imported
and read. It builds the encoder and restores its values while this one writes, and compares while
the next SavedModel is written: it shares nothing with what wrote, and with a second core it costs
little time.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import gc
import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import process as futures_process
from typing import Any, Protocol

from tensorflow.python.eager import context as tf_context

from exporter import (
    errors,
    findings,
    ingredients,
    mlm_scores,
    plans,
    progress,
    reports,
    supervision,
    text_verification,
    tokenizer_reference,
    verification,
)

# What is being written goes first: it takes longer, and uses one core.
_NICENESS = 5


class Verifier(Protocol):
    """Verifies when asked to, or meanwhile."""

    def begin(self, what: str, *arguments: str) -> Callable[[], Any]:
        """Asks for something.

        Args:
          what: A method of `Verification`.
          *arguments: Its arguments.

        Returns:
          Gives what the method returns, or raises what it raises.
        """


@dataclasses.dataclass(eq=False)
class Verification:
    """The SavedModels of an export compared with what they are made from.

    Attributes:
      plan: What is exported.
      built: The encoder, if there is one; its variables get their values here.
      text: The tokenizer, if there is one.
    """

    plan: plans.Plan
    built: ingredients.Built | None
    text: ingredients.Text | None

    def prepare(self) -> None:
        """Does what can be done before anything is written."""
        self._source.prepare()

    def encoder(self, path: str) -> reports.Report:
        """Verifies the encoder's SavedModel."""
        return verification.verify_encoder(path, self._source, level=self.plan.chosen.verify)

    def preprocessing(self, path: str) -> reports.Report:
        """Verifies the SavedModel of preprocessing."""
        return text_verification.verify_preprocessing(
            path, self._text(), level=self.plan.chosen.verify
        )

    def prepare_text_embedding(self) -> None:
        """Does what can be done before it is written."""
        gc.collect()  # What was loaded before, and is not kept, needs its memory no more.
        _ = self._vectors

    def text_embedding(self, path: str) -> reports.Report:
        """Verifies the SavedModel of text embedding."""
        self._source.restore()
        return text_verification.verify_text_embedding(
            path,
            self._text(),
            self._source.encoder,
            self.plan.chosen.text_embedding,
            level=self.plan.chosen.verify,
            expected=self._vectors,
        )

    def masked_words(self) -> findings.Finding:
        """Returns how well the encoder guesses masked words."""
        source, text = self._source, self.plan.text
        source.restore()
        tokenize, _ = tokenizer_reference.make(self.plan.tokenizer)
        words = mlm_scores.Words(tokenize, text.special_ids(), text.unknown_id)
        return mlm_scores.find(source.encoder, words, step=source.restoration.checkpoint.step)

    @functools.cached_property
    def _source(self) -> verification.EncoderSource:
        assert self.built is not None
        return verification.EncoderSource(
            self.built.encoder, self.built.restoration, self._text_of_encoder
        )

    @functools.cached_property
    def _vectors(self) -> text_verification.Vectors:
        self._source.restore()
        return text_verification.expected_vectors(
            self._text(),
            self._source.encoder,
            self.plan.chosen.text_embedding,
            quick=self.plan.chosen.verify == "quick",
        )

    def _text_of_encoder(self) -> text_verification.TextSource:
        text = self.text or ingredients.text_of(self.plan, self.built)
        return text.source

    def _text(self) -> text_verification.TextSource:
        assert self.text is not None
        return self.text.source


@dataclasses.dataclass(frozen=True)
class Here:
    """Verifies in this process, when the result is asked for.

    Attributes:
      verification: What does it.
    """

    verification: Verification

    def begin(self, what: str, *arguments: str) -> Callable[[], Any]:
        """See `Verifier`."""
        return functools.partial(getattr(self.verification, what), *arguments)


@dataclasses.dataclass(frozen=True)
class Beside:
    """Verifies in another process, from when it is asked to.

    Attributes:
      pool: Asks the process.
      process: The process.
    """

    pool: concurrent.futures.Executor
    process: multiprocessing.process.BaseProcess

    def begin(self, what: str, *arguments: str) -> Callable[[], Any]:
        """See `Verifier`."""
        with self._alive(what):
            future = self.pool.submit(_call, what, *arguments)

        def result() -> Any:
            with self._alive(what):
                return future.result()

        return result

    @contextlib.contextmanager
    def _alive(self, what: str) -> Iterator[None]:
        """Tells it if the process has ended."""
        try:
            yield
        except futures_process.BrokenProcessPool as error:
            self.pool.shutdown()  # Which waits for the process.
            status = -(self.process.exitcode or 0)
            ended = signal.Signals(status).name if status > 0 else f"exit status {-status}"
            raise errors.UserError(
                "The process that verifies was ended by the system, or by TensorFlow itself. There "
                "must be enough memory, and files must be undamaged.",
                received=f"{ended} while verifying ({what})",
            ) from error


def can_be_beside() -> bool:
    """Whether a process can be forked that is as good as this one, and has a core for itself."""
    started = tf_context.context_safe()
    return (
        supervision.is_supervised()
        and len(os.sched_getaffinity(0)) > 1
        and (started is None or not getattr(started, "_initialized", True))
    )


@contextlib.contextmanager
def beside(plan: plans.Plan) -> Iterator[Verifier]:
    """While open, another process verifies. To be called before TensorFlow runs anything.

    Args:
      plan: What is exported, with an encoder.
    """
    pool = concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("fork"), initializer=_start, initargs=(plan, os.getpid())
    )
    before = set(multiprocessing.active_children())
    with warnings.catch_warnings():
        # Python 3.12 tells of NumPy's idle threads, which are made for being forked.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool.submit(_call, "prepare")
    (process,) = set(multiprocessing.active_children()) - before
    try:
        yield Beside(pool, process)
    finally:
        process.kill()  # It has told all that is needed, or nothing is needed any more.
        pool.shutdown()


# In the process beside: what is exported, and from when on it was built.
_plan: plans.Plan | None = None


def _start(plan: plans.Plan, parent: int) -> None:
    global _plan  # noqa: PLW0603 (a process verifies one export)
    _plan = plan
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # A terminal sends it to both.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    supervision.end_with_parent(parent)
    os.nice(_NICENESS)
    gc.disable()  # It ends before it has made much that is to be collected.
    progress.silence()
    logging.getLogger("exporter").setLevel(logging.CRITICAL)  # What it has to say, it returns.


def _call(what: str, *arguments: str) -> Any:
    return getattr(_verification(), what)(*arguments)


@functools.cache
def _verification() -> Verification:
    assert _plan is not None
    assert _plan.source is not None
    built = ingredients.build(_plan, _plan.source)
    return Verification(_plan, built, ingredients.text_of_export(_plan, built))
