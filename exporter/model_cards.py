"""Writes the model card of an export: what it is, how it is used, what it was made from."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter import findings

_WHAT = {
    "model": "encoder inputs to vectors; fine-tunable",
    "model_with_mlm": "encoder inputs to vectors; fine-tunable; `.mlm` guesses masked words",
    "preprocessing": "strings to encoder inputs",
    "text_embedding": "strings to vectors, preprocessing and encoder in one",
}
_LENGTHS = ("max_position_embeddings", "max_sequence_length")
_SIZES = {
    "num_layers": "layers",
    "num_hidden_instances": "layers",
    "hidden_size": "hidden size",
    "num_attention_heads": "attention heads",
}
_CARD = string.Template(
    """\
# $title

$summary

| SavedModel | what it does |
|---|---|
$models

## Use

From the folder that holds `$title`:

```python
$code
```

## Preprocessing

$text

## Limits

$limits
- Nothing is recorded of the text that it was trained on, nor of whom its errors may hurt: say so
  here before you publish it.

## Provenance

$provenance
"""
)
_IMPORTS = """\
import tensorflow as tf
import tensorflow_text  # Registers the ops of preprocessing.
"""
_PREPROCESS = """\
preprocess = tf.saved_model.load("$preprocessing")
inputs = preprocess(tf.constant(["A sentence.", "And another one."]))
"""
_PREPROCESS_PAIRS = """
# Pairs, with room for trimming in between:
segments = [preprocess.tokenize(texts) for texts in (["A question?"], ["An answer."])]
pairs = preprocess.bert_pack_inputs(segments, seq_length=$length)
"""
# [CLS], the first piece, [SEP]: what another preprocessing would give.
_INPUTS = """\
inputs = {
    "input_word_ids": tf.constant([[$start, $end]]),  # [CLS] [SEP]; tokens go between them.
    "input_mask": tf.constant([[1, 1]]),
    "input_type_ids": tf.constant([[0, 0]]),
}
"""
_ENCODE = """\
encoder = tf.saved_model.load("$encoder")
outputs = encoder(inputs)  # For fine-tuning: encoder(inputs, training=True).
print(outputs["pooled_output"].shape, outputs["sequence_output"].shape)
"""
_GUESS = """\
positions = tf.zeros_like(inputs["input_mask"][:, :1])  # Of the words to be guessed.
guesses = encoder.mlm({**inputs, "masked_lm_positions": positions})
print(guesses["mlm_logits"].shape)
"""
_EMBED = """\
embed = tf.saved_model.load("$text_embedding")
print(embed(tf.constant(["A sentence.", "And another one."])).shape)
"""


def text(
    title: str, origins: Mapping[str, Mapping[str, Any]], found: Iterable[findings.Finding]
) -> str:
    """Returns the card as Markdown.

    Args:
      title: The export's name, the last part of its path.
      origins: What each SavedModel was made from (`provenance.origin`), by its folder in the
        export; "" for an export that is one SavedModel.
      found: What else was said of the export.
    """
    first = next(iter(origins.values()))
    encoder = next((o for o in origins.values() if "encoder" in o), None)
    return _CARD.substitute(
        title=title,
        summary=_summary(encoder),
        models="\n".join(
            f"| `{_join(title, folder)}` | {_WHAT[origin['kind']]} |"
            for folder, origin in origins.items()
        ),
        code=_code(title, origins).rstrip(),
        text=_text(first["vocabulary"]),
        limits="\n".join(f"- {line}" for line in _limits(encoder, found)),
        provenance="\n".join(_provenance(first, encoder)),
    )


def _summary(origin: Mapping[str, Any] | None) -> str:
    if origin is None:
        return "Preprocessing for a Transformer text encoder, for TensorFlow 2."
    config = origin["encoder"]["config"]
    sizes = [f"{config[name]} {word}" for name, word in _SIZES.items() if name in config]
    made = f" ({', '.join(sizes)})" if sizes else ""
    return (
        f"A pre-trained Transformer text encoder of type `{origin['encoder']['type']}`{made}, "
        "for TensorFlow 2."
    )


def _join(title: str, folder: str) -> str:
    return f"{title}/{folder}" if folder else title


def _code(title: str, origins: Mapping[str, Mapping[str, Any]]) -> str:
    folders = {
        "encoder" if origin["kind"].startswith("model") else origin["kind"]: _join(title, folder)
        for folder, origin in origins.items()
    }
    kinds = {origin["kind"] for origin in origins.values()}
    first = next(iter(origins.values()))
    special = first["vocabulary"]["special_tokens"]
    parts = [_IMPORTS]
    if "preprocessing" in folders:
        parts += [_PREPROCESS] if "encoder" in folders else [_PREPROCESS, _PREPROCESS_PAIRS]
    elif "encoder" in folders:
        parts.append(_INPUTS)
    if "encoder" in folders:
        parts.append(_ENCODE)
    if "model_with_mlm" in kinds:
        parts.append(_GUESS)
    if "text_embedding" in folders:
        parts.append(_EMBED)
    return string.Template("\n".join(parts)).substitute(
        folders,
        length=first.get("seq_length", 0),
        start=special["start_of_sequence_id"],
        end=special["end_of_segment_id"],
    )


def _text(vocabulary: Mapping[str, Any]) -> str:
    casing = "lower-cased" if vocabulary["do_lower_case"] else "as it is"
    return (
        f"Text is taken {casing} and split into the {vocabulary['num_pieces']:,} pieces of "
        f"`{vocabulary['name']}` (SHA-256 `{vocabulary['sha256']}`). Another tokenizer, another "
        "vocabulary or other casing gives ids that mean something else to the encoder."
    )


def _limits(origin: Mapping[str, Any] | None, found: Iterable[findings.Finding]) -> Iterator[str]:
    if origin is not None:
        config = origin["encoder"]["config"]
        longest = next((config[name] for name in _LENGTHS if config.get(name)), None)
        if longest:
            yield f"Sequences have at most {longest} tokens, special ones included."
    said = (finding for finding in found if finding.is_warning or finding.subject == "pooler")
    yield from (f"{finding}." for finding in said)


def _provenance(first: Mapping[str, Any], origin: Mapping[str, Any] | None) -> Iterator[str]:
    yield "`assets.extra/export_manifest.json` in each SavedModel says all of it."
    yield ""
    if origin is not None:
        checkpoint = origin["checkpoint"]
        step = "an unknown step" if checkpoint["step"] is None else f"step {checkpoint['step']:,}"
        yield (
            f"- Checkpoint `{checkpoint['name']}` of {step}: {checkpoint['num_values']} values "
            f"({checkpoint['weights']}), SHA-256 of their table `{checkpoint['values_sha256']}`"
        )
        yield f"- Pooler: `{checkpoint['pooler']}`"
    packages = ", ".join(f"{name} {version}" for name, version in first["packages"].items())
    yield f"- Made with {packages}"
    level = first["verification"]["level"]
    limit = first["verification"]["limit"]
    yield (
        "- Not verified"
        if level == "off"
        else f"- Loaded again and compared with TF-NLP's own code (`{level}`): float32 outputs "
        f"differ by at most {limit:g}"
    )
