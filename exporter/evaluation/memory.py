"""How much memory this process has taken at most."""

from __future__ import annotations

import re
import resource
import sys

_CLEAR, _STATUS = "/proc/self/clear_refs", "/proc/self/status"


def reset_peak() -> None:
    """Forgets the largest memory so far, where the system can do that (Linux)."""
    try:
        with open(_CLEAR, "w", encoding="ascii") as file:
            file.write("5")
    except OSError:  # Elsewhere the peak is that of the whole process.
        return


def peak() -> int:
    """Returns the largest resident memory since `reset_peak`, in bytes.

    Where the system cannot forget, it is the largest since the process began.
    """
    try:
        with open(_STATUS, encoding="ascii") as file:
            found = re.search(r"VmHWM:\s*(\d+) kB", file.read())
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
