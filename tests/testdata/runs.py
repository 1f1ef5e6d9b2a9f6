"""The pre-training runs among the test data: what each is told, in the trainer's own words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

SEQ_LENGTH = 32  # So small an encoder learns to use few positions only in a few minutes.
MAX_PREDICTIONS = 5
# Below the working directory of the trainer. params.yaml records these paths.
EXAMPLES = "examples"
VOCABULARY = "vocabulary"
TRAIN = "train.tfrecord"
VALIDATION = "validation.tfrecord"

WORDPIECE = "wordpiece"
SMALL_WORDPIECE = "small wordpiece"
SENTENCEPIECE = "sentencepiece"

_ENCODER: Mapping[str, Any] = {
    "hidden_size": 64,
    "num_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "dropout_rate": 0.05,
    "attention_dropout_rate": 0.05,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}
_SMALLER: Mapping[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}


@dataclasses.dataclass(frozen=True)
class Run:
    """What sets a run apart from the other ones.

    Attributes:
      name: The name of its directory.
      vocabulary: `WORDPIECE`, `SMALL_WORDPIECE` or `SENTENCEPIECE`.
      encoder_type: A type of `official.nlp.configs.encoders.EncoderConfig`.
      encoder: Fields of this type's configuration, on top of the sizes that all runs share.
      from_text: Whether the trainer reads text and tokenizes and masks it itself, by a vocabulary
        that params.yaml records.
      gin: The user's gin file.
      mode: The trainer's `--mode`.
      steps: How long to train.
      optimizer: Fields of `trainer.optimizer_config`, on top of the ones that all runs share.
      trainer: Fields of `trainer`, likewise.
    """

    name: str
    vocabulary: str = SMALL_WORDPIECE
    encoder_type: str = "bert"
    encoder: Mapping[str, Any] = dataclasses.field(default_factory=lambda: _SMALLER)
    from_text: bool = False
    gin: str = ""
    mode: str = "train"
    steps: int = 1000
    optimizer: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    trainer: Mapping[str, Any] = dataclasses.field(default_factory=dict)


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
_PRE_NORM_GIN = """\
build_encoder.encoder_cls = @EncoderScaffold
EncoderScaffold.hidden_cls = @TransformerScaffold
EncoderScaffold.layer_norm_before_pooling = True
TransformerScaffold.norm_first = True
"""
# So high a rate overshoots soon: the best checkpoint is not the last one.
_AVERAGES: Mapping[str, Any] = {
    "ema": {"average_decay": 0.99},
    "learning_rate": {"type": "constant", "constant": {"learning_rate": 2e-2}},
}
_BEST: Mapping[str, Any] = {
    "checkpoint_interval": 100,
    "max_to_keep": 2,
    "validation_interval": 100,
    "validation_steps": 20,
    "best_checkpoint_export_subdir": "best",
    "best_checkpoint_eval_metric": "validation_loss",
    "best_checkpoint_metric_comp": "lower",
}
RUNS: Mapping[str, Run] = {
    run.name: run
    for run in (
        Run("bert_tiny", WORDPIECE, encoder={}, gin=_PLAIN_GIN, steps=6000),
        Run("albert_tiny", SENTENCEPIECE, "albert", {**_SMALLER, "embedding_width": 16}),
        Run("talking_heads_tiny", gin=_TALKING_HEADS_GIN),
        Run("pre_norm_tiny", gin=_PRE_NORM_GIN, from_text=True),
        Run(
            "ema_tiny",
            encoder={**_SMALLER, "hidden_size": 16, "intermediate_size": 32},
            mode="train_and_eval",
            steps=400,
            optimizer=_AVERAGES,
            trainer=_BEST,
        ),
    )
}


def experiment(run: Run, vocabulary: str, vocab_size: int) -> dict[str, Any]:
    """Returns what a run's --config_file says: the experiment's defaults, made tiny.

    Args:
      run: What to train.
      vocabulary: The name of its vocabulary's file.
      vocab_size: The number of its pieces.
    """
    encoder = {"vocab_size": vocab_size, **_ENCODER, **run.encoder}
    head = {"inner_dim": encoder["hidden_size"], "num_classes": 2, "dropout_rate": 0.1}
    return {
        "task": {
            "model": {
                "cls_heads": [{"name": "next_sentence", **head}],
                "encoder": {"type": run.encoder_type, run.encoder_type: encoder},
            },
            "train_data": _data(run, TRAIN, vocabulary),
            "validation_data": _data(run, VALIDATION, vocabulary),
        },
        "trainer": {
            "train_steps": run.steps,
            "steps_per_loop": min(run.steps, run.trainer.get("checkpoint_interval", 500)),
            "summary_interval": run.steps,
            "checkpoint_interval": run.steps,
            "max_to_keep": 1,
            "optimizer_config": {**_schedule(run.steps), **run.optimizer},
            **run.trainer,
        },
    }


def experiment_name(run: Run) -> str:
    """Returns a run's --experiment."""
    return "bert/text_wiki_pretraining" if run.from_text else "bert/pretraining"


def _data(run: Run, examples: str, vocabulary: str) -> dict[str, Any]:
    """Returns the settings of `BertPretrainDataConfig` or `BertPretrainTextDataConfig`."""
    common = {
        "input_path": f"{EXAMPLES}/{examples}",
        "global_batch_size": 64,
        "seq_length": SEQ_LENGTH,
        "max_predictions_per_seq": MAX_PREDICTIONS,
        "seed": 20,
    }
    if run.from_text:
        # In place of the experiment's Wikipedia.
        source = {"tfds_name": "", "tfds_split": ""}
        return {**common, **source, "vocab_file_path": f"{VOCABULARY}/{vocabulary}"}
    shuffling = {"shuffle_buffer_size": 10000, "deterministic": True}
    return {**common, **shuffling, "use_v2_feature_names": True}


def _schedule(steps: int) -> dict[str, Any]:
    """Returns a learning rate that rises for a tenth of the steps and falls to zero at the end."""
    decay = {"initial_learning_rate": 5e-3, "decay_steps": steps}
    return {
        "learning_rate": {"polynomial": decay},
        "warmup": {"polynomial": {"warmup_steps": max(1, steps // 10)}},
    }
