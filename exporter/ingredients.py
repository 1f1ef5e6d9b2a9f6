"""What the SavedModels of an export are made from: an encoder with its values, a tokenizer."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Hashable
from typing import Any

from exporter import (
    choices,
    encoders,
    errors,
    findings,
    gin_state,
    plans,
    product_keys,
    progress,
    restorations,
    settings,
    sharing,
    text_verification,
    tokenizers,
    truncation,
)

_logger = logging.getLogger(__name__)


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

    def key(
        self, plan: plans.Plan, *, with_values: bool = True, with_length: bool = True
    ) -> Hashable:
        """Returns what is equal for equal encoders that are exported with the same vocabulary.

        Args:
          plan: What is to be done.
          with_values: Whether the variables' values must be equal, too.
          with_length: See `Text.key`; encoders take any length.
        """
        del with_length
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

    def key(
        self, plan: plans.Plan, *, with_values: bool = True, with_length: bool = True
    ) -> Hashable:
        """Returns what is equal where text is prepared in the same way.

        Args:
          plan: What is to be done.
          with_values: See `Built.key`; here there are none.
          with_length: Whether the sequence length must be equal, too.
        """
        del with_values
        options = dataclasses.replace(plan.chosen.preprocessing, default_seq_length=None)
        length = self.source.seq_length if with_length else None
        return product_keys.common(plan), repr(options), length

    def truncation(self) -> truncation.Truncation:
        """Returns how rows are truncated."""
        return truncation.make(self.source.packing.truncation, self.source.packing.head_percent)


def text_of_export(plan: plans.Plan, built: Built | None) -> Text | None:
    """Makes the tokenizer, if what is exported takes text; see `text_of`."""
    return text_of(plan, built) if plan.chosen.export_type in choices.WITH_TEXT else None


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
