"""A real browser for tests of pages: Chromium without a window, told what to do by a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--disable-crash-reporter", "--remote-debugging-pipe"),
)
# The protocol's pipes are the descriptors 3 and 4.
_START = """
import os, sys
for place, end in enumerate(sys.argv[1:3]):
    os.dup2(int(end), place + 3)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """A page in the browser, as the Chrome DevTools Protocol shows it.

    Attributes:
      requests: The addresses of all that was asked for.
      complaints: What the page wrote to the console, and scripts' errors.
    """

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands = commands
        self._answers = answers
        self._rest = b""
        self._ids = itertools.count(1)
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[Any] = []
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol and returns its result."""
        message = {"id": next(self._ids), "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, path: pathlib.Path) -> None:
        """Opens a file and waits until it is loaded."""
        self._loaded = False
        self.call("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._read()

    def value(self, expression: str) -> Any:
        """Returns what JavaScript makes of an expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Presses a key, as "Tab" or "Enter"."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"Enter": 13, "Tab": 9}[key]
        self.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._answers.fileno(), 1 << 16)
            assert read, "the browser has ended"
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._see(message.get("method"), message.get("params", {}))
        return message

    def _see(self, method: str | None, parameters: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(parameters)


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """While open, there is a browser. Where none is installed the test is skipped."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    # Its folder has a socket, whose path must be short.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        (theirs_in, commands), (answers, theirs_out) = os.pipe(), os.pipe()
        ends = [str(fcntl.fcntl(end, fcntl.F_DUPFD, 10)) for end in (theirs_in, theirs_out)]
        process = subprocess.Popen(
            [sys.executable, "-c", _START, *ends, program, *_FLAGS, f"--user-data-dir={folder}"],
            pass_fds=[int(end) for end in ends],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder, "TMPDIR": folder},
        )
        for end in (theirs_in, theirs_out, *ends):
            os.close(int(end))
        try:
            with os.fdopen(commands, "wb", buffering=0) as sent, os.fdopen(answers, "rb") as heard:
                yield Page(sent, heard)
        finally:
            process.kill()
            process.wait()
