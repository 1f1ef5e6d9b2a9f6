"""Compares what was written with where it came from.

The source is TF-NLP's encoder, run by Keras, with the checkpoint restored by TensorFlow; the
export is loaded from its files. Nothing that the exporter did on its way (copying values between
files, sharing traces) is used on the source's side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from official.nlp.modeling import layers as tfnlp_layers

from exporter import encoder_calls, encoder_modules, encoders, reports, restorations

# The largest difference of float32 outputs, relative to the largest output above 1.
LIMIT = 1e-5
_SEED = 20201012


def verify_encoder(
    path: str,
    module: encoder_modules.EncoderModule,
    restoration: restorations.Restoration,
    *,
    level: str,
) -> reports.Report:
    """Compares an encoder's SavedModel with its source.

    Args:
      path: The SavedModel.
      module: What it was written from; its variables get their values here.
      restoration: Where the values come from.
      level: "quick": one batch, outputs for inference. "full": several lengths, gradients and
        dropout, too.

    Returns:
      The report; the caller decides what a failure means.
    """
    source = module.encoder
    restorations.restore(restoration, source)
    loaded = tf.saved_model.load(path)
    checks = [_same_variables(module, loaded)]
    for inputs in _batches(source, level):
        checks += _same_outputs(source, loaded, inputs)
    if level == "full":
        inputs = next(iter(_batches(source, level)))
        checks += [_same_gradients(source, loaded, inputs), _dropout(source, loaded, inputs)]
    return reports.Report("encoder", tuple(checks))


# Enough to tell casing, accents, splitting and truncation apart; not a proof of equality.
_TEXTS = (
    "The quick brown fox didn't jump over 12,345 lazy dogs - or did it?",
    "",
    "Caf\u00e9 na\u00efve \u00dcber STRASSE stra\u00dfe",
    "unaffable hypercharacterization \U0001f600!",
    "\u4f60\u597d\uff0c\u4e16\u754c \u0441\u043b\u043e\u0432\u043e",
    "Many words " * 200,
)


def verify_preprocessing(
    path: str,
    *,
    vocab_file: str | None,
    sp_model_file: str | None,
    lower_case: bool,
    seq_length: int,
    special_tokens: dict[str, int] | None = None,
) -> reports.Report:
    """Compares a preprocessing SavedModel with TF-NLP's preprocessing in Python code.

    Args:
      path: The SavedModel.
      vocab_file: The WordPiece vocabulary that it was made from, or None.
      sp_model_file: The SentencePiece model that it was made from, or None.
      lower_case: Whether text is lower-cased.
      seq_length: The default sequence length.
      special_tokens: The special tokens, where they are not spelled as TF-NLP looks them up.

    Returns:
      The report; the caller decides what a failure means.
    """
    if vocab_file:
        tokenizer = tfnlp_layers.BertTokenizer(vocab_file=vocab_file, lower_case=lower_case)
    else:
        tokenizer = tfnlp_layers.SentencepieceTokenizer(
            model_file_path=sp_model_file, lower_case=lower_case, strip_diacritics=True
        )
    special_tokens = special_tokens or tokenizer.get_special_tokens_dict()
    pack = tfnlp_layers.BertPackInputs(seq_length, special_tokens_dict=special_tokens)
    loaded = tf.saved_model.load(path)
    text = tf.constant(_TEXTS)
    tokens, got_tokens = tokenizer(text), loaded.tokenize(text)
    pairs = [tokens, tokens[::-1]], [got_tokens, got_tokens[::-1]]
    got_special_tokens = {
        name: int(value) for name, value in loaded.tokenize.get_special_tokens_dict().items()
    }
    return reports.Report(
        "preprocessing",
        (
            reports.Check(
                "special tokens", got_special_tokens == special_tokens, str(got_special_tokens)
            ),
            _same_tokens("tokens", tokens, got_tokens),
            _compare("packed inputs", pack(tokens), loaded(text)),
            _compare("packed pairs", pack(pairs[0]), loaded.bert_pack_inputs(pairs[1])),
        ),
    )


def _same_tokens(name: str, expected: tf.RaggedTensor, got: tf.RaggedTensor) -> reports.Check:
    same = expected.to_list() == got.to_list()
    return reports.Check(name, same, f"{got.flat_values.shape[0]} in {len(_TEXTS)} texts")


def _batches(source: encoders.Encoder, level: str) -> Iterable[dict[str, tf.Tensor]]:
    """Yields random inputs: padded and full rows, several types, several lengths if asked."""
    random = np.random.default_rng(_SEED)
    longest = source.max_seq_length or 64
    lengths = {min(16, longest)} if level == "quick" else {1, min(16, longest), longest}
    for length in sorted(lengths, reverse=True):
        ids = random.integers(0, source.vocab_size, [3, length])
        mask = np.arange(length) < np.array([[length], [max(1, length // 2)], [length]])
        types = np.arange(length) >= np.array([[length], [length], [length // 2]])
        arrays = (ids * mask, mask, types % source.type_vocab_size)
        yield {
            name: tf.constant(array, tf.int32)
            for name, array in zip(encoder_calls.INPUT_NAMES, arrays, strict=True)
        }


def _same_variables(module: encoder_modules.EncoderModule, loaded: Any) -> reports.Check:
    def shapes(variables: Iterable[tf.Variable]) -> list[tuple[int, ...]]:
        return [tuple(variable.shape) for variable in variables]

    same = all(
        shapes(getattr(module, name)) == shapes(getattr(loaded, name))
        for name in ("variables", "trainable_variables")
    )
    return reports.Check(
        "variables in the source's order", same, f"{len(loaded.variables)} variables"
    )


def _same_outputs(
    source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]
) -> list[reports.Check]:
    length = inputs["input_word_ids"].shape[1]
    expected = source(inputs, training=False)
    checks = [
        _compare(f"outputs at length {length}", expected, loaded(inputs, training=False)),
    ]
    if source.masked_lm is not None:
        last = expected["sequence_output"].shape[1] - 1  # Funnel Transformers shorten sequences.
        positions = tf.constant([[0, last], [last // 2, 0], [0, 0]])
        logits = source.masked_lm(expected["sequence_output"], masked_positions=positions)
        got = loaded.mlm({**inputs, encoder_modules.POSITIONS_NAME: positions}, training=False)
        checks.append(
            _compare(f"mlm outputs at length {length}", {**expected, "mlm_logits": logits}, got)
        )
    return checks


def _same_gradients(
    source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]
) -> reports.Check:
    def gradients(call: Any, variables: list[tf.Variable]) -> dict[str, tf.Tensor | None]:
        with tf.GradientTape() as tape:
            outputs = call(inputs, training=False)
            loss = tf.reduce_mean(outputs["pooled_output"]) + tf.reduce_mean(
                tf.square(outputs["sequence_output"])
            )
        values = tape.gradient(loss, variables)
        return {
            str(index): None if value is None else tf.convert_to_tensor(value)
            for index, value in enumerate(values)
        }

    return _compare(
        "gradients of a scalar loss",
        gradients(source, source.network.trainable_variables),
        gradients(loaded, loaded.trainable_variables),
    )


def _dropout(source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]) -> reports.Check:
    def varies(call: Any) -> bool:
        first, second = (call(inputs, training=True)["sequence_output"] for _ in range(2))
        return bool(tf.reduce_any(first != second))

    expected, got = varies(source), varies(loaded)
    return reports.Check("dropout in training", expected == got, "active" if got else "inactive")


def _compare(name: str, expected: Mapping[str, Any], got: Mapping[str, Any]) -> reports.Check:
    """Compares nested outputs by name."""
    if set(expected) != set(got):
        return reports.Check(name, False, f"{sorted(got)} instead of {sorted(expected)}")
    largest, where = 0.0, "all equal"
    for key in sorted(expected):
        for ours, theirs in zip(
            tf.nest.flatten(expected[key]), tf.nest.flatten(got[key]), strict=True
        ):
            difference = _difference(ours, theirs)
            if difference > largest or np.isnan(difference):
                largest, where = difference, f"largest difference {difference:.1e} in {key}"
    return reports.Check(name, largest <= LIMIT, where)


def _difference(expected: tf.Tensor | None, got: tf.Tensor | None) -> float:
    """The largest difference, relative to the largest expected value above 1; NaN if undefined."""
    if expected is None or got is None:
        return 0.0 if expected is got else float("nan")
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return float("nan")
    expected_values, got_values = np.asarray(expected), np.asarray(got)
    scale = max(1.0, float(np.max(np.abs(expected_values), initial=0.0)))
    return float(np.max(np.abs(expected_values - got_values), initial=0.0)) / scale
