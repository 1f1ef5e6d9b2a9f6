"""Preprocessing and text embeddings broken on purpose."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from exporter import packing, preprocessing, tokenizers, truncation
from tests import testing, written_models
from tests.planted_defects import (
    EMBEDDING,
    PREPROCESSING,
    SEQ_LENGTH,
    VOCABULARY,
    Defect,
    Plant,
    Right,
    changed,
    copied,
    write,
)

_IDS, _MASK, _TYPES = testing.INPUT_NAMES
Packed = dict[str, tf.Tensor]


def _root(change: Callable[..., Any]) -> Plant:
    """Changes the root's call alone.

    Args:
      change: Given the right call, text, seq_length and training.
    """

    def edit(module: Any) -> None:
        right = module.__dict__["__call__"]

        def call(
            text: tf.Tensor,
            seq_length: int | tf.Tensor = SEQ_LENGTH,
            training: bool | tf.Tensor = False,
        ) -> Packed:
            return change(right, text, seq_length, training)

        module.__call__ = tf.function(call, autograph=False)

    return changed(PREPROCESSING, edit)


def root_call(tokenize: Callable[..., Any], pack: Callable[..., Packed]) -> Any:
    """Returns a call of the root's that packs what is tokenized."""

    def call(
        text: tf.Tensor,
        seq_length: int | tf.Tensor = SEQ_LENGTH,
        training: bool | tf.Tensor = False,
    ) -> Packed:
        return pack([tokenize(text, training)], seq_length)

    return tf.function(call, autograph=False)


def changed_packing(change: Callable[..., Any], default_length: int = SEQ_LENGTH) -> Plant:
    """Changes packing, by itself and in the root's call.

    Args:
      change: Given the right packing, segments and seq_length.
      default_length: Of `bert_pack_inputs`.
    """

    def edit(module: Any) -> None:
        right, tokenize = module.bert_pack_inputs.__dict__["__call__"], module.tokenize

        def pack(
            inputs: list[tf.RaggedTensor], seq_length: int | tf.Tensor = default_length
        ) -> Packed:
            return change(right, inputs, seq_length)

        module.bert_pack_inputs.__call__ = tf.function(pack, autograph=False)
        module.__call__ = root_call(tokenize, pack)

    return changed(PREPROCESSING, edit)


def _outputs(**change: Callable[[Packed], tf.Tensor]) -> Plant:
    """Changes some of what packing returns."""

    def packed(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
        outputs = right(inputs, seq_length)
        return {**outputs, **{name: function(outputs) for name, function in change.items()}}

    return changed_packing(packed)


def _outputs_below(least: int, name: str) -> Plant:
    """Puts zeros in place of an output for sequences shorter than this."""

    def packed(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
        outputs = right(inputs, seq_length)
        kept = tf.cast(tf.convert_to_tensor(seq_length) >= least, tf.int32)
        return {**outputs, name: outputs[name] * kept}

    return changed_packing(packed)


def _tokenize(change: Callable[[tf.RaggedTensor], Any]) -> Plant:
    """Changes tokens, but for what the root's call packs of text."""

    def edit(module: Any) -> None:
        right = module.tokenize.__dict__["__call__"]

        def tokenize(text: tf.Tensor, training: bool | tf.Tensor = False) -> Any:
            return change(right(text, training))

        module.tokenize.__call__ = tf.function(tokenize, autograph=False)

    return changed(PREPROCESSING, edit)


def _special_tokens(change: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]) -> Plant:
    def edit(module: Any) -> None:
        right = module.tokenize.get_special_tokens_dict.__dict__["__call__"]
        special = tf.function(lambda: change(dict(right())), autograph=False)
        module.tokenize.get_special_tokens_dict.__call__ = special

    return changed(PREPROCESSING, edit)


def _made(**options: Any) -> Plant:
    """Returns what makes a preprocessing with other options."""

    def plant(right: Right, path: pathlib.Path) -> None:
        written_models.write(right.preprocessing(**options), str(path))

    return plant


def _cased(right: Right, path: pathlib.Path) -> None:
    tokenizer = tokenizers.make(vocab_file=str(VOCABULARY), do_lower_case=False)
    module = preprocessing.Preprocessing(tokenizer, default_seq_length=SEQ_LENGTH)
    written_models.write(module, str(path))


def _separator_off(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
    outputs = right(inputs, seq_length)
    ids = outputs[_IDS]
    return {**outputs, _IDS: tf.where(ids == 3, 5, ids)}


def _cut_off(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
    """Packs with room for all and cuts the rows off."""
    return {name: value[:, :seq_length] for name, value in right(inputs, 1000).items()}


def _last_segment_first(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
    return right(inputs[::-1], seq_length)


def _length_ignored(right: Any, inputs: list[tf.RaggedTensor], seq_length: Any) -> Packed:
    del seq_length
    return right(inputs, SEQ_LENGTH)


def _forgotten(value: tf.Tensor) -> tf.Tensor:
    return tf.reshape(value, tf.identity(tf.shape(value)))


def _first_word(right: Any, text: tf.Tensor, seq_length: Any, training: Any) -> Packed:
    shorter = tf.strings.regex_replace(text, r"^\S+ ", "")
    return right(shorter, seq_length, training)


def _dropped_in_training(right: Any, text: tf.Tensor, seq_length: Any, training: Any) -> Packed:
    packed = right(text, seq_length, training)
    dropped = tf.where(packed[_IDS] > 1000, 1, packed[_IDS])
    return {**packed, _IDS: tf.where(tf.cast(training, tf.bool), dropped, packed[_IDS])}


def _trace(right: Right, path: pathlib.Path) -> None:
    """Writes a preprocessing without the traces for two segments with words."""

    class Preprocessing(preprocessing.Preprocessing):
        def trace(self) -> None:
            traced = self.bert_pack_inputs.trace_call
            self.bert_pack_inputs.trace_call = lambda segments, **kwargs: (  # type: ignore[method-assign]
                None if segments[0].ragged_rank == 2 else traced(segments, **kwargs)
            )
            super().trace()

    module = Preprocessing(right.tokenizer, default_seq_length=SEQ_LENGTH)
    written_models.write(module, str(path))


def _lines_swapped(path: pathlib.Path) -> None:
    asset = path / "assets" / "vocab.txt"
    lines = asset.read_text(encoding="utf-8").split("\n")
    lines[3], lines[4] = lines[4], lines[3]
    asset.write_text("\n".join(lines), encoding="utf-8")


def _waterfall(right: Right, path: pathlib.Path) -> None:
    options = packing.Options(truncation=truncation.make("waterfall", 25))
    written_models.write(right.preprocessing(options=options), str(path))


def _spans_shifted(right: Right, path: pathlib.Path) -> None:
    module = right.preprocessing(tokenize_with_offsets=True)
    spans = module.tokenize_with_offsets.__dict__["__call__"]

    def tokenize(text: tf.Tensor, training: bool | tf.Tensor = False) -> Any:
        tokens, starts, limits = spans(text, training)
        return [tokens, starts + 5, limits]

    module.tokenize_with_offsets.__call__ = tf.function(tokenize, autograph=False)
    written_models.write(module, str(path))


_PLACES, _KNOWN = "packing: [CLS], [SEP] and [PAD]", "packing: truncation in a known way"
_STRINGS = "call: strings become an encoder's inputs"
_SPECIAL, _OF_VOCABULARY = (
    "special tokens: int32 scalars by name",
    "special tokens: ids of the vocabulary",
)
_WITH_SOURCE = (
    ("wrong default length", _made(default_seq_length=16), "packed inputs"),
    ("lower-casing missing", _cased, "tokens"),
    ("truncation favouring the first segment", _waterfall, "packed pairs"),
)
_PREPROCESSING = (
    (
        "default lengths of two minds",
        changed_packing(lambda right, s, length: right(s, length), default_length=16),
        "packing: the root's default seq_length",
    ),
    ("length ignored", changed_packing(_length_ignored), "packing: takes seq_length"),
    ("[CLS] missing", _outputs(**{_IDS: lambda o: tf.where(o[_IDS] == 2, 1, o[_IDS])}), _PLACES),
    ("[SEP] another piece", changed_packing(_separator_off), _PLACES),
    (
        "padding not zero",
        _outputs(**{_IDS: lambda o: tf.where(o[_MASK] == 0, 4, o[_IDS])}),
        _PLACES,
    ),
    ("segments turned around", changed_packing(_last_segment_first), _PLACES),
    ("mask of ones", _outputs(**{_MASK: lambda o: tf.ones_like(o[_MASK])}), "packing: mask"),
    (
        "types of one segment",
        _outputs(**{_TYPES: lambda o: tf.zeros_like(o[_TYPES])}),
        "packing: types",
    ),
    (
        "types of padding",
        _outputs(**{_TYPES: lambda o: o[_TYPES] + 1 - o[_MASK]}),
        "packing: types",
    ),
    ("cut off at the end", changed_packing(_cut_off), _KNOWN),
    (
        "types lost where it is short",
        _outputs_below(SEQ_LENGTH, _TYPES),
        "packing: mask and types when truncated",
    ),
    ("mask lost where it is very short", _outputs_below(5, _MASK), "packing: hardly any room"),
    ("no words", _trace, "packing: with words and without"),
    (
        "outputs of 64 bits",
        _root(lambda right, *given: {n: tf.cast(v, tf.int64) for n, v in right(*given).items()}),
        _STRINGS,
    ),
    (
        "an output missing",
        _root(lambda right, *given: {n: v for n, v in right(*given).items() if n != _TYPES}),
        _STRINGS,
    ),
    (
        "sizes forgotten",
        _root(lambda right, *given: {n: _forgotten(v) for n, v in right(*given).items()}),
        "call: shapes are static where known",
    ),
    ("first word dropped", _root(_first_word), "call: is tokenize and bert_pack_inputs"),
    ("training drops words", _root(_dropped_in_training), "call: training changes nothing"),
    (
        "tokens off by one",
        _tokenize(lambda tokens: tokens + 1),
        "tokenize: tokens of the vocabulary",
    ),
    (
        "tokens of 64 bits",
        _tokenize(lambda tokens: tf.cast(tokens, tf.int64)),
        "tokenize: ragged int32",
    ),
    ("tokens padded", _tokenize(lambda tokens: tokens.to_tensor()), "tokenize: ragged int32"),
    ("spans shifted", _spans_shifted, "tokenize: offsets"),
    (
        "special id off",
        _special_tokens(lambda ids: {**ids, "mask_id": ids["mask_id"] + 1}),
        _OF_VOCABULARY,
    ),
    (
        "vocabulary's size off",
        _special_tokens(lambda ids: {**ids, "vocab_size": ids["vocab_size"] + 1}),
        _OF_VOCABULARY,
    ),
    (
        "special id missing",
        _special_tokens(lambda ids: {n: i for n, i in ids.items() if n != "padding_id"}),
        _SPECIAL,
    ),
    (
        "special ids of 64 bits",
        _special_tokens(lambda ids: {n: tf.cast(i, tf.int64) for n, i in ids.items()}),
        _SPECIAL,
    ),
    ("vocabulary's lines swapped", copied(PREPROCESSING, _lines_swapped), _OF_VOCABULARY),
)


def _embed(change: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Plant:
    """Changes vectors.

    Args:
      change: Given vectors and text.
    """

    def edit(module: Any) -> None:
        right = module.__dict__["__call__"]

        def embed(text: tf.Tensor, training: bool = False) -> tf.Tensor:
            return change(right(text, training), text)

        module.__call__ = tf.function(embed, autograph=False)

    return changed(EMBEDDING, edit)


def _one_trace(module: Any) -> None:
    specification = tf.TensorSpec([None], tf.string, name="text")
    trace = module.__dict__["__call__"].get_concrete_function
    module.trace = lambda: trace(specification, training=False)


def _other_vectors(right: Right, path: pathlib.Path) -> None:
    write(right.embedding(vector="first_token"), path, right.fitting)


_EMBEDDINGS = (
    (
        "vectors in half precision",
        _embed(lambda v, _: tf.cast(v, tf.float16)),
        "call: strings become vectors",
    ),
    (
        "vectors of the batch",
        _embed(lambda v, _: v - tf.reduce_mean(v, axis=0)),
        "batch: rows are independent",
    ),
    ("text ignored", _embed(lambda v, _: 0.0 * v), "text: has an effect"),
    ("no empty batches", _embed(lambda v, _: v + v[0, 0]), "call: empty batches"),
    ("trace for training missing", changed(EMBEDDING, _one_trace), "call: training is optional"),
    (
        "gradients stopped",
        _embed(lambda v, _: tf.stop_gradient(v)),
        "variables: gradients reach the trainable ones",
    ),
    (
        "no list of variables",
        changed(EMBEDDING, lambda module: delattr(module, "variables")),
        "variables: the lists are there",
    ),
)

DEFECTS = (
    *(Defect(*row[:1], PREPROCESSING, *row[1:], with_source=True) for row in _WITH_SOURCE),
    *(Defect(*row[:1], PREPROCESSING, *row[1:]) for row in _PREPROCESSING),
    Defect("vectors of something else", EMBEDDING, _other_vectors, "vectors", with_source=True),
    *(Defect(f"{row[0]} (embedding)", EMBEDDING, *row[1:]) for row in _EMBEDDINGS),
)
