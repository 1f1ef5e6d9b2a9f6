"""The root configurable of `--mode=export`: settings in, a complete and verified export out."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import gin

from exporter import errors, poolers, progress, settings

if TYPE_CHECKING:
    from exporter import checkpoints, encoder_configs, reports

EXPORT_TYPES = ("model", "model_with_mlm", "preprocessing", "all")
VERIFY_LEVELS = ("off", "quick", "full")
WEIGHTS = ("raw", "ema")
_DEFAULT_SEQ_LENGTH = 128
_WITH_ENCODER = ("model", "model_with_mlm", "all")
_WITH_PREPROCESSING = ("preprocessing", "all")

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
        `encoder`, `preprocessing`.
      export_type: "model", "model_with_mlm", "preprocessing" or "all". In "all", the encoder has
        `.mlm` where the checkpoint has the head.
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
    choices = _Choices(
        export_type=export_type,
        verify=verify,
        pooler=pooler,
        encoder=settings.EncoderSettings(),
        mlm=settings.MlmSettings(),
        checkpoint=settings.CheckpointSettings(),
        pretraining=settings.PretrainingSettings(),
        tokenizer=settings.TokenizerSettings(),
        preprocessing=settings.PreprocessingSettings(),
    )
    from_run = choices.pretraining.pretraining_dir is not None
    errors.raise_all(_wrong(choices) + ([] if from_run else _missing(choices)))
    with progress.step("importing TensorFlow"):
        from exporter import targets
    target = targets.check(export_path, overwrite=overwrite)
    if from_run:
        choices = _completed(choices)
        errors.raise_all(_missing(choices))
    plan = _plan(choices)
    if dry_run:
        return None
    # Thousands of objects of TensorFlow's modules live as long as the process: none need a look.
    gc.collect()
    gc.freeze()
    with targets.staged(target, overwrite=overwrite) as staging:
        reports = _write(plan, staging)
    for report in reports:
        _logger.info("%s", report.text())
    if show:
        from exporter import showcase

        print(showcase.show(export_path))
    return target


@dataclasses.dataclass(frozen=True)
class _Choices:
    """What gin says."""

    export_type: str
    verify: str
    pooler: Callable[[], poolers.Pooler]
    encoder: settings.EncoderSettings
    mlm: settings.MlmSettings
    checkpoint: settings.CheckpointSettings
    pretraining: settings.PretrainingSettings
    tokenizer: settings.TokenizerSettings
    preprocessing: settings.PreprocessingSettings


@dataclasses.dataclass(frozen=True)
class _Source:
    """What an encoder is made from."""

    architecture: encoder_configs.Architecture
    checkpoint: checkpoints.Checkpoint
    with_mlm: bool


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What is to be done, all files found and read as far as they say what to build."""

    choices: _Choices
    lower_case: bool
    source: _Source | None


def _wrong(choices: _Choices) -> list[errors.UserError]:
    """Values that cannot be right."""
    wrong = []
    for setting, value, known in (
        ("export.export_type", choices.export_type, EXPORT_TYPES),
        ("export.verify", choices.verify, VERIFY_LEVELS),
        ("checkpoint.weights", choices.checkpoint.weights, WEIGHTS),
    ):
        name = setting.rpartition(".")[2]
        if value not in known:
            wrong.append(
                errors.UserError(
                    f"--{name} must be one of {', '.join(known)}.",
                    example=f"--{name}={known[0]}",
                    received=repr(value),
                    setting=setting,
                )
            )
    length = choices.preprocessing.default_seq_length
    if choices.export_type in _WITH_PREPROCESSING and length is not None and length < 3:
        wrong.append(
            errors.UserError(
                "--default_seq_length must leave room for [CLS], one token and [SEP].",
                example="--default_seq_length=128",
                received=str(length),
                setting="preprocessing.default_seq_length",
            )
        )
    return wrong


def _missing(choices: _Choices) -> list[errors.UserError]:
    """Files without which there is nothing to export."""
    missing = choices.tokenizer.mistakes()
    if choices.export_type in _WITH_ENCODER:
        missing += choices.encoder.mistakes()
        if not choices.checkpoint.model_checkpoint_path:
            missing.append(
                errors.UserError(
                    "An encoder needs a checkpoint.",
                    example="--model_checkpoint_path=bert_model.ckpt",
                    setting="checkpoint.model_checkpoint_path",
                )
            )
    return missing


def _completed(choices: _Choices) -> _Choices:
    """Fills from the pre-training run what is not set otherwise."""
    from exporter import pretraining

    run = pretraining.read(choices.pretraining)
    encoder, checkpoint, tokenizer = choices.encoder, choices.checkpoint, choices.tokenizer
    if not (encoder.encoder_config_file or encoder.bert_config_file or encoder.config):
        encoder = dataclasses.replace(encoder, encoder_config_file=run.params_file)
    if not checkpoint.model_checkpoint_path:
        checkpoint = dataclasses.replace(checkpoint, model_checkpoint_path=run.checkpoint_prefix)
    if not (tokenizer.vocab_file or tokenizer.sp_model_file):
        tokenizer = dataclasses.replace(tokenizer, vocab_file=run.vocab_file)
    preprocessing = choices.preprocessing
    if preprocessing.default_seq_length is None:
        preprocessing = dataclasses.replace(preprocessing, default_seq_length=run.seq_length)
    return dataclasses.replace(
        choices,
        encoder=encoder,
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        preprocessing=preprocessing,
    )


def _plan(choices: _Choices) -> _Plan:
    """Finds and reads the files."""
    from exporter import tokenizers

    files = choices.tokenizer
    lower_case = tokenizers.infer_do_lower_case(
        files.do_lower_case, files.vocab_file, files.sp_model_file
    )
    tokenizers.check_file(files.vocab_file, files.sp_model_file)
    source = _source(choices) if choices.export_type in _WITH_ENCODER else None
    return _Plan(choices, lower_case, source)


def _source(choices: _Choices) -> _Source:
    from exporter import checkpoints, encoder_configs

    architecture = encoder_configs.read_architecture(choices.encoder, choices.mlm)
    prefix = checkpoints.find(choices.checkpoint.model_checkpoint_path or "")
    checkpoint = checkpoints.read(prefix)
    with_mlm = choices.export_type == "model_with_mlm" or (
        choices.export_type == "all" and checkpoint.has_masked_lm
    )
    return _Source(architecture, checkpoint, with_mlm)


def _write(plan: _Plan, staging: str) -> list[reports.Report]:
    """Writes and verifies each SavedModel of the export."""
    several = plan.choices.export_type == "all"
    reports = []
    if plan.source is not None:
        path = os.path.join(staging, "encoder") if several else staging
        reports.append(_write_encoder(plan, plan.source, path))
    if plan.choices.export_type in _WITH_PREPROCESSING:
        path = os.path.join(staging, "preprocessing") if several else staging
        reports.append(_write_preprocessing(plan, path))
    made = [report for report in reports if report is not None]
    for report in made:
        report.require()
    return made


def _write_encoder(plan: _Plan, source: _Source, path: str) -> reports.Report | None:
    from exporter import encoder_modules, encoders, restorations, saved_models, verification

    with progress.step("building the encoder"):
        encoder = encoders.build(source.architecture, with_mlm=source.with_mlm)
        pooler = plan.choices.pooler()
        restoration = restorations.restoration(
            source.checkpoint, encoder, pooler, weights=plan.choices.checkpoint.weights
        )
    _logger.info("%s", restoration.summary())
    if encoder.pooler_layer is not None:
        pooler.initialize(encoder.pooler_layer)
    module = encoder_modules.EncoderModule(
        encoder,
        vocab_file=plan.choices.tokenizer.vocab_file,
        sp_model_file=plan.choices.tokenizer.sp_model_file,
        do_lower_case=plan.lower_case,
    )
    with progress.step("writing the encoder"):
        saved_models.write(module, path, restoration=restoration)
    if plan.choices.verify == "off":
        return None
    with progress.step("verifying the encoder"):
        return verification.verify_encoder(path, module, restoration, level=plan.choices.verify)


def _write_preprocessing(plan: _Plan, path: str) -> reports.Report | None:
    from exporter import preprocessing, saved_models, tokenizers, verification

    files, choices = plan.choices.tokenizer, plan.choices.preprocessing
    seq_length = choices.default_seq_length or _DEFAULT_SEQ_LENGTH
    with progress.step("reading the vocabulary"):
        tokenizer = tokenizers.make(
            vocab_file=files.vocab_file,
            sp_model_file=files.sp_model_file,
            do_lower_case=plan.lower_case,
            special_tokens=files.special_tokens,
        )
        module = preprocessing.Preprocessing(
            tokenizer,
            default_seq_length=seq_length,
            tokenize_with_offsets=choices.tokenize_with_offsets,
        )
    with progress.step("writing the preprocessing"):
        saved_models.write(module, path)
    if choices.disable_assert:
        _require_no_assert(path)
    if plan.choices.verify == "off":
        return None
    with progress.step("verifying the preprocessing"):
        return verification.verify_preprocessing(
            path,
            vocab_file=files.vocab_file,
            sp_model_file=files.sp_model_file,
            lower_case=plan.lower_case,
            seq_length=seq_length,
            special_tokens=dict(tokenizer.special_tokens) if files.special_tokens else None,
        )


def _require_no_assert(path: str) -> None:
    from exporter import saved_models

    count = saved_models.ops(path)["Assert"]
    if count:
        raise errors.VerificationError(
            f"preprocessing: {count} Assert ops, though preprocessing.disable_assert is set"
        )
