"""The root configurable of `--mode=verify`: any SavedModel in, a report out."""

from __future__ import annotations

import os

import gin

from exporter import choices, errors, export, progress, reports

LEVELS = choices.VERIFY_LEVELS[1:]
_EXPORT = "exporter.export"


@gin.configurable(module="exporter")
def verify(report_dir: str | None = None) -> None:
    """Checks a SavedModel, or a folder of several, whoever made it, and prints what was found.

    What is checked is `export.export_path`. Where a source is given as for an export, it is
    compared with that, too: `checkpoint`, `encoder` and `pretraining` for an encoder, `tokenizer`
    for preprocessing, with `export.pooler` as for the export. `export.verify` may be "quick", and
    is "full" otherwise; with `export.dry_run`, no more is done than to check the settings. What
    else is bound of `export` plays no part.

    Args:
      report_dir: Where to write `report.json`, `report.txt` and `report.html`, outside of what is
        checked; None for nowhere.

    Raises:
      UserError: A choice is wrong, or there is no SavedModel.
      VerificationError: A check failed.
    """
    bound = gin.get_bindings(_EXPORT)
    path = bound.get("export_path")
    wanted = {name: bound[name] for name in ("verify", "pooler") if name in bound}
    chosen = choices.from_gin(**{"verify": "full", **wanted})
    errors.raise_all([*_wrong(path, chosen.verify, report_dir), *choices.wrong(chosen)])
    if bound.get("dry_run"):
        return
    export.import_tensorflow()
    with progress.step("importing what SavedModels are checked with"):
        from exporter import report_pages, saved_model_checks

    found = saved_model_checks.check(path, chosen)
    print(reports.table(found), end="")
    if report_dir is not None:
        report_pages.write(report_dir, os.path.basename(path.rstrip("/")), found)
    failed = [report.subject for report in found if not report.passed]
    if failed:
        raise errors.VerificationError(
            f"{path} does not pass: {', '.join(failed)}. What failed and what to look at is above."
        )


def _wrong(path: str | None, level: str, report_dir: str | None) -> list[errors.UserError]:
    """Mistakes that can be told without TensorFlow."""
    mistakes = []
    if not path:
        mistakes.append(
            errors.UserError(
                "What is to be verified needs a path.",
                example="--export_path=/tmp/bert_model",
                setting="export.export_path",
            )
        )
    elif not _is_remote(path) and not os.path.isdir(path):
        mistakes.append(
            errors.UserError(
                "What is to be verified must be a folder.",
                example="--export_path=/tmp/bert_model",
                received=path,
                setting="export.export_path",
            )
        )
    if level not in LEVELS:
        mistakes.append(
            errors.UserError(
                f"To verify, --verify must be one of {', '.join(LEVELS)}.",
                example="--verify=full",
                received=repr(level),
                setting="export.verify",
            )
        )
    if path and report_dir and _is_inside(report_dir, path):
        mistakes.append(
            errors.UserError(
                "A report must not be written into what is verified.",
                example=f"--report_dir={path.rstrip('/')}.record",
                received=report_dir,
                setting="verify.report_dir",
            )
        )
    return mistakes


def _is_remote(path: str) -> bool:
    return "://" in path


def _is_inside(path: str, folder: str) -> bool:
    if _is_remote(path) or _is_remote(folder):
        return f"{path.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([path, folder]) == folder
