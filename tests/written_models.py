"""SavedModels of root objects, written as an export writes them but for its folder and record."""

from __future__ import annotations

from exporter import restorations, saved_models


def write(
    module: saved_models.Exportable,
    path: str,
    *,
    restoration: restorations.Restoration | None = None,
) -> None:
    """Writes a SavedModel.

    Args:
      module: The root object. Its variables have values in memory, or `restoration` has them.
      path: Where to write it; nobody may be using that yet.
      restoration: The encoder's variables, with the stored values, copied from file to file, of
        those that have any.

    Raises:
      UserError: A stored value is NaN or infinite.
    """
    keys = saved_models.write_graph(module, path, restoration)
    saved_models.complete(path, keys, restoration)
