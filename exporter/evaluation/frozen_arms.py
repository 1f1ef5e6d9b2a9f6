"""Both arms as they are before any training: what they make of texts, batch by batch."""

from __future__ import annotations

import dataclasses
import functools
import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import (
    comparison,
    encoder_calls,
    ingredients,
    loaded_models,
    plans,
    restorations,
    saved_text,
    settings,
    text_verification,
    vocabularies,
)
from exporter.evaluation import masked_words, methods

_ENCODER, _PREPROCESSING, _TEXT_EMBEDDING = "encoder", "preprocessing", "text_embedding"
_BATCH = 32
_UNKNOWN = ("[UNK]", "<unk>")

# Of odd and even lengths.
_TRIED = (
    ("The",),
    ("The cat sat.",),
    ("The dog sat on a mat.",),
    ("He read it to the end of it.",),
)

# One or two texts an example.
Texts = Sequence[tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Arm:
    """An encoder with what makes its inputs.

    Attributes:
      prepare: Makes inputs int32 `[B, L]` of N tensors of texts `[B]` (B: batch size, L: sequence
        length).
      seq_length: L.
      encode: Makes outputs of inputs, as the encoder's SavedModel does.
      embed: Makes vectors `[B, D]` of texts `[B]`, as the text embedding does; None without one.
      mlm: Makes logits of `masked_words.Masked.inputs`; None without a head.
      tokens: What masks words; None without [MASK].
      trims: Whether padding that all texts of a batch have is cut off, for it changes nothing.
      longest: How long inputs may be; None for no limit that is known.
    """

    prepare: Callable[[list[tf.Tensor]], dict[str, tf.Tensor]]
    seq_length: int
    encode: Callable[[dict[str, tf.Tensor]], dict[str, Any]]
    embed: Callable[[tf.Tensor], tf.Tensor] | None = None
    mlm: Callable[[masked_words.Inputs], np.ndarray] | None = None
    tokens: masked_words.Special | None = None
    trims: bool = False
    longest: int | None = None

    def inputs(self, texts: Texts) -> dict[str, tf.Tensor]:
        """Returns the encoder's inputs, int32 `[B, L]`."""
        columns = [tf.constant(column) for column in zip(*texts, strict=True)]
        inputs = self.prepare(columns)
        if not self.trims:
            return inputs
        longest = int(tf.reduce_max(tf.reduce_sum(inputs[encoder_calls.INPUT_NAMES[1]], axis=1)))
        return {name: tensor[:, :longest] for name, tensor in inputs.items()}

    def vectors(self, texts: Texts, kind: str) -> np.ndarray:
        """Returns the examples' vectors, float64 `[N, D]` (N: how many examples).

        Two texts are packed into one row; of a text embedding, which takes one, there are the
        vectors u and v of both, |u - v| and u * v, as in SentEval (Conneau and Kiela, 2018,
        arxiv.org/abs/1803.05449).

        Args:
          texts: The examples.
          kind: One of `methods.VECTORS`.
        """
        make = self._embedded if kind == methods.TEXT_EMBEDDING else self._encoded
        found = np.zeros([0, 0])
        for rows, batch in _batches(texts):
            vectors = make(batch, kind)
            if not len(found):
                found = np.zeros([len(texts), vectors.shape[1]])
            found[rows] = vectors
        return found

    def _encoded(self, texts: Texts, kind: str) -> np.ndarray:
        inputs = self.inputs(texts)
        mask = inputs[encoder_calls.INPUT_NAMES[1]].numpy()
        # What gin says of text embeddings plays no part here.
        choices = settings.TextEmbeddingSettings(vector=kind, normalize=False)
        return text_verification.vectors(self.encode(inputs), mask, choices)

    def _embedded(self, texts: Texts, _: str) -> np.ndarray:
        assert self.embed is not None
        columns = [
            np.asarray(self.embed(tf.constant(column))) for column in zip(*texts, strict=True)
        ]
        if len(columns) == 1:
            return columns[0]
        first, second = columns
        return np.hstack([first, second, np.abs(first - second), first * second])

    def guesses(self, texts: Texts, seed: int) -> masked_words.Guesses:
        """Lets the head guess masked tokens.

        Args:
          texts: The examples.
          seed: Of what is masked.

        Raises:
          masked_words.NothingToMaskError: No text has a token that may be masked.
        """
        assert self.mlm is not None
        assert self.tokens is not None
        batches = (
            ({name: t.numpy() for name, t in self.inputs(batch).items()}, rows)
            for rows, batch in _batches(texts)
        )
        return masked_words.guess(batches, self.mlm, self.tokens, seed=seed)


def _batches(texts: Texts) -> Iterator[tuple[list[int], Texts]]:
    """Yields texts of about the same length with their numbers."""
    order = sorted(range(len(texts)), key=lambda number: sum(map(len, texts[number])))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        yield rows, [texts[number] for number in rows]


def exported(path: str, seq_length: int | None) -> Arm:
    """Returns the arm of an export, made of its SavedModels alone.

    Args:
      path: A folder with `encoder` and `preprocessing`, and perhaps `text_embedding`.
      seq_length: The length of what the encoder is given; None as in `methods.LinearProbe`.
    """
    model = loaded_models.load(os.path.join(path, _ENCODER))
    encoder = model.loaded
    longest = model.embeddings.get("position", (None,))[0]
    length = seq_length or min(methods.DEFAULT_SEQ_LENGTH, longest or methods.DEFAULT_SEQ_LENGTH)
    preprocessing = loaded_models.load(os.path.join(path, _PREPROCESSING))
    tokenize, pack = preprocessing.loaded.tokenize, preprocessing.loaded.bert_pack_inputs

    def mlm(inputs: masked_words.Inputs) -> np.ndarray:
        return encoder.mlm(_constants(inputs))["mlm_logits"].numpy()

    def prepare(columns: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        return pack([tokenize(column) for column in columns], length)

    _release_with(prepare, preprocessing)
    arm = Arm(
        prepare=prepare,
        seq_length=length,
        encode=encoder,
        embed=_exported_embedder(os.path.join(path, _TEXT_EMBEDDING)),
        mlm=mlm if hasattr(encoder, "mlm") else None,
        tokens=_tokens(
            {name: int(value) for name, value in tokenize.get_special_tokens_dict().items()},
            _unknown_id(preprocessing),
        ),
        longest=longest,
    )
    if longest is not None and length > longest:
        return arm  # Which cannot be called.
    return dataclasses.replace(arm, trims=_ignores_padding(arm))


def _exported_embedder(path: str) -> Callable[[tf.Tensor], tf.Tensor] | None:
    """The text embedding, which is loaded when it is first called; None where there is none."""
    if not tf.io.gfile.exists(os.path.join(path, "saved_model.pb")):
        return None

    @functools.cache
    def load() -> loaded_models.Model:
        model = loaded_models.load(path)
        _release_with(embed, model)
        return model

    def embed(texts: tf.Tensor) -> tf.Tensor:
        return load().loaded(texts)

    return embed


def _release_with(function: Callable[..., Any], model: loaded_models.Model) -> None:
    """Has a SavedModel's tables freed with the function that calls it."""
    weakref.finalize(function, loaded_models.release, model).atexit = False


def _unknown_id(preprocessing: loaded_models.Model) -> int | None:
    text = saved_text.find(preprocessing)
    ids = {} if text is None else text.ids
    return next((ids[piece] for piece in _UNKNOWN if piece in ids), None)


def _tokens(special: Mapping[str, int], unknown_id: int | None) -> masked_words.Special | None:
    ids = {value for name, value in special.items() if name.endswith("_id")}
    if vocabularies.MASK_ID not in special:
        return None
    return masked_words.Special(
        special[vocabularies.MASK_ID],
        frozenset(ids if unknown_id is None else {*ids, unknown_id}),
    )


def _ignores_padding(arm: Arm) -> bool:
    """Whether what an encoder makes of tokens is the same without the padding behind them."""
    padded = arm.inputs(_TRIED)
    cut = dataclasses.replace(arm, trims=True).inputs(_TRIED)
    mask = tf.cast(cut[encoder_calls.INPUT_NAMES[1]], tf.float32)
    expected, got = (
        {
            "pooled_output": found["pooled_output"],
            "sequence_output": found["sequence_output"][:, : mask.shape[1]] * mask[..., tf.newaxis],
        }
        for found in map(arm.encode, (padded, cut))
    )
    return comparison.compare("padding", expected, got).passed is True


def baseline(plan: plans.Plan, seq_length: int, *, trims: bool) -> Arm:
    """Returns the arm of the encoder that TF-NLP's code builds, with the checkpoint's values.

    Args:
      plan: What the export was made from.
      seq_length: The length of what the encoder is given.
      trims: As `Arm.trims` of the export.

    Raises:
      UserError: It cannot be built, or checkpoint or vocabulary are not its.
    """
    assert plan.source is not None
    built = ingredients.build(plan, plan.source)
    restorations.restore(built.restoration, built.encoder)
    source = dataclasses.replace(ingredients.text_of(plan, built).source, seq_length=seq_length)
    tokenize, pack, special = source.layers()
    encoder, head = built.encoder, built.encoder.masked_lm

    def encode(inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
        return encoder(inputs, training=False)

    def mlm(inputs: masked_words.Inputs) -> np.ndarray:
        constants = _constants(inputs)
        positions = constants.pop(masked_words.POSITIONS)
        assert head is not None
        return head(encode(constants)["sequence_output"], masked_positions=positions).numpy()

    return Arm(
        prepare=lambda columns: pack([tokenize(column) for column in columns]),
        seq_length=seq_length,
        encode=encode,
        embed=_embedder(plan, built, ingredients.text_of(plan, built).source),
        mlm=None if head is None else mlm,
        tokens=_tokens(special, plan.text.unknown_id),
        trims=trims,
        longest=encoder.max_seq_length,
    )


def _embedder(
    plan: plans.Plan, built: ingredients.Built, source: text_verification.TextSource
) -> Callable[[tf.Tensor], np.ndarray]:
    """What makes vectors as the text embedding is to, with its own sequence length."""
    tokenize, pack, _ = source.layers()

    def embed(texts: tf.Tensor) -> np.ndarray:
        inputs = pack([tokenize(texts)])
        mask = inputs[encoder_calls.INPUT_NAMES[1]].numpy()
        outputs = built.encoder(inputs, training=False)
        return text_verification.vectors(outputs, mask, plan.chosen.text_embedding)

    return embed


def _constants(inputs: masked_words.Inputs) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array, tf.int32) for name, array in inputs.items()}
