"""Finds and reads all that an export is made from, before anything is built or written."""

from __future__ import annotations

import contextlib
import dataclasses

from exporter import (
    checkpoints,
    choices,
    config_sizes,
    cross_checks,
    encoder_configs,
    encoders,
    errors,
    overrides,
    settings,
    text_embedding,
    tokenizers,
)

_RUN_SETTING = "pretraining.pretraining_dir"


@dataclasses.dataclass(frozen=True)
class Source:
    """What an encoder is made from.

    Attributes:
      architecture: The encoder on paper.
      checkpoint: The checkpoint.
      setting: The gin name by which the checkpoint was chosen, for errors.
      with_mlm: Whether the masked-language-model head is exported.
    """

    architecture: encoder_configs.Architecture
    checkpoint: checkpoints.Checkpoint
    setting: str
    with_mlm: bool


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done, all files found and read as far as they say what to build."""

    chosen: choices.Choices
    text: cross_checks.Text
    source: Source | None

    @property
    def tokenizer(self) -> settings.TokenizerSettings:
        """The tokenizer, with everything decided."""
        return dataclasses.replace(
            self.chosen.tokenizer,
            do_lower_case=self.text.lower_case,
            strip_accents=self.text.strip_accents,
        )

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Is open while values are read: says so if the checkpoint is removed meanwhile."""
        if self.source is None:
            return contextlib.nullcontext()
        return checkpoints.staying(self.source.checkpoint, setting=self.source.setting)

    def check(self) -> None:
        """Checks what can be checked without building the encoder.

        Raises:
          UserError: Vocabulary, lengths or casing cannot be right.
        """
        errors.raise_all(self.mistakes(None))

    def mistakes(self, encoder: encoders.Encoder | None) -> list[errors.UserError]:
        """Lists what cannot be right of vocabulary, lengths and casing.

        Args:
          encoder: The encoder, or None if it was not built.
        """
        num_embeddings, longest, num_types = None, None, None
        if encoder is not None:
            num_embeddings, longest = encoder.vocab_size, encoder.max_seq_length
            num_types = encoder.type_vocab_size
        elif self.source is not None and not self.chosen.encoder.bypassed:
            num_embeddings = self._configured_vocab_size(self.source)
            longest = self.source.architecture.max_seq_length
            num_types = getattr(self.source.architecture.encoder, "type_vocab_size", None)
        with_text = self.chosen.export_type in choices.WITH_TEXT
        found = self._warmup_mistakes(longest)
        if num_types is not None and self.chosen.export_type in choices.WITH_PREPROCESSING:
            max_segments = self.chosen.preprocessing.max_segments
            found += cross_checks.segment_mistakes(max_segments, num_types)
        if encoder is not None and self.chosen.export_type in choices.WITH_EMBEDDING:
            found += text_embedding.mistakes(self.chosen.text_embedding, encoder)
        return found + cross_checks.mistakes(
            self.text,
            self.chosen.checks,
            num_embeddings=num_embeddings,
            seq_length=self.chosen.preprocessing.default_seq_length if with_text else None,
            max_seq_length=longest,
        )

    def _warmup_mistakes(self, longest: int | None) -> list[errors.UserError]:
        options = self.chosen.warmup
        length = max(options.seq_lengths, default=0)
        if not options.batch_sizes or longest is None or length <= longest:
            return []
        return [
            errors.UserError(
                "Warm-up requests must not be longer than the sequences that the encoder has "
                "positions for.",
                example=f"warmup.seq_lengths = [{longest}]",
                received=f"{length}, with {longest} positions",
                setting="warmup.seq_lengths",
            )
        ]

    def _configured_vocab_size(self, source: Source) -> int | None:
        config = source.architecture.encoder
        return getattr(config, "vocab_size", getattr(config, "word_vocab_size", None))


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
    strip_accents = tokenizers.strips_accents(
        files.strip_accents, lower_case, is_wordpiece=bool(files.vocab_file)
    )
    text = cross_checks.read_text(files, lower_case=lower_case, strip_accents=strip_accents)
    source = _source(chosen) if chosen.export_type in choices.WITH_WEIGHTS else None
    return Plan(chosen, text, source)


def _source(chosen: choices.Choices) -> Source:
    path = chosen.checkpoint.model_checkpoint_path or ""
    run = (chosen.pretraining.pretraining_dir or "").rstrip("/")
    setting = _RUN_SETTING if run and path.startswith(f"{run}/") else checkpoints.SETTING
    prefix = checkpoints.find(path, setting=setting)
    architecture = _architecture(chosen, prefix)
    checkpoint = checkpoints.read(prefix, setting=setting)
    if _is_configured(chosen, architecture):
        errors.raise_all(config_sizes.misfits(architecture, checkpoint, _named(chosen)))
    with_mlm = chosen.export_type == "model_with_mlm" or (
        chosen.export_type == "all" and checkpoint.has_masked_lm
    )
    return Source(architecture, checkpoint, setting, with_mlm)


def _architecture(chosen: choices.Choices, checkpoint: str) -> encoder_configs.Architecture:
    """Reads the configuration and compares it with that of the run that the checkpoint is of."""
    named = _named(chosen)
    of_file = {"setting": named} if named == _RUN_SETTING else {}
    architecture = encoder_configs.read_architecture(chosen.encoder, chosen.mlm, **of_file)
    if _is_configured(chosen, architecture):
        errors.raise_all(config_sizes.mistakes(architecture, named))
    allowed = chosen.pretraining.allow_overrides
    mistakes = []
    if chosen.run is not None:
        record: overrides.Record | None = overrides.Record(chosen.run.model, chosen.run.params_file)
    else:
        record = overrides.beside(checkpoint)
        mistakes += overrides.check_gin(checkpoint, allowed)
    if record is not None:
        if chosen.mlm.mlm_activation is None and "mlm_activation" in record.model:
            activation = record.model["mlm_activation"]
            architecture = dataclasses.replace(architecture, mlm_activation=activation)
        mistakes += overrides.check(architecture, record, chosen.encoder, allowed)
    errors.raise_all(mistakes)
    return architecture


def _named(chosen: choices.Choices) -> str:
    """The gin name of what says the encoder's configuration."""
    if chosen.run is not None and chosen.encoder.encoder_config_file == chosen.run.params_file:
        return _RUN_SETTING
    return next(iter(chosen.encoder.sources), "encoder.encoder_config_file")


def _is_configured(chosen: choices.Choices, architecture: encoder_configs.Architecture) -> bool:
    """Whether what is built is one of TF-NLP's encoders, by its configuration."""
    return not chosen.encoder.bypassed and architecture.type != "any"
