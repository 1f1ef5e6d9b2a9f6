"""Writes and verifies each SavedModel of an export."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

from exporter import (
    choices,
    cross_checks,
    encoder_modules,
    errors,
    findings,
    ingredients,
    length_patterns,
    manifests,
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
    text_embedding,
    training_evidence,
    verifiers,
    warmups,
)

Ingredient = ingredients.Built | ingredients.Text


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


def write(plan: plans.Plan, staging: str, *, beside: bool = False) -> Outcome:
    """Writes and verifies each SavedModel of the export.

    Args:
      plan: What is to be done.
      staging: The folder to write to.
      beside: Whether another process verifies, see `verifiers.can_be_beside`.

    Returns:
      What was verified, and what else is to be said.

    Raises:
      UserError: The encoder cannot be built, or checkpoint or vocabulary are not its.
      VerificationError: What was written is not what it came from.
    """
    with _verifier_beside(plan, beside=beside) as other:
        built = None
        if plan.source is None:
            plan.check()
        else:
            built = ingredients.build(plan, plan.source)
        text = ingredients.text_of_export(plan, built)
        here = verifiers.Here(verifiers.Verification(plan, built, text))
        return _Writing(plan, staging, built, text, here, other or here).complete()


@contextlib.contextmanager
def _verifier_beside(plan: plans.Plan, *, beside: bool) -> Iterator[verifiers.Verifier | None]:
    """Yields the process that verifies, if there is one beside this."""
    if not beside or plan.source is None or plan.chosen.verify == "off":
        yield None
        return
    with verifiers.beside(plan) as verifier:
        yield verifier


@dataclasses.dataclass
class _Part:
    """A SavedModel that is written and not verified yet.

    Attributes:
      name: What it is, a method of `verifiers.Verification`.
      made: What it is, a value of `export.export_type`.
      sources: What it was made from.
      path: Its folder.
      key: What decides it, and what is verified.
      files: Its files.
      verified: Gives the report.
    """

    name: str
    made: str
    sources: tuple[Ingredient, ...]
    path: str
    key: Hashable
    files: products.Product
    verified: Callable[[], reports.Report]


@dataclasses.dataclass
class _Writing:
    """An export on its way: all is written, then what is known of it is collected."""

    plan: plans.Plan
    staging: str
    built: ingredients.Built | None
    text: ingredients.Text | None
    here: verifiers.Verifier
    verifier: verifiers.Verifier
    parts: list[_Part] = dataclasses.field(default_factory=list)
    outcome: Outcome = dataclasses.field(default_factory=Outcome)

    def complete(self) -> Outcome:
        """Writes and verifies."""
        kind, built, text = self.plan.chosen.export_type, self.built, self.text
        masked_words = self._masked_words()
        if built is not None and kind in choices.WITH_ENCODER:
            made = "model" if built.encoder.masked_lm is None else "model_with_mlm"
            self._write("encoder", made, _write_encoder, built)
        if built is not None and text is not None:
            if self.plan.chosen.verify != "off":
                self.verifier.begin("prepare_text_embedding")
            self._write("text_embedding", "text_embedding", _write_text_embedding, built, text)
        if text is not None and kind in choices.WITH_PREPROCESSING:
            self._write("preprocessing", "preprocessing", _write_preprocessing, text)
        # In the order of their folders, whichever was written first.
        for part in sorted(self.parts, key=lambda part: part.name):
            self._finish(part)
        if text is not None:
            self.outcome.found += text.found
        self.outcome.found += masked_words()
        if built is not None and text is not None:
            self.outcome.found += padding.find(built.encoder, self.plan.chosen.text_embedding)
        self._add_findings()
        return self.outcome

    def _masked_words(self) -> Callable[[], list[findings.Finding]]:
        built = self.built
        if self.plan.chosen.verify == "off" or built is None or built.encoder.masked_lm is None:
            return list
        begun = self.verifier.begin("masked_words")
        # Not the pooler.
        variables = [*built.restoration.common, *built.encoder.masked_lm.variables]
        values = product_keys.values(built.restoration, variables)
        key = built.key(self.plan, with_values=False), values

        def score() -> dict[str, Any]:
            with progress.step("guessing masked words"):
                return dataclasses.asdict(begun())

        return lambda: [findings.Finding(**products.result("masked_words", key, score))]

    def _write(
        self, name: str, made: str, write: Callable[..., None], *sources: Ingredient
    ) -> None:
        path = self.staging
        if self.plan.chosen.export_type == "all":
            path = os.path.join(path, name)

        # The last to be written is verified here: the other process is still at the one before it.
        verifier = self.here if name == "preprocessing" else self.verifier
        begun: list[Callable[[], reports.Report]] = []

        def written() -> None:
            with progress.step(f"writing the {_words(name)}"):
                write(self.plan, *sources, path)
            _add_warmup(self.plan, path)
            # Meanwhile `products.make` takes the files' digests.
            begun.append(verifier.begin(name, path))

        key = _key(self.plan, made, sources, with_values=True)
        product = products.make("saved_model", (*key, repr(self.plan.chosen.warmup)), path, written)
        # Nothing was written where all was linked.
        verified = begun.pop() if begun else verifier.begin(name, path)
        checked = *key, product_keys.checks(self.plan)
        self.parts.append(_Part(name, made, sources, path, checked, product, verified))

    def _finish(self, part: _Part) -> None:
        """Verifies a SavedModel, and adds its manifest."""
        restoration = _restoration(part.sources)

        def verified() -> dict[str, Any]:
            with progress.step(f"verifying the {_words(part.name)}"):
                report = part.verified()
            if restoration is not None and not report.passed:
                restorations.require_undamaged(restoration)
            report.require()
            return dataclasses.asdict(report)

        checks: Iterable[reports.Check] = ()
        if self.plan.chosen.verify != "off":
            # Of these bytes: what is made again for what was damaged is verified again.
            key = part.key, repr(sorted(part.files.digests.items()))
            report = reports.from_plain(products.result("verified", key, verified))
            self.outcome.reports.append(report)
            checks = report.checks
        text = self.text if self.text in part.sources else None
        origin = provenance.origin(
            part.made,
            self.plan,
            restoration,
            checks,
            seq_length=None if text is None else text.source.seq_length,
        )
        manifests.write(part.path, origin, part.files.digests)
        self.outcome.origins["" if part.path == self.staging else part.name] = origin

    def _add_findings(self) -> None:
        num_types, built = None, self.built
        if built is not None:
            self.outcome.found += training_evidence.find(built.restoration, built.encoder)
            self.outcome.account = built.restoration.record(built.encoder)
            num_types = built.encoder.type_vocab_size
        of_text = cross_checks.find(self.plan.text, num_types=num_types)
        self.outcome.found += [*self.plan.chosen.found, *of_text]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _restoration(sources: Iterable[Ingredient]) -> restorations.Restoration | None:
    found = (source.restoration for source in sources if isinstance(source, ingredients.Built))
    return next(found, None)


def _key(
    plan: plans.Plan,
    made: str,
    sources: Iterable[Ingredient],
    *,
    with_values: bool,
    with_length: bool = True,
) -> tuple[Hashable, ...]:
    """Returns what decides a SavedModel, or its graph alone, or that but for its length."""
    options = repr(plan.chosen.text_embedding) if made == "text_embedding" else None
    parts = (s.key(plan, with_values=with_values, with_length=with_length) for s in sources)
    return (made, options, *parts)


def _graph(
    plan: plans.Plan,
    sources: Sequence[Ingredient],
    path: str,
    made: str,
    make: Callable[[], saved_models.Exportable],
) -> dict[str, int]:
    """Writes a SavedModel but for its fingerprint and the encoder's values.

    Returns:
      What `saved_models.write_graph` returns.
    """

    def trace() -> dict[str, int]:
        return saved_models.write_graph(make(), path, _restoration(sources))

    length = next((s.source.seq_length for s in sources if isinstance(s, ingredients.Text)), None)
    # What is not traced must be verified.
    if length is None or plan.chosen.verify == "off":
        return trace()
    key = _key(plan, made, sources, with_values=False, with_length=False)
    return length_patterns.write(key, path, length, trace)


def _save(
    plan: plans.Plan,
    sources: Sequence[Ingredient],
    path: str,
    made: str,
    make: Callable[[], saved_models.Exportable],
) -> None:
    """Writes a SavedModel of an encoder, or takes the graph of another one with other values."""
    key = _key(plan, made, sources, with_values=False)
    graph = products.make("graph", key, path, lambda: _graph(plan, sources, path, made, make))
    saved_models.complete(path, graph.said, _restoration(sources))


def _add_warmup(plan: plans.Plan, path: str) -> None:
    options = plan.chosen.warmup
    if options.batch_sizes:
        with progress.step("adding warm-up requests"):
            warmups.write(path, batch_sizes=options.batch_sizes, seq_lengths=options.seq_lengths)


def _write_encoder(plan: plans.Plan, built: ingredients.Built, path: str) -> None:
    def make() -> encoder_modules.EncoderModule:
        return encoder_modules.EncoderModule(
            built.encoder,
            vocab_file=plan.tokenizer.vocab_file,
            sp_model_file=plan.tokenizer.sp_model_file,
            do_lower_case=plan.text.lower_case,
        )

    _save(plan, [built], path, "encoder", make)


def _write_preprocessing(plan: plans.Plan, text: ingredients.Text, path: str) -> None:
    options = plan.chosen.preprocessing

    def make() -> preprocessing.Preprocessing:
        return preprocessing.Preprocessing(
            text.taken(),
            default_seq_length=text.source.seq_length,
            tokenize_with_offsets=options.tokenize_with_offsets,
            max_segments=options.max_segments,
            options=packing.Options(
                text.truncation(), options.pad_to_longest, for_xla=options.pack_for_xla
            ),
        )

    saved_models.complete(path, _graph(plan, [text], path, "preprocessing", make))
    if options.disable_assert:
        _require_no_assert(path)


def _require_no_assert(path: str) -> None:
    count = saved_models.ops(path)["Assert"]
    if count:
        raise errors.VerificationError(
            f"preprocessing: {count} Assert ops, though preprocessing.disable_assert is set"
        )


def _write_text_embedding(
    plan: plans.Plan, built: ingredients.Built, text: ingredients.Text, path: str
) -> None:
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

    _save(plan, [built, text], path, "text_embedding", make)
