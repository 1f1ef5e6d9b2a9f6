"""What root may do and others may not."""

from __future__ import annotations

import ctypes

_VERSION = 0x20080522
_WORDS_OF_THREE_SETS = 6


def drop() -> None:
    """Takes root's privileges from this process for good: permissions hold for it as for others.

    Raises:
      OSError: The system does not let it.
    """
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    none = (ctypes.c_uint32 * _WORDS_OF_THREE_SETS)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset failed")
