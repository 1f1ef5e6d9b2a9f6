"""Writes and verifies each SavedModel of an export."""

from __future__ import annotations

import dataclasses
import logging
import os

from exporter import (
    checkpoints,
    choices,
    encoder_configs,
    encoder_modules,
    encoders,
    errors,
    preprocessing,
    progress,
    reports,
    restorations,
    saved_models,
    text_embedding,
    text_verification,
    tokenizers,
    verification,
)

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Source:
    """What an encoder is made from."""

    architecture: encoder_configs.Architecture
    checkpoint: checkpoints.Checkpoint
    with_mlm: bool


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done, all files found and read as far as they say what to build."""

    chosen: choices.Choices
    lower_case: bool
    source: _Source | None


def plan(chosen: choices.Choices) -> Plan:
    """Finds and reads the files.

    Args:
      chosen: What is to be exported.

    Raises:
      UserError: A file is missing or wrong.
    """
    files = chosen.tokenizer
    lower_case = tokenizers.infer_do_lower_case(
        files.do_lower_case, files.vocab_file, files.sp_model_file
    )
    tokenizers.check_file(files.vocab_file, files.sp_model_file)
    source = _source(chosen) if chosen.export_type in choices.WITH_WEIGHTS else None
    return Plan(chosen, lower_case, source)


def _source(chosen: choices.Choices) -> _Source:
    architecture = encoder_configs.read_architecture(chosen.encoder, chosen.mlm)
    prefix = checkpoints.find(chosen.checkpoint.model_checkpoint_path or "")
    checkpoint = checkpoints.read(prefix)
    with_mlm = chosen.export_type == "model_with_mlm" or (
        chosen.export_type == "all" and checkpoint.has_masked_lm
    )
    return _Source(architecture, checkpoint, with_mlm)


def write(plan: Plan, staging: str) -> list[reports.Report]:
    """Writes and verifies each SavedModel of the export.

    Args:
      plan: What is to be done.
      staging: The folder to write to.

    Returns:
      What was verified.

    Raises:
      UserError: The encoder cannot be built, or the checkpoint is not its.
      VerificationError: What was written is not what it came from.
    """
    kind = plan.chosen.export_type
    made: list[reports.Report] = []

    def path(name: str) -> str:
        return os.path.join(staging, name) if kind == "all" else staging

    def add(report: reports.Report | None) -> None:
        if report is not None:
            report.require()
            made.append(report)

    built = None if plan.source is None else _build(plan, plan.source)
    if built is not None and kind in choices.WITH_ENCODER:
        add(_write_encoder(plan, built, path("encoder")))
    text = _text(plan) if kind in choices.WITH_TEXT else None
    if text is not None and kind in choices.WITH_PREPROCESSING:
        add(_write_preprocessing(plan, text, path("preprocessing")))
    if built is not None and text is not None:
        add(_write_text_embedding(plan, built, text, path("text_embedding")))
    return made


@dataclasses.dataclass(frozen=True)
class _Built:
    """An encoder, and where its variables' values come from."""

    encoder: encoders.Encoder
    restoration: restorations.Restoration


def _build(plan: Plan, source: _Source) -> _Built:
    with progress.step("building the encoder"):
        encoder = encoders.build(source.architecture, with_mlm=source.with_mlm)
        pooler = plan.chosen.pooler()
        restoration = restorations.restoration(
            source.checkpoint, encoder, pooler, weights=plan.chosen.checkpoint.weights
        )
    _logger.info("%s", restoration.summary())
    if encoder.pooler_layer is not None:
        pooler.initialize(encoder.pooler_layer)
    return _Built(encoder, restoration)


def _write_encoder(plan: Plan, built: _Built, path: str) -> reports.Report | None:
    module = encoder_modules.EncoderModule(
        built.encoder,
        vocab_file=plan.chosen.tokenizer.vocab_file,
        sp_model_file=plan.chosen.tokenizer.sp_model_file,
        do_lower_case=plan.lower_case,
    )
    with progress.step("writing the encoder"):
        saved_models.write(module, path, restoration=built.restoration)
    if plan.chosen.verify == "off":
        return None
    with progress.step("verifying the encoder"):
        return verification.verify_encoder(
            path, module, built.restoration, level=plan.chosen.verify
        )


@dataclasses.dataclass(frozen=True)
class _Text:
    """A tokenizer, and what it was made from."""

    tokenizer: tokenizers.Tokenizer
    source: text_verification.TextSource


def _text(plan: Plan) -> _Text:
    files = plan.chosen.tokenizer
    with progress.step("reading the vocabulary"):
        tokenizer = tokenizers.make(
            vocab_file=files.vocab_file,
            sp_model_file=files.sp_model_file,
            do_lower_case=plan.lower_case,
            special_tokens=files.special_tokens,
        )
    source = text_verification.TextSource(
        files.vocab_file,
        files.sp_model_file,
        plan.lower_case,
        plan.chosen.preprocessing.default_seq_length or choices.DEFAULT_SEQ_LENGTH,
        dict(tokenizer.special_tokens) if files.special_tokens else None,
    )
    return _Text(tokenizer, source)


def _write_preprocessing(plan: Plan, text: _Text, path: str) -> reports.Report | None:
    options = plan.chosen.preprocessing
    module = preprocessing.Preprocessing(
        text.tokenizer,
        default_seq_length=text.source.seq_length,
        tokenize_with_offsets=options.tokenize_with_offsets,
    )
    with progress.step("writing the preprocessing"):
        saved_models.write(module, path)
    if options.disable_assert:
        _require_no_assert(path)
    if plan.chosen.verify == "off":
        return None
    with progress.step("verifying the preprocessing"):
        return text_verification.verify_preprocessing(path, text.source)


def _require_no_assert(path: str) -> None:
    count = saved_models.ops(path)["Assert"]
    if count:
        raise errors.VerificationError(
            f"preprocessing: {count} Assert ops, though preprocessing.disable_assert is set"
        )


def _write_text_embedding(
    plan: Plan, built: _Built, text: _Text, path: str
) -> reports.Report | None:
    options = plan.chosen.text_embedding
    module = text_embedding.TextEmbedding(
        text.tokenizer,
        built.encoder,
        seq_length=text.source.seq_length,
        vector=options.vector,
        num_layers=options.num_layers,
        normalize=options.normalize,
        pad_to_longest=options.pad_to_longest,
    )
    with progress.step("writing the text embedding"):
        saved_models.write(module, path, restoration=built.restoration)
    if plan.chosen.verify == "off":
        return None
    with progress.step("verifying the text embedding"):
        restorations.restore(built.restoration, built.encoder)
        return text_verification.verify_text_embedding(path, text.source, built.encoder, options)
