"""Exports made by the public entry, and what they were made from."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

import launch
from tests import testing


@dataclasses.dataclass(frozen=True, eq=False)
class Export:
    """An export of a case.

    Attributes:
      case: The case.
      files: What pre-training left.
      path: The SavedModel.
    """

    case: testing.Case
    files: testing.SourceFiles
    path: pathlib.Path

    @property
    def source(self) -> testing.Source:
        """The source; its weights are not to be changed."""
        return self.files.source

    @functools.cached_property
    def loaded(self) -> Any:
        """The loaded export; its weights are not to be changed."""
        return tf.saved_model.load(str(self.path))


# In the path of all that an export is made from.
MARKER = "no_export_tells_of_this_folder"
# A source or an export: `call(inputs, training=...)`.
Call = Callable[..., Mapping[str, Any]]
# Exports a case when it is first asked to.
ExportCase = Callable[[testing.Case], Export]


def export(case: testing.Case, folder: pathlib.Path, *flags: str) -> Export:
    """Writes a case's files and exports them.

    Args:
      case: The case.
      folder: Takes all of it.
      *flags: For the launcher, in addition.
    """
    files = testing.write_files(case, folder / "source")
    return Export(case, files, run(files, folder / "export", *flags))


def run(files: testing.SourceFiles, path: pathlib.Path, *flags: str) -> pathlib.Path:
    """Exports the encoder, with its masked-language-model head where the checkpoint has that.

    Nothing is verified on the way: the tests are to find what is wrong.

    Args:
      files: What pre-training left.
      path: Where to write the SavedModel.
      *flags: For the launcher, in addition.

    Returns:
      `path`.
    """
    export_type = "model_with_mlm" if files.case.has_masked_lm else "model"
    status = launch.run(
        [
            "launch.py",
            *files.flags(),
            f"--export_type={export_type}",
            f"--export_path={path}",
            "--verify=off",
            *flags,
        ]
    )
    assert status == 0
    return path


def copied(path: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    """Copies an export to a new folder and returns that."""
    return pathlib.Path(shutil.copytree(path, target))
