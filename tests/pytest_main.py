"""Runs pytest as Bazel wants a test to run: its results, filter and scratch space are Bazel's."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest


class Shard:
    """Of the tests, the part that Bazel gives to this process.

    Tests with the same `case`, or the same parameters, stay together for the sake of what they
    share.

    Args:
      index: Which of the parts.
      count: How many parts there are.
    """

    def __init__(self, index: int, count: int) -> None:
        self.index = index
        self.count = count

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Deselects the tests of the other parts."""
        groups: dict[str, int] = {}
        for item in items:
            groups.setdefault(_group(item), len(groups) % self.count)
        others = [item for item in items if groups[_group(item)] != self.index]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if groups[_group(item)] == self.index]


def _group(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return item.nodeid
    return getattr(callspec.params.get("case"), "name", callspec.id)


def _shards() -> list[Shard]:
    """Returns what Bazel says of shards, and tells it that it is heard."""
    if "TEST_TOTAL_SHARDS" not in os.environ:
        return []
    pathlib.Path(os.environ["TEST_SHARD_STATUS_FILE"]).touch()
    return [Shard(int(os.environ["TEST_SHARD_INDEX"]), int(os.environ["TEST_TOTAL_SHARDS"]))]


def main(arguments: list[str]) -> int:
    """Runs the test files named in `arguments` and returns pytest's exit status.

    Args:
      arguments: Paths below the working directory (a test's runfiles), and pytest's own options
        (`bazel test --test_arg=...`).
    """
    scratch = pathlib.Path(os.environ["TEST_TMPDIR"])
    # For whatever asks for a temporary or home directory; a sandbox may have neither.
    os.environ["TMPDIR"] = os.environ["HOME"] = str(scratch)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch / "hypothesis")
    # Beside the test's sources is Bazel's output tree.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    options = [
        f"--rootdir={pathlib.Path.cwd()}",
        "--config-file=pyproject.toml",
        f"--basetemp={scratch / 'pytest'}",
        f"--junitxml={os.environ['XML_OUTPUT_FILE']}",
        "-p",
        "no:cacheprovider",
    ]
    wanted = os.environ.get("TESTBRIDGE_TEST_ONLY")
    if wanted:
        options += ["-k", wanted]
    return pytest.main([*options, *arguments], plugins=_shards())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
