"""Pre-training runs by TF-NLP's own programs: its data script, then its trainer."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import yaml

SEQ_LENGTH = 32  # So small an encoder learns to use few positions only in a few minutes.
MAX_PREDICTIONS = 5
TRAIN_EXAMPLES = "train.tfrecord"
VALIDATION_EXAMPLES = "validation.tfrecord"
_SEEDED_TRAIN = pathlib.Path(__file__).with_name("seeded_train.py")
_EXAMPLES = "examples"
_HIDDEN_SIZE = 64
_TINY_ENCODER: Mapping[str, Any] = {
    "hidden_size": _HIDDEN_SIZE,
    "num_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "dropout_rate": 0.05,
    "attention_dropout_rate": 0.05,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}


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


@dataclasses.dataclass(frozen=True)
class Run:
    """What sets a run apart from the other ones.

    Attributes:
      name: The name of its directory.
      encoder_type: A type of `official.nlp.configs.encoders.EncoderConfig`.
      encoder: Fields of this type's configuration, on top of the tiny sizes that all runs share.
      gin: The user's gin file.
      steps: How long to train.
      optimizer: Fields of `trainer.optimizer_config`, on top of the ones that all runs share.
    """

    name: str
    encoder_type: str = "bert"
    encoder: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    gin: str = ""
    steps: int = 20
    optimizer: Mapping[str, Any] = dataclasses.field(default_factory=dict)


_PLAIN_GIN = """\
# The optimizer's implementation; the trainer's default, said aloud.
USE_LEGACY_OPTIMIZER = True
build_optimizer.use_legacy_optimizer = %USE_LEGACY_OPTIMIZER
"""
_TALKING_HEADS_GIN = """\
build_encoder.encoder_cls = @EncoderScaffold
EncoderScaffold.hidden_cls = @TransformerScaffold
TransformerScaffold.attention_cls = @TalkingHeadsAttention
TransformerScaffold.feedforward_cls = @GatedFeedforward
"""
_RUNS = (
    Run("bert_tiny", gin=_PLAIN_GIN, steps=6000),
    Run("albert_tiny", "albert", {"embedding_width": 32}),
    Run("talking_heads_tiny", gin=_TALKING_HEADS_GIN),
    Run("pre_norm_tiny", encoder={"norm_first": True}),
    Run("ema_tiny", optimizer={"ema": {"average_decay": 0.9}}),
)
RUNS: Mapping[str, Run] = {run.name: run for run in _RUNS}


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
            f"--max_seq_length={SEQ_LENGTH}",
            f"--max_predictions_per_seq={MAX_PREDICTIONS}",
            f"--dupe_factor={dupe_factor}",
            "--use_v2_feature_names",
            "--verbosity=-1",  # Not its usual 20 examples.
        ],
        cwd=examples.parent,
    )


def pretrain(
    run: Run, tokenizer: Tokenizer, examples: pathlib.Path, output_dir: pathlib.Path
) -> pathlib.Path:
    """Trains as `python -m official.nlp.train --experiment=bert/pretraining --mode=train` does.

    Args:
      run: What to train.
      tokenizer: The vocabulary that the examples were made with.
      examples: The directory of train.tfrecord and validation.tfrecord.
      output_dir: Where the run's directory is made; it must not be there yet.

    Returns:
      The run's directory: all that the trainer wrote but the event files, which name the machine,
      and a copy of the vocabulary.
    """
    directory = output_dir / run.name
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        # All paths are relative to the working directory, because params.yaml records them.
        (work / _EXAMPLES).symlink_to(examples.resolve(), target_is_directory=True)
        (work / "run.yaml").write_text(yaml.safe_dump(experiment(run, tokenizer.size)))
        (work / "run.gin").write_text(run.gin)
        flags = ["--experiment=bert/pretraining", "--mode=train", f"--model_dir={run.name}"]
        _run_python(
            [str(_SEEDED_TRAIN), *flags, "--config_file=run.yaml", "--gin_file=run.gin"], work
        )
        shutil.rmtree(work / run.name / "train")
        shutil.copytree(work / run.name, directory)
    shutil.copy(tokenizer.path, directory)
    return directory


def experiment(run: Run, vocab_size: int) -> dict[str, Any]:
    """Returns what a run's --config_file says: the experiment's defaults, made tiny.

    Args:
      run: What to train.
      vocab_size: The number of pieces of its vocabulary.
    """
    encoder = {"vocab_size": vocab_size, **_TINY_ENCODER, **run.encoder}
    head = {"inner_dim": _HIDDEN_SIZE, "num_classes": 2, "dropout_rate": 0.1}
    return {
        "task": {
            "model": {
                "cls_heads": [{"name": "next_sentence", **head}],
                "encoder": {"type": run.encoder_type, run.encoder_type: encoder},
            },
            "train_data": _data(TRAIN_EXAMPLES),
            "validation_data": _data(VALIDATION_EXAMPLES),
        },
        "trainer": {
            "train_steps": run.steps,
            "steps_per_loop": min(run.steps, 500),
            "summary_interval": run.steps,
            "checkpoint_interval": run.steps,
            "max_to_keep": 1,
            "optimizer_config": {**_schedule(run.steps), **run.optimizer},
        },
    }


def _data(examples: str) -> dict[str, Any]:
    """Returns the settings of `BertPretrainDataConfig`."""
    return {
        "input_path": f"{_EXAMPLES}/{examples}",
        "global_batch_size": 64,
        "seq_length": SEQ_LENGTH,
        "max_predictions_per_seq": MAX_PREDICTIONS,
        "use_v2_feature_names": True,
        "shuffle_buffer_size": 10000,
        "deterministic": True,
        "seed": 20,
    }


def _schedule(steps: int) -> dict[str, Any]:
    """Returns a learning rate that rises for a tenth of the steps and falls to zero at the end."""
    decay = {"initial_learning_rate": 5e-3, "decay_steps": steps}
    return {
        "learning_rate": {"polynomial": decay},
        "warmup": {"polynomial": {"warmup_steps": max(1, steps // 10)}},
    }


def _run_python(arguments: list[str], cwd: pathlib.Path) -> None:
    """Runs a Python program; its log goes where this program's goes."""
    subprocess.run([sys.executable, *arguments], cwd=cwd, check=True)
