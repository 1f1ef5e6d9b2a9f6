"""The root configurable of `--mode=export`: settings in, a verified export out."""

from __future__ import annotations

from collections.abc import Callable

import gin

from exporter import poolers, settings

EXPORT_TYPES = ("model", "model_with_mlm", "preprocessing", "all")
VERIFY_LEVELS = ("off", "quick", "full")


@gin.configurable(module="exporter")
def export(
    export_path: str = gin.REQUIRED,
    export_type: str = "model",
    *,
    pooler: Callable[..., poolers.Pooler] = poolers.restored_pooler,
    verify: str = "quick",
    overwrite: bool = False,
) -> None:
    """Exports what `export_type` names to `export_path`."""
