"""Produces faults of all types and looks at what is said, lost and left.

    python -m tests.faults.fault_types

runs from the project's folder: real exports of the bundled pre-training run, mostly over an earlier
export, each in a fork of one process that has imported TensorFlow. Each row of the table is a
fault: the exit status; what is under the export's name then (the earlier export byte by byte, the
new one byte by byte, or nothing); what is left over; the time; whether all is as it must be; and
the first line of what was said. Then the fault is taken away and the next export must succeed, and
name and remove what was left. Faults that cannot be produced here are told, and are no success.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import signal
import sys
import tempfile
from collections.abc import Sequence

from tests.faults import (
    faults_of_processes,
    faults_of_sources,
    faults_of_targets,
    mounts,
    running,
    scenes,
)

ALL = (*faults_of_targets.FAULTS, *faults_of_sources.FAULTS, *faults_of_processes.FAULTS)


def chosen(words: Sequence[str]) -> list[scenes.Fault]:
    """Returns the faults whose names have one of these words; all if there are none."""
    return [fault for fault in ALL if not words or any(word in fault.name for word in words)]


def main() -> int:
    """Produces the faults that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", default=[], help="part of a fault's name")
    parser.add_argument("--verify", default="quick", help="as for launch.py")
    parser.add_argument("--rows", type=pathlib.Path, help="where to write the rows as JSON")
    parser.add_argument(
        "--lightly", action="store_true", help="export once more only if something is left"
    )
    arguments = parser.parse_args()
    if not mounts.may_mount():
        print("no file systems of its own: neither root nor user namespaces")
    # In a shell's background it is ignored, and by all that is started there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    running.import_all()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        folder.chmod(0o755)  # For processes of other users.
        intact = scenes.Intact(folder / "intact", [f"--verify={arguments.verify}"])
        for fault in chosen(arguments.only):
            rows.append(scenes.examine(fault, intact, folder, lightly=arguments.lightly))
            print(rows[-1].text(), flush=True)
    if arguments.rows is not None:
        arguments.rows.write_text(json.dumps([dataclasses.asdict(row) for row in rows]))
    wrong = [row for row in rows if row.wrong]
    absent = [row for row in rows if row.why_not is not None]
    print(
        f"{len(rows)} types of faults: {len(rows) - len(wrong) - len(absent)} as they must be, "
        f"{len(wrong)} wrong, {len(absent)} not produced"
    )
    return 1 if wrong or absent else 0


if __name__ == "__main__":
    sys.exit(main())
