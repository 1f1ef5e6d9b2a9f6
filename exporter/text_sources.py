"""How text becomes an encoder's inputs, by TF-NLP's and TensorFlow Text's own code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf
from official.nlp.modeling import layers as tfnlp_layers

from exporter import (
    packing_reference,
    settings,
    sharing,
    tokenizer_reference,
    vocabularies,
)


@dataclasses.dataclass(frozen=True)
class TextSource:
    """How text becomes an encoder's inputs.

    Attributes:
      tokenizer: What tokenizes it, with everything decided.
      seq_length: The default sequence length.
      packing: How tokens are packed.
      special_tokens: The special tokens.
    """

    tokenizer: settings.TokenizerSettings
    seq_length: int
    packing: settings.PreprocessingSettings
    special_tokens: dict[str, int]

    def layers(self) -> tuple[Callable[[tf.Tensor], tf.RaggedTensor], Packing, dict[str, int]]:
        """Returns TF-NLP's tokenizer, its packing with these choices, and the special tokens."""
        tokenizer, special_tokens = sharing.once(
            "reference",
            (sharing.version(self.path), repr(self.tokenizer)),
            lambda: tokenizer_reference.make(self.tokenizer),
        )
        if self.tokenizer.special_tokens:  # Which TF-NLP does not find.
            special_tokens = self.special_tokens
        if self.tokenizer.keep_special_tokens:
            ids = {self.spellings[purpose]: i for purpose, i in self._spelled(special_tokens)}
            tokenizer = tokenizer_reference.keeping(tokenizer, ids)
        return tokenizer, Packing(self, special_tokens), special_tokens

    @property
    def path(self) -> str:
        """The vocabulary or model."""
        return self.tokenizer.vocab_file or self.tokenizer.sp_model_file or ""

    @property
    def spellings(self) -> dict[str, str]:
        """How special tokens are spelled, by purpose."""
        usual = vocabularies.WORDPIECE_SPELLINGS
        if self.tokenizer.sp_model_file:
            usual = vocabularies.SENTENCEPIECE_SPELLINGS
        return vocabularies.spellings(usual, self.tokenizer.special_tokens)

    @property
    def ends_at_null(self) -> bool:
        """Whether TensorFlow Text ends texts at null characters, which no export does."""
        chosen = self.tokenizer
        return bool(chosen.vocab_file and chosen.do_lower_case and not chosen.strip_accents)

    def _spelled(self, special_tokens: dict[str, int]) -> list[tuple[str, int]]:
        return [(name, i) for name, i in special_tokens.items() if name in self.spellings]


@dataclasses.dataclass(frozen=True)
class Packing:
    """TF-NLP's packing of what is truncated before as it was chosen."""

    source: TextSource
    special_tokens: dict[str, int]

    def __call__(
        self, segments: list[tf.RaggedTensor], seq_length: int | None = None
    ) -> dict[str, tf.Tensor]:
        """Packs N segments `[B, (tokens)]` or `[B, (words), (tokens)]`.

        Args:
          segments: The segments.
          seq_length: How long rows are; None for the default.
        """
        choices = self.source.packing
        length = self.source.seq_length if seq_length is None else seq_length
        if segments[0].ragged_rank > 1:
            segments = [segment.merge_dims(1, -1) for segment in segments]
        budget = length - len(segments) - 1
        trimmed = packing_reference.trim(segments, budget, choices.truncation, choices.head_percent)
        packed = _packed(trimmed, length, self.special_tokens)
        return without_common_padding(packed) if choices.pad_to_longest else packed


def _packed(
    segments: list[tf.RaggedTensor], length: int, special_tokens: dict[str, int]
) -> dict[str, tf.Tensor]:
    # Its trimmers take no budget below zero: where not even special tokens fit, rows are cut off.
    room = max(length, len(segments) + 1)
    names = ("start_of_sequence_id", "end_of_segment_id", "padding_id")
    ids = {name: special_tokens[name] for name in names}
    packed = tfnlp_layers.BertPackInputs.bert_pack_inputs(segments, room, **ids)
    return {name: value[:, :length] for name, value in packed.items()}


def without_common_padding(packed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns rows as long as the longest of the batch."""
    longest = int(tf.reduce_max(tf.reduce_sum(packed["input_mask"], axis=1)))
    return {name: tensor[:, :longest] for name, tensor in packed.items()}
