"""Compares SavedModels that are there already with the source that flags and gin files name."""

from __future__ import annotations

import dataclasses
import functools

from exporter import (
    choices,
    errors,
    ingredients,
    loaded_models,
    manifest_choices,
    manifest_parity,
    plans,
    reports,
    restorations,
    settings,
    signature_parity,
    text_verification,
    verification,
    vocabulary_parity,
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
        self._encoders: dict[str, ingredients.Built] = {}

    def check(self, model: loaded_models.Model, *, level: str) -> list[reports.Check]:
        """Compares a SavedModel with its source.

        Args:
          model: The SavedModel.
          level: "quick" or "full".

        Returns:
          The checks, or one that says why there are none. What was taken from the SavedModel
          itself, as it is not given, is said by checks that are skipped.

        Raises:
          UserError: What is given is not right in itself.
        """
        why = self._missing(model.kind)
        if why is not None:
            return [reports.Check(NAME, None, why)]
        completed = manifest_choices.complete(self._given, model.path)
        checks = self._compared(model, completed.chosen, level)
        taken = [f"{name} = {value!r}" for name, value in completed.taken.items()]
        if taken:
            found = f"taken, as nothing else is bound: {', '.join(taken)}"
            checks.insert(0, reports.Check(manifest_choices.NAME, None, found))
        return [_contradicted(check, completed.contradictions) for check in checks]

    def _compared(
        self, model: loaded_models.Model, chosen: choices.Choices, level: str
    ) -> list[reports.Check]:
        quick = level == "quick"
        if model.kind == loaded_models.PREPROCESSING:
            plan = self._plan("preprocessing", chosen)
            text = ingredients.text_of(plan, None).source
            checks = []
            if plan.chosen.preprocessing.default_seq_length is None:
                text = dataclasses.replace(text, seq_length=default_length(model))
                found = f"not given: the SavedModel's own was taken, {text.seq_length}"
                checks.append(reports.Check("default seq_length of the source", None, found))
            return [*checks, *text_verification.preprocessing_parity(model, text, quick=quick)]
        built = self._built(chosen)
        if model.kind in loaded_models.ENCODERS:
            text_of_encoder = functools.partial(self._text_of_encoder, model, chosen)
            source = verification.EncoderSource(built.encoder, built.restoration, text_of_encoder)
            checks = self._vocabulary(model, chosen)
            return [*checks, *verification.encoder_parity(model, source, level=level)]
        restorations.restore(built.restoration, built.encoder)
        text = ingredients.text_of(self._plan("text_embedding", chosen), built).source
        return text_verification.text_embedding_parity(
            model, text, built.encoder, chosen.text_embedding, quick=quick
        )

    def check_what_is_said(self, model: loaded_models.Model) -> list[reports.Check]:
        """Compares what a SavedModel's manifest and its signatures say with its source.

        Args:
          model: The SavedModel.

        Returns:
          The checks; none where there is no source.
        """
        if self._missing(model.kind) is not None:
            return []
        chosen = manifest_choices.complete(self._given, model.path).chosen
        if model.kind == loaded_models.PREPROCESSING:
            return manifest_parity.check(model, self._plan("preprocessing", chosen), None)
        built = self._built(chosen)
        if model.kind in loaded_models.ENCODERS:
            plan = self._plan("model_with_mlm" if self._has_mlm else "model", chosen, model)
            return manifest_parity.check(model, plan, built.restoration)
        plan = self._plan("text_embedding", chosen)
        text = ingredients.text_of(plan, built).source
        checks = manifest_parity.check(model, plan, built.restoration)
        return checks + signature_parity.outputs_of_text(model, text, built.encoder)

    def _missing(self, kind: str) -> str | None:
        from_run = self._given.pretraining.pretraining_dir is not None
        checkpoint = from_run or bool(self._given.checkpoint.model_checkpoint_path)
        vocabulary = from_run or _names_file(self._given.tokenizer)
        if kind != loaded_models.PREPROCESSING and not checkpoint:
            return _NO_CHECKPOINT
        if kind not in loaded_models.ENCODERS and not vocabulary:
            return _NO_VOCABULARY
        return None

    def _vocabulary(
        self, model: loaded_models.Model, chosen: choices.Choices
    ) -> list[reports.Check]:
        """Compares an encoder's vocabulary and casing with those that are given."""
        plan = self._plan("model", chosen, model)
        if plan.chosen.pretraining.pretraining_dir is None and not _names_file(chosen.tokenizer):
            found = f"{_NO_VOCABULARY}: the SavedModel's own was taken"
            return [reports.Check(vocabulary_parity.VOCABULARY, None, found)]
        given = self._given.tokenizer.do_lower_case is not None
        return vocabulary_parity.checks(model, plan.tokenizer, with_casing=given)

    def _text_of_encoder(
        self, model: loaded_models.Model, chosen: choices.Choices
    ) -> text_verification.TextSource:
        plan = self._plan("model", chosen, model)
        return ingredients.text_of(plan, self._built(chosen)).source

    def _built(self, chosen: choices.Choices) -> ingredients.Built:
        plan = self._plan("model_with_mlm" if self._has_mlm else "model", chosen)
        assert plan.source is not None  # Of these types, there is one.
        key = repr((plan.chosen.encoder, plan.chosen.checkpoint))
        if key not in self._encoders:
            self._encoders[key] = ingredients.build(plan, plan.source)
        return self._encoders[key]

    def _plan(
        self, export_type: str, chosen: choices.Choices, encoder: loaded_models.Model | None = None
    ) -> plans.Plan:
        chosen = dataclasses.replace(chosen, export_type=export_type)
        if chosen.pretraining.pretraining_dir is not None:
            chosen = choices.completed(chosen)
        own = encoder or self._encoder
        if not _names_file(chosen.tokenizer) and own is not None:
            chosen = dataclasses.replace(chosen, tokenizer=_own(own, chosen.tokenizer))
        errors.raise_all(choices.missing(chosen))
        return plans.plan(chosen)


def _contradicted(check: reports.Check, contradictions: tuple[str, ...]) -> reports.Check:
    """Names what is bound otherwise than the manifest says, where a check failed."""
    if check.status != reports.FAILED or not contradictions:
        return check
    look_at = "; ".join([*contradictions, *([check.look_at] if check.look_at else [])])
    return dataclasses.replace(check, look_at=look_at)


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
