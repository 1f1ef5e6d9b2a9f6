"""Runs `bazel test` and ends with one line that counts the test cases.

Bazel counts targets. The test cases are in the targets' JUnit files; which of these belong to this
run, cached or not, is in Bazel's build events.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree


@dataclasses.dataclass
class Counts:
    """How many test cases ended how. A target without results of its own is one case."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        """Adds `other` to this."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def count_cases(junit_xml: str, passed: bool) -> Counts:
    """Counts the test cases of one target.

    Args:
      junit_xml: What the target, or Bazel in its place, wrote.
      passed: Whether Bazel says that the target passed.
    """
    cases = list(ElementTree.fromstring(junit_xml).iter("testcase"))
    failed = sum(any(child.tag in ("failure", "error") for child in case) for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    if not passed and not failed:  # Timed out, killed, or failed outside of any case.
        return Counts(failed=1)
    return Counts(passed=len(cases) - failed - skipped, failed=failed, skipped=skipped)


def results(events: Iterable[dict[str, Any]]) -> Iterator[Counts]:
    """Yields what each target of a run came to.

    Args:
      events: Bazel's build events, as JSON objects.
    """
    kinds: dict[str, str] = {}
    for event in events:
        if "testResult" in event:
            result = event["testResult"]
            passed = result["status"] in ("PASSED", "FLAKY")
            files = {output["name"]: output["uri"] for output in result["testActionOutput"]}
            if "test.xml" in files:
                path = urllib.parse.urlparse(files["test.xml"]).path
                text = pathlib.Path(urllib.parse.unquote(path)).read_text(encoding="utf-8")
                yield count_cases(text, passed)
            else:
                yield Counts(passed=int(passed), failed=int(not passed))
        elif "configured" in event:
            kinds[event["id"]["targetConfigured"]["label"]] = event["configured"]["targetKind"]
        elif "targetCompleted" in event["id"]:
            kind = kinds.get(event["id"]["targetCompleted"]["label"], "")
            built = event.get("completed", {}).get("success", False)
            if kind.endswith("_test rule") and not built:
                yield Counts(failed=1)


def main(arguments: list[str]) -> int:
    """Runs `bazel test` with `arguments` and returns its exit status."""
    with tempfile.TemporaryDirectory() as directory:
        events = pathlib.Path(directory) / "events.json"
        command = ["bazel", "test", f"--build_event_json_file={events}", *arguments]
        status = subprocess.run(command, check=False).returncode
        counts = Counts()
        lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
        for result in results(json.loads(line) for line in lines):
            counts.add(result)
    if status and not counts.failed:
        counts.failed = 1  # Bazel itself failed; it has said why.
    print(f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
