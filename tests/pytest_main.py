"""Runs pytest as Bazel wants a test to run: its results, filter and scratch space are Bazel's."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest


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
    return pytest.main([*options, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
