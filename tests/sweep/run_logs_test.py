"""Where goes what is logged and printed while an export is made."""

from __future__ import annotations

import io
import logging
import pathlib
import sys

import pytest
import tensorflow as tf

from exporter import errors
from exporter.sweep import run_logs

_OURS, _OTHERS = logging.getLogger("exporter.test"), logging.getLogger("others.test")


def test_all_goes_to_the_file(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = io.StringIO()
    # As TensorFlow's: it has kept standard error.
    handlers = [logging.StreamHandler(sys.stderr), logging.StreamHandler(elsewhere)]
    monkeypatch.setattr(_OTHERS, "handlers", handlers)
    monkeypatch.setattr(_OTHERS, "propagate", False)
    with run_logs.opened(f"{tmp_path}/log"):
        print("printed")
        print("said", file=sys.stderr)
        _OURS.info("ours")
        _OTHERS.warning("theirs")
    assert (tmp_path / "log").read_text() == "printed\nsaid\nours\ntheirs\n"
    assert elsewhere.getvalue() == "theirs\n"
    assert capsys.readouterr() == ("", "")
    _OTHERS.warning("later")
    print("later")
    assert capsys.readouterr() == ("later\n", "later\n")
    assert (tmp_path / "log").read_text().count("later") == 0


def test_no_room_is_told_at_the_end(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "log; No space left on device")

    log = run_logs.opened(f"{tmp_path}/log")
    log.__enter__()
    monkeypatch.setattr(tf.io.gfile.GFile, "write", refuse)
    print("printed")
    _OURS.info("ours")
    with pytest.raises(errors.UserError, match="room") as raised:
        log.__exit__(None, None, None)
    assert raised.value.received == f"{tmp_path}/log (No space left on device)"
