"""Files and results that several exports of a sweep have in common: made once, then linked.

What is known of each is kept in the process and, beside the links to its files, in the sweep's
folder, where the sweep's other processes find it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Hashable
from typing import Any

from exporter import code_digests, manifests, shared_files, sharing

# What is kept are digests and reports, no files.
_KEPT = 256
# Of an object without a text of its own; it is another one in each process.
_ADDRESS = " at 0x"


@dataclasses.dataclass(frozen=True)
class Product:
    """Files that were made, or links to equal ones.

    Attributes:
      said: What their maker said of them, as JSON knows it.
      digests: Their sizes and digests, by the paths relative to the folder.
    """

    said: Any
    digests: shared_files.Digests


def make(
    kind: str, key: Hashable, path: str, write: Callable[[], Any], *, name: str | None = None
) -> Product:
    """Makes the files of a folder, or links those that were made before.

    Args:
      kind: What it is.
      key: All that it depends on.
      path: The folder.
      write: Makes them, and returns what is to be known of them, as JSON knows it.
      name: The one file there that is meant; None for all files of the folder, which is empty.
    """
    folder = sharing.folder()
    if folder is None:
        return _made(path, write, name)
    there = []

    def fresh() -> Product:
        product = _made(path, write, name)
        shared_files.add(folder, path, product.digests)
        _remember(folder, kind, key, product)
        there.append(product)
        return product

    def elsewhere_or_fresh() -> Product:
        known = _known(folder, kind, key)
        if known is None or not shared_files.place(folder, path, known.digests):
            return fresh()
        there.append(known)
        return known

    product = sharing.once(kind, key, elsewhere_or_fresh, keep=_KEPT)
    if not there and not shared_files.place(folder, path, product.digests):
        return fresh()
    return product


def result(kind: str, key: Hashable, make: Callable[[], Any]) -> Any:
    """Returns what a function returns, or what it returned before for the same key.

    Args:
      kind: What it is.
      key: All that the result depends on.
      make: Makes it, as JSON knows it.
    """

    def known_or_made() -> Any:
        folder = sharing.folder()
        known = None if folder is None else _known(folder, kind, key)
        if known is not None:
            return known.said
        said = make()
        if folder is not None:
            _remember(folder, kind, key, Product(said, {}))
        return said

    return sharing.once(kind, key, known_or_made, keep=_KEPT)


def _made(path: str, write: Callable[[], Any], name: str | None) -> Product:
    said = write()
    if name is not None:
        return Product(said, {name: digest(f"{path}/{name}")})
    return Product(said, manifests.digests(path, digest))


def digest(file: str) -> dict[str, Any]:
    """Returns a file's size and SHA-256; links of one file are read once."""
    is_shared = "://" not in file and sharing.folder() is not None
    return shared_files.digest(file) if is_shared else manifests.digest(file)


def _known(folder: str, kind: str, key: Hashable) -> Product | None:
    file = _record(folder, kind, key)
    if file is None:
        return None
    try:
        with open(file, encoding="utf-8") as stream:
            digest, text = stream.read().split("\n", 1)
            return Product(**json.loads(text)) if digest == _text_digest(text) else None
    except (OSError, ValueError, TypeError):
        return None  # Not made yet, or by nobody that is known.


def _remember(folder: str, kind: str, key: Hashable, product: Product) -> None:
    file = _record(folder, kind, key)
    if file is None:
        return
    text = json.dumps(dataclasses.asdict(product))
    new = f"{file}.{secrets.token_hex(4)}"
    # Another process may have removed the folder; then nothing is linked either.
    with contextlib.suppress(FileNotFoundError):
        with open(new, "w", encoding="utf-8") as stream:
            stream.write(f"{_text_digest(text)}\n{text}")
        os.replace(new, file)


def _record(folder: str, kind: str, key: Hashable) -> str | None:
    """Returns the file for a key that all processes know alike."""
    text = repr((code_digests.of_exporter(), key))
    if _ADDRESS in text:
        return None
    return os.path.join(folder, f"{kind}-{_text_digest(text)}.json")


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
