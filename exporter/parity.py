"""Compares SavedModels that are there already with the source that flags and gin files name."""

from __future__ import annotations

import dataclasses
import functools

from exporter import (
    choices,
    errors,
    ingredients,
    loaded_models,
    plans,
    reports,
    restorations,
    settings,
    text_verification,
    verification,
)
from exporter.contracts_of_attributes import ASSETS, asset_path
from exporter.contracts_of_preprocessing import default_length

NAME = "comparison with the source"
_NO_CHECKPOINT = "no checkpoint is given (--model_checkpoint_path or --pretraining_dir)"
_NO_VOCABULARY = "no vocabulary is given (--vocab_file or --sp_model_file)"


class Source:
    """What SavedModels were made from, as far as it is given."""

    def __init__(self, chosen: choices.Choices, models: list[loaded_models.Model]) -> None:
        """Reads nothing yet.

        Args:
          chosen: What flags and gin files say.
          models: The SavedModels to be compared with it.
        """
        self._has_mlm = any(model.kind == loaded_models.MLM for model in models)
        self._given = chosen
        self._encoder = next((m for m in models if m.kind in loaded_models.ENCODERS), None)

    def check(self, model: loaded_models.Model, *, level: str) -> list[reports.Check]:
        """Compares a SavedModel with its source.

        Args:
          model: The SavedModel.
          level: "quick" or "full".

        Returns:
          The checks, or one that says why there are none.

        Raises:
          UserError: What is given is not right in itself.
        """
        why = self._missing(model.kind)
        if why is not None:
            return [reports.Check(NAME, None, why)]
        if model.kind in loaded_models.ENCODERS:
            built = self._built
            source = verification.EncoderSource(built.encoder, built.restoration)
            return verification.encoder_parity(model, source, level=level)
        if model.kind == loaded_models.PREPROCESSING:
            text = ingredients.text_of(self._plan("preprocessing"), None).source
            return text_verification.preprocessing_parity(model, self._with_length(text, model))
        built = self._built
        restorations.restore(built.restoration, built.encoder)
        text = ingredients.text_of(self._plan("text_embedding"), built).source
        options = self._given.text_embedding
        return text_verification.text_embedding_parity(model, text, built.encoder, options)

    def _missing(self, kind: str) -> str | None:
        from_run = self._given.pretraining.pretraining_dir is not None
        checkpoint = from_run or bool(self._given.checkpoint.model_checkpoint_path)
        vocabulary = from_run or _names_file(self._given.tokenizer)
        if kind != loaded_models.PREPROCESSING and not checkpoint:
            return _NO_CHECKPOINT
        if kind not in loaded_models.ENCODERS and not vocabulary:
            return _NO_VOCABULARY
        return None

    @functools.cached_property
    def _built(self) -> ingredients.Built:
        plan = self._plan("model_with_mlm" if self._has_mlm else "model")
        assert plan.source is not None  # Of these types, there is one.
        return ingredients.build(plan, plan.source)

    @functools.cache  # noqa: B019 (as many as there are kinds)
    def _plan(self, export_type: str) -> plans.Plan:
        chosen = dataclasses.replace(self._given, export_type=export_type)
        if chosen.pretraining.pretraining_dir is not None:
            chosen = choices.completed(chosen)
        if not _names_file(chosen.tokenizer) and self._encoder is not None:
            chosen = dataclasses.replace(chosen, tokenizer=_own(self._encoder, chosen.tokenizer))
        errors.raise_all(choices.missing(chosen))
        return plans.plan(chosen)

    def _with_length(
        self, source: text_verification.TextSource, model: loaded_models.Model
    ) -> text_verification.TextSource:
        """Takes the SavedModel's own default length where none is given."""
        if self._plan("preprocessing").chosen.preprocessing.default_seq_length is not None:
            return source
        return dataclasses.replace(source, seq_length=default_length(model))


def _names_file(tokenizer: settings.TokenizerSettings) -> bool:
    return bool(tokenizer.vocab_file or tokenizer.sp_model_file)


def _own(
    model: loaded_models.Model, tokenizer: settings.TokenizerSettings
) -> settings.TokenizerSettings:
    """Takes the vocabulary that the encoder itself has, where none is given."""
    vocab_file, sp_model_file = (asset_path(model, name) for name in ASSETS)
    lower_case = tokenizer.do_lower_case
    if lower_case is None and hasattr(model.loaded, "do_lower_case"):
        lower_case = bool(model.loaded.do_lower_case)
    return dataclasses.replace(
        tokenizer,
        vocab_file=vocab_file,
        sp_model_file=sp_model_file,
        do_lower_case=lower_case,
    )
