"""What gin says to export, and the mistakes in it that can be told without reading checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from exporter import errors, findings, flags_table, poolers, settings

if TYPE_CHECKING:
    from exporter.pretraining import Run

EXPORT_TYPES = ("model", "model_with_mlm", "preprocessing", "text_embedding", "all")
VERIFY_LEVELS = ("off", "quick", "full")
WEIGHTS = ("raw", "ema")
DEFAULT_SEQ_LENGTH = 128
TRUNCATIONS = ("equal_size", "longest_first", "first_only", "waterfall", "head_and_tail")
POOLINGS = ("first_token", "mean", "last_token")
VECTORS = ("pooled_output", "first_token", "mean", "mean_of_last_layers")
WITH_WEIGHTS = ("model", "model_with_mlm", "text_embedding", "all")
WITH_ENCODER = ("model", "model_with_mlm", "all")
WITH_PREPROCESSING = ("preprocessing", "all")
WITH_EMBEDDING = ("text_embedding", "all")
WITH_TEXT = ("preprocessing", "text_embedding", "all")


@dataclasses.dataclass(frozen=True)
class Choices:
    """What gin says, and what the pre-training run says of the rest."""

    export_type: str
    verify: str
    pooler: Callable[[], poolers.Pooler]
    encoder: settings.EncoderSettings
    mlm: settings.MlmSettings
    checkpoint: settings.CheckpointSettings
    pretraining: settings.PretrainingSettings
    tokenizer: settings.TokenizerSettings
    preprocessing: settings.PreprocessingSettings
    text_embedding: settings.TextEmbeddingSettings
    warmup: settings.WarmupSettings
    checks: settings.CheckSettings
    run: Run | None = None
    found: tuple[findings.Finding, ...] = ()


def from_gin(
    export_type: str = "model",
    verify: str = "quick",
    pooler: Callable[[], poolers.Pooler] = poolers.restored_pooler,
) -> Choices:
    """Returns what gin binds of all settings.

    Args:
      export_type: As `exporter.export.export` takes it.
      verify: The same.
      pooler: The same.
    """
    return Choices(
        export_type=export_type,
        verify=verify,
        pooler=pooler,
        encoder=settings.EncoderSettings(),
        mlm=settings.MlmSettings(),
        checkpoint=settings.CheckpointSettings(),
        pretraining=settings.PretrainingSettings(),
        tokenizer=settings.TokenizerSettings(),
        preprocessing=settings.PreprocessingSettings(),
        text_embedding=settings.TextEmbeddingSettings(),
        warmup=settings.WarmupSettings(),
        checks=settings.CheckSettings(),
    )


def wrong(choices: Choices) -> list[errors.UserError]:
    """Values that cannot be right."""
    mistakes = []
    for setting, value, known in (
        ("export.export_type", choices.export_type, EXPORT_TYPES),
        ("export.verify", choices.verify, VERIFY_LEVELS),
        ("checkpoint.weights", choices.checkpoint.weights, WEIGHTS),
        ("preprocessing.truncation", choices.preprocessing.truncation, TRUNCATIONS),
        ("text_embedding.vector", choices.text_embedding.vector, VECTORS),
        ("encoder.pooled_output", choices.encoder.pooled_output or POOLINGS[0], POOLINGS),
    ):
        if value not in known:
            mistakes.append(_not_one_of(setting, value, known))
    if choices.export_type in WITH_TEXT:
        mistakes += choices.preprocessing.mistakes()
    if choices.export_type in WITH_EMBEDDING:
        mistakes += choices.text_embedding.mistakes()
    mistakes += choices.warmup.mistakes()
    length = choices.preprocessing.default_seq_length
    if choices.export_type in WITH_TEXT and length is not None and length < 3:
        mistakes.append(
            errors.UserError(
                "--default_seq_length must leave room for [CLS], one token and [SEP].",
                example="--default_seq_length=128",
                received=str(length),
                setting="preprocessing.default_seq_length",
            )
        )
    return mistakes


def _not_one_of(setting: str, value: object, known: Sequence[str]) -> errors.UserError:
    has_flag = any(flag.setting == setting for flag in flags_table.FLAGS)
    flag = f"--{setting.rpartition('.')[2]}"
    return errors.UserError(
        f"{flag if has_flag else setting} must be one of {', '.join(known)}.",
        example=f"{flag}={known[0]}" if has_flag else f"{setting} = {known[0]!r}",
        received=repr(value),
        setting=setting,
    )


def missing(choices: Choices) -> list[errors.UserError]:
    """Files without which there is nothing to export."""
    mistakes = choices.tokenizer.mistakes()
    if choices.export_type in WITH_WEIGHTS:
        mistakes += choices.encoder.mistakes()
        if not choices.checkpoint.model_checkpoint_path:
            mistakes.append(
                errors.UserError(
                    "An encoder needs a checkpoint.",
                    example="--model_checkpoint_path=bert_model.ckpt",
                    setting="checkpoint.model_checkpoint_path",
                )
            )
    return mistakes


def completed(choices: Choices) -> Choices:
    """Fills from the pre-training run what is not set otherwise.

    Raises:
      UserError: The run's directory does not hold what is needed of it.
    """
    from exporter import pretraining

    run = pretraining.read(choices.pretraining.pretraining_dir or "")
    encoder, checkpoint, tokenizer = choices.encoder, choices.checkpoint, choices.tokenizer
    found: tuple[findings.Finding, ...] = ()
    if not encoder.sources:
        encoder = dataclasses.replace(encoder, encoder_config_file=run.params_file)
    if checkpoint.model_checkpoint_path:
        errors.raise_all(_two_checkpoints(choices))
    elif choices.export_type in WITH_WEIGHTS:
        picked = run.pick(choices.pretraining.checkpoint)
        checkpoint = dataclasses.replace(checkpoint, model_checkpoint_path=picked.prefix)
        found = picked.found
    if not (tokenizer.vocab_file or tokenizer.sp_model_file):
        tokenizer = dataclasses.replace(tokenizer, vocab_file=run.vocab_file())
    preprocessing = choices.preprocessing
    if preprocessing.default_seq_length is None:
        preprocessing = dataclasses.replace(preprocessing, default_seq_length=run.seq_length)
    return dataclasses.replace(
        choices,
        encoder=encoder,
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        preprocessing=preprocessing,
        run=run,
        found=found,
    )


def _two_checkpoints(choices: Choices) -> list[errors.UserError]:
    if choices.pretraining.checkpoint == "latest":
        return []
    return [
        errors.UserError(
            "Either --checkpoint chooses one of the run's or --model_checkpoint_path names one.",
            example=f"only --checkpoint={choices.pretraining.checkpoint}",
            received=f"--checkpoint={choices.pretraining.checkpoint} and "
            f"--model_checkpoint_path={choices.checkpoint.model_checkpoint_path}",
            setting="pretraining.checkpoint",
        )
    ]
