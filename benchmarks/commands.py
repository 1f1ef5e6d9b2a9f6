"""The command lines that are compared."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Mapping

from benchmarks import sources

PREDECESSOR = "predecessor"
EXPORTER = "exporter"
CONTENDERS = (PREDECESSOR, EXPORTER)
EXPORT_TYPES = ("model", "model_with_mlm", "preprocessing")
# What the exporter alone writes; its vectors are means over the tokens.
TEXT_EMBEDDING = "text_embedding"
# What `--export_type=all` writes.
ALL = "all"
SWEEP_POINTS = 8
_PARTS_OF_ALL = ("encoder", "preprocessing", "text_embedding")

_PROGRAMS = {
    PREDECESSOR: ["-m", "official.nlp.tools.export_tfhub"],
    EXPORTER: [str(sources.ROOT / "launch.py")],
}
# How each of them imports TensorFlow.
_IMPORTS = {PREDECESSOR: "import tensorflow", EXPORTER: "import exporter, tensorflow"}


def export(
    contender: str, export_type: str, source: sources.Source, path: pathlib.Path, *, verify: bool
) -> list[str]:
    """Returns the command that writes an export.

    Args:
      contender: One of `CONTENDERS`.
      export_type: One of `EXPORT_TYPES`; of the exporter also `TEXT_EMBEDDING` and `ALL`.
      source: What is exported.
      path: Where to.
      verify: Whether the exporter verifies what it wrote, as it does by default. The predecessor
        cannot.
    """
    flags: Mapping[str, object] = {
        "vocab_file": source.vocabulary,
        "do_lower_case": "true",
        "export_type": export_type,
        "export_path": path,
    }
    if export_type != "preprocessing":
        flags = {
            "encoder_config_file": source.encoder_config,
            "model_checkpoint_path": source.checkpoint,
            **flags,
        }
    if export_type == TEXT_EMBEDDING:
        flags = {**flags, "gin_params": "text_embedding.vector = 'mean'"}
    command = [sys.executable, *_PROGRAMS[contender]]
    command += [f"--{name}={value}" for name, value in flags.items()]
    return command if verify or contender == PREDECESSOR else [*command, "--verify=off"]


def sweep(source: sources.Source, path: pathlib.Path) -> list[str]:
    """Returns the command that exports `SWEEP_POINTS` points, 2 poolers by 4 lengths, verified.

    Args:
      source: What is exported.
      path: The folder of all exports.
    """
    flags = {
        "mode": "sweep",
        "gin_file": "configs/sweeps/poolers_lengths.gin",
        "encoder_config_file": source.encoder_config,
        "model_checkpoint_path": source.checkpoint,
        "vocab_file": source.vocabulary,
        "do_lower_case": "true",
        "export_path": path,
    }
    params = (
        "pooler/axis.values = [@restored_pooler, @identity_pooler]",
        "length/axis.values = [16, 32, 64, 128]",
        "sweep.launcher = @local()",
    )
    return [
        sys.executable,
        *_PROGRAMS[EXPORTER],
        *(f"--{name}={value}" for name, value in flags.items()),
        *(f"--gin_params={line}" for line in params),
    ]


def saved_models(export_type: str, path: pathlib.Path) -> list[pathlib.Path]:
    """Returns where the SavedModels of an export are to be."""
    return [path / part for part in _PARTS_OF_ALL] if export_type == ALL else [path]


def import_tensorflow(contender: str) -> list[str]:
    """Returns a command that only imports TensorFlow, as a contender does."""
    return [sys.executable, "-c", _IMPORTS[contender]]


def make_source(size: str, folder: pathlib.Path, sentence_model: str | None) -> list[str]:
    """Returns the command that makes what is exported.

    Args:
      size: The name of one of `sizes.SIZES`.
      folder: The folder to make.
      sentence_model: A folder with the weights of a BERT of sentences, or None for random ones.
    """
    flags = [f"--size={size}", f"--folder={folder}"]
    if sentence_model is not None:
        flags.append(f"--sentence_model={sentence_model}")
    return [sys.executable, "-m", "benchmarks.make_source", *flags]


def peer(python: str, output: pathlib.Path, vocab_file: pathlib.Path) -> list[str]:
    """Returns the command that runs `benchmarks.peer` with a Python that has the peer."""
    return [python, "-m", "benchmarks.peer", str(output), str(vocab_file)]


def probe(*arguments: object) -> list[str]:
    """Returns the command that runs `benchmarks.probes` with these arguments."""
    return [sys.executable, "-m", "benchmarks.probes", *map(str, arguments)]


def embedding_peers(python: str, output: pathlib.Path, sentence_model: str) -> list[str]:
    """Returns the command that runs `benchmarks.embedding_peers` with a Python that has them."""
    return [python, "-m", "benchmarks.embedding_peers", str(output), sentence_model]
