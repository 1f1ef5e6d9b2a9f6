"""Writes and verifies each SavedModel of an export."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from exporter import (
    choices,
    cross_checks,
    encoder_modules,
    encoders,
    errors,
    findings,
    gin_state,
    manifests,
    mlm_scores,
    model_cards,
    packing,
    padding,
    plans,
    preprocessing,
    product_keys,
    products,
    progress,
    provenance,
    reports,
    restorations,
    saved_models,
    settings,
    sharing,
    text_embedding,
    text_verification,
    tokenizer_reference,
    tokenizers,
    training_evidence,
    truncation,
    verification,
    warmups,
)

_logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Outcome:
    """What is known of an export when it is complete.

    Attributes:
      reports: What was verified.
      found: What else is to be said.
      account: What became of each value of the checkpoint, if there is one.
      origins: What each SavedModel was made from, by its folder in the export; "" for an export
        that is one SavedModel.
    """

    reports: list[reports.Report] = dataclasses.field(default_factory=list)
    found: list[findings.Finding] = dataclasses.field(default_factory=list)
    account: str | None = None
    origins: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def record(self, name: str) -> dict[str, str | None]:
        """Returns what is to be kept of it, as texts by the names of files; None for no file.

        Args:
          name: The export's, the last part of its path.
        """
        checks = "".join(f"{report.text()}\n" for report in self.reports)
        return {
            "report.txt": findings.text(self.found) + checks,
            "report.json": reports.to_json(self.reports),
            "accounting.tsv": self.account,
            "README.md": model_cards.text(name, self.origins, self.found),
        }


def write(plan: plans.Plan, staging: str) -> Outcome:
    """Writes and verifies each SavedModel of the export.

    Args:
      plan: What is to be done.
      staging: The folder to write to.

    Returns:
      What was verified, and what else is to be said.

    Raises:
      UserError: The encoder cannot be built, or checkpoint or vocabulary are not its.
      VerificationError: What was written is not what it came from.
    """
    kind = plan.chosen.export_type
    outcome = Outcome()

    def complete(name: str, made: str, write: Callable[..., Any], *sources: Any) -> None:
        path = os.path.join(staging, name) if kind == "all" else staging
        restoration = built.restoration if built is not None and built in sources else None
        written = functools.partial(_written, plan, write, sources, path)
        key = (*_key(plan, made, sources, with_values=True), product_keys.checks(plan))
        product = products.make("saved_model", key, path, written)
        checks: Iterable[reports.Check] = ()
        if product.said is not None:
            outcome.reports.append(reports.from_plain(product.said))
            checks = outcome.reports[-1].checks
        length = text.source.seq_length if text is not None and text in sources else None
        origin = provenance.origin(made, plan, restoration, checks, seq_length=length)
        manifests.write(path, origin, product.digests)
        outcome.origins[name if kind == "all" else ""] = origin

    built, text = None, None
    if plan.source is None:
        plan.check()
    else:
        built = build(plan, plan.source)
    if built is not None and kind in choices.WITH_ENCODER:
        made = "model" if built.encoder.masked_lm is None else "model_with_mlm"
        complete("encoder", made, _write_encoder, built)
    if kind in choices.WITH_TEXT:
        text = text_of(plan, built)
        outcome.found += text.found
    verified = plan.chosen.verify != "off"
    if verified and built is not None and built.encoder.masked_lm is not None:
        outcome.found.append(_mlm_score(plan, built))
    if text is not None and kind in choices.WITH_PREPROCESSING:
        complete("preprocessing", "preprocessing", _write_preprocessing, text)
    if built is not None and text is not None and kind in choices.WITH_TEXT:
        complete("text_embedding", "text_embedding", _write_text_embedding, built, text)
        outcome.found += padding.find(built.encoder, plan.chosen.text_embedding)
    _add_findings(outcome, plan, built)
    return outcome


def _written(
    plan: plans.Plan, write: Callable[..., Any], sources: Iterable[Any], path: str
) -> dict[str, Any] | None:
    report = write(plan, *sources, path)
    if report is not None:
        for built in sources:
            if isinstance(built, Built) and not report.passed:
                restorations.require_undamaged(built.restoration)
        report.require()
    _add_warmup(plan, path)
    return None if report is None else dataclasses.asdict(report)


def _key(
    plan: plans.Plan, made: str, sources: Iterable[Built | Text], *, with_values: bool
) -> tuple[Hashable, ...]:
    """Returns what decides a SavedModel, or its graph alone."""
    options = repr(plan.chosen.text_embedding) if made == "text_embedding" else None
    parts = (source.key(plan, with_values=with_values) for source in sources)
    return (made, options, *parts)


def _save(
    plan: plans.Plan,
    sources: Sequence[Built | Text],
    path: str,
    made: str,
    make: Callable[[], saved_models.Exportable],
) -> None:
    """Writes a SavedModel of an encoder, or takes the graph of another one with other values."""
    restoration = next(source.restoration for source in sources if isinstance(source, Built))

    def write() -> dict[str, int]:
        return saved_models.write_graph(make(), path, restoration)

    graph = products.make("graph", _key(plan, made, sources, with_values=False), path, write)
    saved_models.complete(path, graph.said, restoration)


def _add_warmup(plan: plans.Plan, path: str) -> None:
    options = plan.chosen.warmup
    if options.batch_sizes:
        with progress.step("adding warm-up requests"):
            warmups.write(path, batch_sizes=options.batch_sizes, seq_lengths=options.seq_lengths)


def _add_findings(outcome: Outcome, plan: plans.Plan, built: Built | None) -> None:
    num_types = None
    if built is not None:
        outcome.found += training_evidence.find(built.restoration, built.encoder)
        outcome.account = built.restoration.record(built.encoder)
        num_types = built.encoder.type_vocab_size
    outcome.found += [*plan.chosen.found, *cross_checks.find(plan.text, num_types=num_types)]


@dataclasses.dataclass(eq=False)
class Built:
    """An encoder, and where its variables' values come from.

    Attributes:
      encoder: The encoder.
      restoration: Where its values come from.
      architecture_key: What is equal for equal encoders without values.
    """

    encoder: encoders.Encoder
    restoration: restorations.Restoration
    architecture_key: Hashable

    def key(self, plan: plans.Plan, *, with_values: bool = True) -> Hashable:
        """Returns what is equal for equal encoders that are exported with the same vocabulary.

        Args:
          plan: What is to be done.
          with_values: Whether the variables' values must be equal, too.
        """
        graph = self.architecture_key, product_keys.common(plan)
        if not with_values:
            return graph
        layer = self.encoder.pooler_layer
        shape = None if layer is None else tuple(layer.kernel.shape)
        found = self.restoration
        values = product_keys.values(found, found.variables)
        return *graph, values, product_keys.pooler(found.pooler, shape)


def build(plan: plans.Plan, source: plans.Source) -> Built:
    """Builds the encoder and finds its values in the checkpoint.

    Args:
      plan: What is to be done.
      source: What the encoder is made from.

    Raises:
      UserError: It cannot be built, or checkpoint or vocabulary are not its.
    """
    with progress.step("building the encoder"):
        key = (repr(source.architecture), source.with_mlm, gin_state.of_encoders())
        encoder, calls = sharing.once("encoder", key, lambda: _encoder(source), keep=1)
        gin_state.record(calls)
        pooler = plan.chosen.pooler()
        mistakes = plan.mistakes(encoder)
        try:
            restoration = restorations.restoration(
                source.checkpoint,
                encoder,
                pooler,
                weights=plan.chosen.checkpoint.weights,
                ignored_values=plan.chosen.checks.ignored_values,
                setting=source.setting,
            )
        except errors.UserError as error:
            own = error.errors if isinstance(error, errors.UserErrors) else [error]
            errors.raise_all([*own, *mistakes])
            raise
        errors.raise_all(mistakes)
    _logger.info("%s", restoration.summary())
    restorations.initialize_pooler(pooler, encoder)
    return Built(encoder, restoration, key)


def _encoder(source: plans.Source) -> tuple[encoders.Encoder, dict[tuple[str, str], Any]]:
    """Builds the encoder, and returns with it what gin has recorded of that."""
    encoder = encoders.build(source.architecture, with_mlm=source.with_mlm)
    return encoder, gin_state.calls()


def _write_encoder(plan: plans.Plan, built: Built, path: str) -> reports.Report | None:
    def make() -> encoder_modules.EncoderModule:
        return encoder_modules.EncoderModule(
            built.encoder,
            vocab_file=plan.tokenizer.vocab_file,
            sp_model_file=plan.tokenizer.sp_model_file,
            do_lower_case=plan.text.lower_case,
        )

    with progress.step("writing the encoder"):
        _save(plan, [built], path, "encoder", make)
    if plan.chosen.verify == "off":
        return None
    with progress.step("verifying the encoder"):
        return verification.verify_encoder(
            path, built.encoder, built.restoration, level=plan.chosen.verify
        )


def _mlm_score(plan: plans.Plan, built: Built) -> findings.Finding:
    def score() -> dict[str, Any]:
        restorations.restore(built.restoration, built.encoder)
        tokenize, _ = tokenizer_reference.make(plan.tokenizer)
        words = mlm_scores.Words(tokenize, plan.text.special_ids(), plan.text.unknown_id)
        found = mlm_scores.find(built.encoder, words, step=built.restoration.checkpoint.step)
        return dataclasses.asdict(found)

    # Not the pooler.
    head = built.encoder.masked_lm
    variables = [*built.restoration.common, *(head.variables if head is not None else ())]
    values = product_keys.values(built.restoration, variables)
    with progress.step("guessing masked words"):
        key = built.key(plan, with_values=False), values
        return findings.Finding(**products.result("masked_words", key, score))


@dataclasses.dataclass(eq=False)
class Text:
    """A tokenizer, and what it was made from.

    Attributes:
      source: What it was made from.
      found: What is to be said of it.
    """

    source: text_verification.TextSource
    found: list[findings.Finding]
    _unused: list[tokenizers.Tokenizer]

    @property
    def tokenizer(self) -> tokenizers.Tokenizer:
        """A tokenizer of which no module was saved."""
        if not self._unused:
            self._unused.append(_tokenizer(self.source.tokenizer))
        return self._unused[0]

    def taken(self) -> tokenizers.Tokenizer:
        """Returns the tokenizer for one module; of its having been saved, a second would tell."""
        tokenizer = self.tokenizer
        self._unused.clear()
        return tokenizer

    def key(self, plan: plans.Plan, *, with_values: bool = True) -> Hashable:
        """Returns what is equal where text is prepared in the same way; it has no values."""
        options = repr(plan.chosen.preprocessing)
        return product_keys.common(plan), options, self.source.seq_length

    def truncation(self) -> truncation.Truncation:
        """Returns how rows are truncated."""
        return truncation.make(self.source.packing.truncation, self.source.packing.head_percent)


def text_of(plan: plans.Plan, built: Built | None) -> Text:
    """Makes the tokenizer.

    Args:
      plan: What is to be done.
      built: The encoder, where there is one.

    Raises:
      UserError: The vocabulary is wrong.
    """
    longest = None if built is None else built.encoder.max_seq_length
    default_length = min(choices.DEFAULT_SEQ_LENGTH, longest or choices.DEFAULT_SEQ_LENGTH)
    with progress.step("reading the vocabulary"):
        unused: list[tokenizers.Tokenizer] = []

        def look() -> tuple[dict[str, int], list[findings.Finding]]:
            unused.append(_tokenizer(plan.tokenizer))
            return dict(unused[0].special_tokens), tokenizers.find(unused[0])

        special_tokens, found = sharing.once("vocabulary", product_keys.common(plan), look)
    source = text_verification.TextSource(
        plan.tokenizer,
        plan.chosen.preprocessing.default_seq_length or default_length,
        plan.chosen.preprocessing,
        special_tokens,
    )
    return Text(source, found, unused)


def _tokenizer(chosen: settings.TokenizerSettings) -> tokenizers.Tokenizer:
    return tokenizers.make(**dataclasses.asdict(chosen))


def _write_preprocessing(plan: plans.Plan, text: Text, path: str) -> reports.Report | None:
    options = plan.chosen.preprocessing
    module = preprocessing.Preprocessing(
        text.taken(),
        default_seq_length=text.source.seq_length,
        tokenize_with_offsets=options.tokenize_with_offsets,
        max_segments=options.max_segments,
        options=packing.Options(
            text.truncation(), options.pad_to_longest, for_xla=options.pack_for_xla
        ),
    )
    with progress.step("writing the preprocessing"):
        saved_models.write(module, path)
    if options.disable_assert:
        _require_no_assert(path)
    if plan.chosen.verify == "off":
        return None
    with progress.step("verifying the preprocessing"):
        return text_verification.verify_preprocessing(path, text.source, level=plan.chosen.verify)


def _require_no_assert(path: str) -> None:
    count = saved_models.ops(path)["Assert"]
    if count:
        raise errors.VerificationError(
            f"preprocessing: {count} Assert ops, though preprocessing.disable_assert is set"
        )


def _write_text_embedding(
    plan: plans.Plan, built: Built, text: Text, path: str
) -> reports.Report | None:
    options = plan.chosen.text_embedding
    ignored = padding.is_ignored(built.encoder)
    pad_to_longest = (options if ignored else plan.chosen.preprocessing).pad_to_longest

    def make() -> text_embedding.TextEmbedding:
        return text_embedding.TextEmbedding(
            text.taken(),
            built.encoder,
            seq_length=text.source.seq_length,
            vector=options.vector,
            num_layers=options.layers_taken,
            normalize=options.normalize,
            options=packing.Options(text.truncation(), pad_to_longest),
        )

    with progress.step("writing the text embedding"):
        _save(plan, [built, text], path, "text_embedding", make)
    if plan.chosen.verify == "off":
        return None
    with progress.step("verifying the text embedding"):
        restorations.restore(built.restoration, built.encoder)
        return text_verification.verify_text_embedding(
            path, text.source, built.encoder, options, level=plan.chosen.verify
        )
