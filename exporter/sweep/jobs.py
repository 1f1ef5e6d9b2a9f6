"""One export of a sweep, as plain data that can be sent elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from exporter import gin_parsing

# What is known of an export, in its `Job.record`.
STATE_FILE = "export.json"
# What a record in a sweep's results has besides the axes' values, in this order.
COLUMNS = (
    *("name", "status", "message", "seconds", "bytes", "saved_model_bytes", "load_seconds"),
    *("verification", "checks_passed", "max_difference", "step", "export", "record", "log"),
    "digest",
)


@dataclasses.dataclass(frozen=True)
class Job:
    """One export.

    Attributes:
      name: Its name in the sweep.
      path: Where it is written.
      values: What it is in the sweep: values as JSON knows them, by the axes' labels.
      bindings: Its whole configuration, as gin text.
      digest: A hexadecimal number that is another for another configuration or other inputs.
      group: What is equal for exports that share an encoder.
      graphs: What is equal for those that share graphs, too: where the encoders are equal, only
        their values differ.
      weights: The size of the checkpoint's files in bytes, or 0.
      reads: Files that it is made of.
      export_type: As `exporter.export.export` takes it.
      measures: What is measured of the export when it is complete, of `scores.Measure`.
    """

    name: str
    path: str
    values: Mapping[str, Any]
    bindings: tuple[gin_parsing.Source, ...]
    digest: str
    group: str
    graphs: str
    weights: int
    reads: tuple[str, ...] = ()
    export_type: str = "model"
    measures: tuple[Any, ...] = ()

    @property
    def record(self) -> str:
        """The folder beside the export that is kept about it."""
        return f"{self.path}.record"

    @property
    def shared(self) -> str | None:
        """The folder of files that several exports have; None where there are no links."""
        folder = self.path.rpartition("/")[0]
        return None if "://" in folder else f"{folder}/.shared"
