"""Pre-training runs by TF-NLP's own programs: its data script, then its trainer."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import tensorflow as tf
import yaml

from tests.testdata import runs

_SEEDED_TRAIN = pathlib.Path(__file__).with_name("seeded_train.py")
# They name the machine.
_EVENT_FILES = ("train", "validation")


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """The vocabulary of a run.

    Attributes:
      path: A WordPiece vocabulary (.txt) or a SentencePiece model (.model).
      size: Its number of pieces.
    """

    path: pathlib.Path
    size: int

    @property
    def data_flags(self) -> list[str]:
        """The data script's flags that name this vocabulary."""
        if self.path.suffix == ".model":
            return ["--tokenization=SentencePiece", f"--sp_model_file={self.path}"]
        return ["--tokenization=WordPiece", f"--vocab_file={self.path}"]


def write_examples(
    text: pathlib.Path, examples: pathlib.Path, tokenizer: Tokenizer, dupe_factor: int
) -> None:
    """Turns text into a TFRecord file of masked sentence pairs.

    Args:
      text: One sentence a line, with empty lines between documents.
      examples: The file to write.
      tokenizer: The run's vocabulary.
      dupe_factor: How often each sentence is used, masked differently each time.
    """
    _run_python(
        [
            "-m",
            "official.nlp.data.create_pretraining_data",
            f"--input_file={text}",
            f"--output_file={examples}",
            *tokenizer.data_flags,
            f"--max_seq_length={runs.SEQ_LENGTH}",
            f"--max_predictions_per_seq={runs.MAX_PREDICTIONS}",
            f"--dupe_factor={dupe_factor}",
            "--use_v2_feature_names",
            "--verbosity=-1",  # Not its usual 20 examples.
        ],
        cwd=examples.parent,
    )


def write_texts(documents: Sequence[Sequence[str]], examples: pathlib.Path) -> None:
    """Writes a TFRecord file of documents for a trainer that tokenizes and masks them itself.

    Args:
      documents: The corpus. It is lower-cased here: that trainer does not do it.
      examples: The file to write.
    """
    with tf.io.TFRecordWriter(str(examples)) as writer:
        for document in documents:
            text = "\n".join(document).lower().encode("utf-8")
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
            features = tf.train.Features(feature={"text": feature})
            writer.write(tf.train.Example(features=features).SerializeToString())


def pretrain(
    run: runs.Run, tokenizer: Tokenizer, examples: pathlib.Path, output_dir: pathlib.Path
) -> pathlib.Path:
    """Trains as `python -m official.nlp.train --experiment=... --mode=...` does.

    Args:
      run: What to train.
      tokenizer: The vocabulary that the examples were made with.
      examples: The directory of the examples to train and to validate with.
      output_dir: Where the run's directory is made; it must not be there yet.

    Returns:
      The run's directory: all that the trainer wrote but the event files.
    """
    directory = output_dir / run.name
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        # All paths are relative to the working directory, because params.yaml records them.
        (work / runs.EXAMPLES).symlink_to(examples.resolve(), target_is_directory=True)
        (work / runs.VOCABULARY).symlink_to(tokenizer.path.parent, target_is_directory=True)
        config = runs.experiment(run, tokenizer.path.name, tokenizer.size)
        (work / "run.yaml").write_text(yaml.safe_dump(config))
        (work / "run.gin").write_text(run.gin)
        flags = [
            f"--experiment={runs.experiment_name(run)}",
            f"--mode={run.mode}",
            f"--model_dir={run.name}",
            "--config_file=run.yaml",
            "--gin_file=run.gin",
        ]
        _run_python([str(_SEEDED_TRAIN), *flags], work)
        shutil.copytree(work / run.name, directory, ignore=shutil.ignore_patterns(*_EVENT_FILES))
    return directory


def _run_python(arguments: list[str], cwd: pathlib.Path) -> None:
    """Runs a Python program; its log goes where this program's goes."""
    subprocess.run([sys.executable, *arguments], cwd=cwd, check=True)
