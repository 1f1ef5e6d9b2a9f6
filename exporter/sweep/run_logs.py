"""What is logged and printed while an export of a sweep is made goes to a file of its own."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from exporter.sweep import kept_texts


class _Log(io.TextIOBase):
    """A text stream that is written to a file of `tf.io.gfile`.

    Attributes:
      error: Why something could not be written.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        try:
            self._file.write(text)
            self._file.flush()  # To be read while the export runs, and after it was killed.
        except (tf.errors.OpError, OSError) as error:
            self.error = self.error or error  # Told at the end: who logs must not fail.
        return len(text)


@contextlib.contextmanager
def opened(path: str) -> Iterator[None]:
    """While open, what is logged and printed goes to a file, and nowhere else.

    Args:
      path: The file, which is written anew.

    Raises:
      UserError: It cannot be written.
    """
    logger = logging.getLogger("exporter")
    handlers, level, propagates = logger.handlers, logger.level, logger.propagate
    with kept_texts.telling(path), tf.io.gfile.GFile(path, "w") as file:
        stream = _Log(file)
        with _moved(stream):
            logger.handlers = [logging.StreamHandler(stream)]
            logger.setLevel(min(level or logging.INFO, logging.INFO))
            logger.propagate = False  # Or the root's handlers would say it once more.
            try:
                with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                    yield
            finally:
                logger.handlers = handlers
                logger.setLevel(level)
                logger.propagate = propagates
        if stream.error is not None:
            raise stream.error


@contextlib.contextmanager
def _moved(stream: _Log) -> Iterator[None]:
    """While open, loggers of others that write to standard error or output write to a stream.

    They have kept what these were when they were made, as TensorFlow's has.
    """
    standard = {id(s) for s in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)}
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    moved = {
        handler: handler.stream
        for logger in loggers
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and id(handler.stream) in standard
    }
    for handler in moved:
        handler.setStream(stream)
    try:
        yield
    finally:
        for handler, before in moved.items():
            handler.setStream(before)
