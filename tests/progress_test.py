"""On a terminal, which here is a real one of the operating system's, and elsewhere."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
from collections.abc import Callable, Iterator

import pytest

from exporter import progress

_LOGGER = "exporter.progress"


@contextlib.contextmanager
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Makes standard error a terminal, and yields what reads what was printed there so far."""
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as stream, open(ours, "rb", buffering=0) as screen:
        monkeypatch.setattr("sys.stderr", stream)
        yield lambda: screen.read(1000).decode("utf-8")
        monkeypatch.undo()


def test_on_a_terminal_a_step_is_announced_and_then_timed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, _LOGGER)
    with _terminal(monkeypatch) as read:
        with progress.step("writing the encoder"):
            assert read() == "  writing the encoder …"
        assert re.fullmatch(r"\r  writing the encoder: \d\.\d s\r\n", read())
    assert not caplog.records


def test_on_a_terminal_a_failed_step_ends_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with _terminal(monkeypatch) as read:
        with pytest.raises(KeyboardInterrupt), progress.step("writing"):
            raise KeyboardInterrupt
        assert read() == "  writing …\r\n"


def test_elsewhere_a_step_is_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, _LOGGER)
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    with progress.step("writing the encoder"):
        assert not caplog.messages
    (message,) = caplog.messages
    assert re.fullmatch(r"writing the encoder: \d\.\d s", message)
    assert not stderr.getvalue()


def test_elsewhere_a_failed_step_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, _LOGGER)
    with pytest.raises(ZeroDivisionError), progress.step("writing"):
        raise ZeroDivisionError
    assert not caplog.messages


def test_what_is_done_is_told_without_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_shared", None)
    progress.tell("nothing")
    assert not progress.shared()
    progress.share()
    with progress.step("importing"):
        assert progress.shared() == "importing"
    progress.tell("running")
    assert progress.shared() == "running"
