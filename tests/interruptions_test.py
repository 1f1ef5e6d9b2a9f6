"""Signals end what they interrupt, whatever becomes of their exceptions on the way."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable

import pytest

from exporter import interruptions, progress

_SIGNALS = [(signal.SIGTERM, interruptions.Terminated), (signal.SIGINT, KeyboardInterrupt)]


@pytest.mark.parametrize(("number", "kind"), _SIGNALS)
def test_a_signal_is_an_exception(number: signal.Signals, kind: type[KeyboardInterrupt]) -> None:
    handlers = [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]
    with pytest.raises(KeyboardInterrupt) as raised, interruptions.raised():
        signal.raise_signal(number)
    assert type(raised.value) is kind
    assert [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)] == handlers
    interruptions.check()  # It is over.


@pytest.mark.parametrize(("number", "kind"), _SIGNALS)
def test_what_is_made_of_it_does_not_count(
    number: signal.Signals, kind: type[KeyboardInterrupt]
) -> None:
    def made_of_it() -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise TypeError("made of it") from None

    with pytest.raises(kind) as raised, interruptions.raised():
        made_of_it()
    assert type(raised.value) is kind
    assert isinstance(raised.value.__cause__, TypeError)


def test_one_that_is_lost_is_raised_at_the_next_step() -> None:
    begun = []

    def lost() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with progress.step("the next one"):
            begun.append(True)

    with pytest.raises(interruptions.Terminated), interruptions.raised():
        lost()
    assert begun == []


def test_other_exceptions_pass() -> None:
    with pytest.raises(ZeroDivisionError), interruptions.raised():
        raise ZeroDivisionError


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
def test_an_interruption_that_is_ignored_or_handled_is_left_alone(
    handler: signal.Handlers | Callable[[int, object], None],
) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        with interruptions.raised():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_signals_alone() -> None:
    handlers = []

    def run() -> None:
        with interruptions.raised():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]
