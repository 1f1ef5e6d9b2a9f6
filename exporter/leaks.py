r"""What in a text tells of a machine: paths of it or of a storage, its name, its user's.

Graphs are full of slashes that are none of this: Keras's scopes (`bert/layer_0/kernel`), devices
(`/job:localhost/...`), regular expressions (`[!-/]|\s`) and pieces of vocabularies.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket

# What a path may begin behind, other than nothing: tables are named by their file,
# `hash_table_/tmp/...`.
_BEFORE = r"(?:^|(?<=[\s\"'`=,;:(<>|\[{\x00-\x1f\ufffd])|(?<=table_))"
_ROOTS = (
    "home|root|Users|tmp|var|mnt|work|data|usr|opt|private|cns|scratch|nfs|srv|export|net|gpfs|"
    "cluster|lustre|media|Volumes|content|workspace|kaggle|dbfs|efs|fsx|homes|placer|bigstore|gcs"
)
# Folders with these names are known, wherever a path of them begins.
_KNOWN = re.compile(rf"(?<![A-Za-z0-9./:-])/(?:{_ROOTS})/[\w./+@-]{{3,}}")
_ABSOLUTE = re.compile(
    _BEFORE + r"/(?![./])[\w.+@~-]*[A-Za-z0-9][\w.+@~-]*"
    # In another folder, or a file by its name.
    r"(?:/[\w.+@~%-]+|(?<=\w)\.[A-Za-z]\w{0,7}\b|-\d+\b)+"
)
_HOME = re.compile(_BEFORE + r"~[\w-]*/[\w.+@-]{2,}")
# Of a storage or a file; what is looked at with a browser tells of no machine.
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9])(?!https?:|ftps?:|wss?:)[A-Za-z][A-Za-z0-9+]{1,15}://"
    r"(?:/?[\w~-][\w.~@:/-]*[\w/])"
)
_WINDOWS = re.compile(
    r"(?<![A-Za-z0-9?\\-])[A-Za-z]:(?:\\{1,2}|/)(?=[\w ]{2})[\w .~$-]+"
    r"|" + _BEFORE + r"\\\\[A-Za-z0-9][\w.-]+\\{1,2}[\w$][\w.$-]+"
)
# What regular expressions have and paths have not.
_EXPRESSION = re.compile(
    r"\\[pPsSwWdDbB][^\w]|\\[pP]\{|\[\^|\(\?|\.[*+]|[\])][*+?]|\[[^\]\s'\"/]{0,9}\w-\w|\)\|"
)
# Shorter names may be there for other reasons; this one is in the names of devices.
_SHORTEST_NAME = 6
_NO_NAME = "localhost"


def find(text: str, *, only_known: bool = False) -> str | None:
    """Finds the first path in a text.

    Args:
      text: The text.
      only_known: Whether only folders are found that many machines have: in pieces of a vocabulary,
        which was made of texts of all kinds, and in what is no text.

    Returns:
      The path, or None.
    """
    if not may_have(text):
        return None
    expressions = [_KNOWN]
    if not only_known:
        expressions.append(_ADDRESS)
        if not _EXPRESSION.search(text):
            expressions += [_ABSOLUTE, _HOME, _WINDOWS]
    found = (expression.search(text) for expression in expressions)
    return next((match.group() for match in found if match is not None), None)


def may_have(text: str) -> bool:
    """Whether there is what separates folders."""
    return "/" in text or "\\" in text


def machine() -> re.Pattern[str] | None:
    """Returns what finds this machine's, its user's and folders' names; None for short ones."""
    host = socket.gethostname()
    words = {os.path.expanduser("~"), host, host.partition(".")[0]}
    with contextlib.suppress(FileNotFoundError):  # It has been removed.
        words.add(os.getcwd())
    with contextlib.suppress(KeyError, OSError):  # The user has no name.
        words.add(getpass.getuser())
    long = sorted(word for word in words - {_NO_NAME} if len(word) >= _SHORTEST_NAME)
    if not long:
        return None
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, long))})(?![A-Za-z0-9])")
