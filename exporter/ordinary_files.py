"""Says why a file that a user named is not to be opened: some never end, some never begin."""

from __future__ import annotations

import os
import stat

# Of files that people write: configurations of any kind have some kilobytes.
CONFIGURATION_BYTES = 1 << 20
_MEGABYTE = 1_000_000
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def why_not(path: str, limit: int | None = None) -> str | None:
    """Says why a file is not to be opened, without opening it.

    Args:
      path: The file, following links.
      limit: How many bytes it may have; None for any number.

    Returns:
      What it is instead of an ordinary file, or its size where that is too large. None for ordinary
      files, for folders and what cannot be looked at, of which opening tells, and for paths of
      other file systems than the local one.
    """
    try:
        status = os.stat(path.removeprefix("file://"))
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(status.st_mode) and limit is not None and status.st_size > limit:
        return too_large(status.st_size, limit)
    return _KINDS.get(stat.S_IFMT(status.st_mode))


def too_large(size: int, limit: int) -> str:
    """Returns how a size is told that is over the limit, both in bytes."""
    return f"{size / _MEGABYTE:,.1f} MB, more than {limit / _MEGABYTE:,.1f}"
