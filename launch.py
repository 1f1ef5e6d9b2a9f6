"""Exports pre-trained text encoders to TF Hub SavedModels: flags and gin files in, one mode run.

    python launch.py --encoder_config_file=bert_encoder.yaml --model_checkpoint_path=bert_model.ckpt
        --vocab_file=vocab.txt --export_type=model --export_path=/tmp/bert_model

Each flag is a gin binding that is applied after all gin files: whatever a flag can say, a gin file
can say under the name that --help gives.
"""

from __future__ import annotations

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until it is told in a message and after that, an interruption ends this without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import pathlib
import sys

from exporter import command_line, config, errors, supervision
from exporter.sweep import sweep

# What `--mode` may be, and the module of its root configurable, which has the same name.
MODES = {
    "export": "exporter.export",
    "verify": "exporter.verify",
    "sweep": "exporter.sweep.sweep",
    "evaluate": "exporter.evaluate",
}


def run(argv: list[str]) -> int:
    """Runs one command.

    Args:
      argv: The program's name and its arguments.

    Returns:
      The exit status: 0 for success, 2 for a user's mistake, 3 for a failed verification, 4 for a
      sweep of which some exports failed.
    """
    with command_line.reporting() as outcome:
        command = command_line.parse(argv, tuple(MODES))
        command_line.set_up_logging(command.verbosity)
        if command.help is None and command.mode == "sweep":
            sweep.run(command.config)
        elif command.help is None:
            _run_mode(MODES[command.mode], command.config)
        else:
            full = command.help == "full"
            print(command_line.help_text(__doc__ or "", tuple(MODES.values()), full=full))
    return outcome.status


def _run_mode(root: str, configuration: config.Config) -> None:
    resolved = config.resolve(configuration, root)
    if root == MODES["export"]:
        _require_no_points(resolved)
    resolved.apply()
    # What is bound of an export is what other modes do it with, too.
    if resolved.value(f"{root}.dry_run") or resolved.value("exporter.export.dry_run"):
        print(resolved.text(), end="")
    exported = resolved.run()
    if exported is not None:
        from exporter import targets

        with targets.recording(exported):
            resolved.record(f"{exported}.record")


def _require_no_points(resolved: config.Resolved) -> None:
    """Refuses a sweep's file, of which one export would be made that is none of its points."""
    where = resolved.where("sweep.points")
    if where is not None:
        raise errors.UserError(
            "sweep.points is for --mode=sweep.", received="--mode=export", where=where
        )


def main() -> None:
    """Runs the command line and exits with its status."""
    command_line.open_standard_streams()
    # `bazel run` starts in a folder of its own; paths are relative to where the user is.
    os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", pathlib.Path.cwd()))
    sys.exit(supervision.supervised(lambda: run(sys.argv)))


if __name__ == "__main__":
    main()
