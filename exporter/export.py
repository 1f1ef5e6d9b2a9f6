"""The root configurable of `--mode=export`: settings in, a complete and verified export out."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import gin

from exporter import choices, errors, findings, poolers, progress, shared_files, sharing

if TYPE_CHECKING:
    from exporter import plans

_logger = logging.getLogger(__name__)


@gin.configurable(module="exporter")
def export(
    export_path: str = gin.REQUIRED,
    export_type: str = "model",
    pooler: Callable[[], poolers.Pooler] = poolers.restored_pooler,
    verify: str = "quick",
    overwrite: bool = False,
    show: bool = False,
    dry_run: bool = False,
) -> str | None:
    """Exports what `export_type` names.

    The rest of what can be chosen is in `exporter.settings`.

    Args:
      export_path: Where to write the SavedModel, or with "all" the folder of several:
        `encoder`, `preprocessing`, `text_embedding`.
      export_type: "model", "model_with_mlm", "preprocessing", "text_embedding" or "all". In
        "all", the encoder has `.mlm` where the checkpoint has the head.
      pooler: Where the pooler's values come from, a function of `exporter.poolers`.
      verify: "off", "quick" or "full".
      overwrite: Whether an existing export is replaced.
      show: Whether to load what was written and print what it is.
      dry_run: Whether to check all that can be checked without building the model, and stop.

    Returns:
      The export's path, or None after a dry run.

    Raises:
      UserError: A choice is wrong, or a file is.
      VerificationError: What was written is not what it came from. Nothing is left of it.
    """
    target, plan = prepare(export_path, export_type, pooler, verify, overwrite)
    from exporter import parts, records, targets, verifiers

    if dry_run:
        plan.check()
        return None
    beside = not sharing.is_open() and verifiers.can_be_beside()
    with (
        targets.staged(target, overwrite=overwrite) as staging,
        plan.reading(),
        _shared(export_type, f"{staging}.shared"),
    ):
        outcome = parts.write(plan, staging, beside=beside)
    for report in outcome.reports:
        _logger.info("%s", report.text())
    findings.log(outcome.found)
    with targets.recording(target):
        records.write(f"{target}.record", outcome.record(os.path.basename(target)))
    if show:
        from exporter import showcase

        print(showcase.show(export_path))
    return target


@contextlib.contextmanager
def _shared(export_type: str, folder: str) -> Iterator[None]:
    """While open, the SavedModels of an export share what they have in common.

    Args:
      export_type: What is exported.
      folder: Where links are kept meanwhile, beside the export; see `sharing.results`.
    """
    if export_type != "all" or sharing.is_open():  # By a sweep.
        yield
        return
    local = "://" not in folder
    try:
        with sharing.results(folder if local else None, several=False):
            yield
    finally:
        if local:
            shared_files.remove(folder)


def prepare(
    export_path: str,
    export_type: str = "model",
    pooler: Callable[[], poolers.Pooler] = poolers.restored_pooler,
    verify: str = "quick",
    overwrite: bool = False,
) -> tuple[str, plans.Plan]:
    """Checks the choices, and finds and reads the files.

    Args:
      export_path: As `export` takes it, with all others.
      export_type: The same.
      pooler: The same.
      verify: The same.
      overwrite: The same.

    Returns:
      The export's path in its plain form, and what is to be done.

    Raises:
      UserError: A choice is wrong, or a file is.
    """
    chosen = choices.from_gin(export_type, verify, pooler)
    from_run = chosen.pretraining.pretraining_dir is not None
    errors.raise_all(choices.wrong(chosen) + ([] if from_run else choices.missing(chosen)))
    import_tensorflow()
    from exporter import plans, targets

    target = targets.check(export_path, overwrite=overwrite)
    if from_run:
        chosen = choices.completed(chosen)
        errors.raise_all(choices.missing(chosen))
    return target, plans.plan(chosen)


@functools.cache
def import_tensorflow() -> None:
    """Imports TensorFlow, once in a process."""
    # Hundreds of thousands of objects of its modules live as long as the process: the garbage
    # collector need not look at them, now or later.
    gc.disable()
    try:
        with progress.step("importing TensorFlow"):
            from exporter import parts  # noqa: F401
        gc.freeze()
    finally:
        gc.enable()
