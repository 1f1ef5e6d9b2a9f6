"""What an export's manifest says of the SavedModel, compared with the SavedModel itself."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import contracts, folder_entries, loaded_models, manifests, saved_models, saved_text
from exporter.contracts_of_attributes import ASSETS, asset_path
from exporter.contracts_of_calls import LIMIT, largest
from exporter.contracts_of_preprocessing import default_length, special_ids
from exporter.contracts_of_tokens import lower_cases

_KINDS = {
    "model": loaded_models.ENCODER,
    "model_with_mlm": loaded_models.MLM,
    "preprocessing": loaded_models.PREPROCESSING,
    "text_embedding": loaded_models.TEXT_EMBEDDING,
}
_LEVELS = ("off", "quick", "full")
# Up to this one, texts show the default length.
_LONGEST = 512
_CASED = ("The Quick BROWN Fox", "A B C")
# Of these, each layer is an output.
_WITH_LAYERS = ("bert", "bert_v2", "albert", "bigbird", "kernel", "fnet", "sparse_mixer", "reuse")
_WORD = "\u2581"

Manifest = Mapping[str, Any]


def describes_the_model(model: loaded_models.Model) -> str:
    """What the manifest says of kind, vocabulary, encoder and verification is so."""
    manifest = manifests.read(model.path)
    if manifest is None:
        raise contracts.NotChecked(f"there is no {manifests.FILE}")
    if "kind" not in manifest:
        raise contracts.Broken("it does not say what was made")
    for part in (_kind, _verification, _packages, _vocabulary, _lengths, _encoder, _checkpoint):
        for told in part(model, manifest):
            raise contracts.Broken(told)
    return f"a {manifest['kind']}"


def _kind(model: loaded_models.Model, manifest: Manifest) -> Iterator[str]:
    if _KINDS.get(manifest["kind"]) != model.kind:
        yield f"kind is {manifest['kind']!r}, this is {model.kind}"


def _verification(_: loaded_models.Model, manifest: Manifest) -> Iterator[str]:
    said = manifest["verification"]
    level, verdict = said["level"], said.get("verdict")
    if level not in _LEVELS or bool(said["checks"]) == (level == "off"):
        yield f"verification is {level!r}, with {len(said['checks'])} checks"
    if verdict not in (None, "not verified" if level == "off" else "passed"):
        yield f"the verdict is {verdict!r} of level {level!r}"


def _packages(model: loaded_models.Model, manifest: Manifest) -> Iterator[str]:
    graph = saved_models.read_graph(model.path).meta_graphs[0]
    wrote, said = graph.meta_info_def.tensorflow_version, manifest["packages"]["tensorflow"]
    if wrote != said:
        yield f"tensorflow is {said}, the graph was written by {wrote}"


def _lengths(model: loaded_models.Model, manifest: Manifest) -> Iterator[str]:
    said = manifest.get("seq_length")
    if model.kind != loaded_models.PREPROCESSING or said is None or said > _LONGEST:
        return
    length = default_length(model)
    if length != said:
        yield f"seq_length is {said}, the default is {length}"


def _vocabulary(model: loaded_models.Model, manifest: Manifest) -> Iterator[str]:
    said = manifest["vocabulary"]
    found = dict(_vocabularies(model))
    if said["sha256"] not in found:
        yield "vocabulary.sha256 is of no vocabulary in it"
        return
    pieces = found[said["sha256"]]().pieces
    if said["num_pieces"] != len(pieces):
        yield f"vocabulary.num_pieces is {said['num_pieces']}, there are {len(pieces)}"
    yield from _special_tokens(model, said["special_tokens"], pieces)
    lower_case = _lower_cases(model, pieces)
    if lower_case is not None and said["do_lower_case"] is not lower_case:
        yield f"vocabulary.do_lower_case is {said['do_lower_case']}, not {lower_case}"


def _vocabularies(
    model: loaded_models.Model,
) -> Iterator[tuple[str, Callable[[], saved_text.Text]]]:
    """Yields digests of assets and of the SentencePiece model in the graph, and what reads them."""
    of_sentencepiece = asset_path(model, ASSETS[1])
    for name in folder_entries.read(model.path).files:
        if name.startswith("assets/"):
            path = os.path.join(model.path, name)
            is_model = of_sentencepiece is not None and os.path.samefile(path, of_sentencepiece)
            read = functools.partial(saved_text.read, path, wordpiece=not is_model)
            yield manifests.digest(path)["sha256"], read
    if model.kind not in loaded_models.ENCODERS:
        text = saved_text.find(model)
        if text is not None and text.sentencepiece_model is not None:
            yield hashlib.sha256(text.sentencepiece_model).hexdigest(), lambda: text


def _special_tokens(
    model: loaded_models.Model, said: Mapping[str, int], pieces: Iterable[str]
) -> Iterator[str]:
    pieces = list(pieces)
    if model.kind == loaded_models.PREPROCESSING:
        ids = special_ids(model)
        if dict(said) != ids:
            yield f"vocabulary.special_tokens is {dict(said)}, not {ids}"
        return
    if said["vocab_size"] != len(pieces):
        yield f"vocabulary.special_tokens has {said['vocab_size']} pieces, there are {len(pieces)}"
    outside = [name for name, i in said.items() if not 0 <= i <= len(pieces)]
    if outside:
        yield f"there are no such ids: {', '.join(outside)}"


def _lower_cases(model: loaded_models.Model, pieces: Iterable[str]) -> bool | None:
    if model.kind in loaded_models.ENCODERS:
        return bool(model.loaded.do_lower_case)
    if model.kind == loaded_models.PREPROCESSING:
        return lower_cases(model)
    # Only words that are pieces in both ways tell that text is not lower-cased.
    words = {piece.removeprefix(_WORD) for piece in pieces}
    cased = [w for w in sorted(words) if w.isalpha() and w != w.lower() and w.lower() in words][:8]
    texts = [*cased, *_CASED]
    vectors, lowered = (
        np.asarray(model.loaded(tf.constant(list(each))))
        for each in (texts, [text.lower() for text in texts])
    )
    same = [largest(one, other) <= LIMIT for one, other in zip(vectors, lowered, strict=True)]
    if not all(same):
        return False
    return True if cased else None


def _encoder(model: loaded_models.Model, manifest: Manifest) -> Iterator[str]:
    said = manifest.get("encoder")
    if model.kind == loaded_models.PREPROCESSING or said is None:
        if model.kind != loaded_models.PREPROCESSING:
            yield "nothing is said of the encoder"
        return
    config = said["config"]
    if said["type"] == "any":  # A user's own, whose fields mean what they mean.
        return
    for names, size in _sizes(model, said["type"]):
        for name in names:
            if config.get(name) is not None and config[name] != size:
                yield f"encoder.config.{name} is {config[name]}, not {size}"


def _sizes(model: loaded_models.Model, encoder_type: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yields the sizes that the SavedModel shows, by what configurations call them."""
    known = model.embeddings
    if "word" in known:
        yield ("vocab_size", "word_vocab_size"), known["word"][0]
        yield ("embedding_size", "embedding_width", "word_embed_size"), known["word"][1]
    if "position" in known:
        yield ("max_position_embeddings", "max_sequence_length"), known["position"][0]
    if "type" in known:
        yield ("type_vocab_size",), known["type"][0]
    if model.kind == loaded_models.TEXT_EMBEDDING:
        return
    yield ("hidden_size",), model.outputs["sequence_output"].shape[-1]
    if encoder_type in _WITH_LAYERS:
        yield ("num_layers",), len(model.outputs["encoder_outputs"])


def _checkpoint(model: loaded_models.Model, manifest: Manifest) -> Iterator[str]:
    if model.kind == loaded_models.PREPROCESSING:
        return
    said = manifest["checkpoint"]
    if not isinstance(said["step"], int | None) or said["weights"] not in ("raw", "ema"):
        yield f"the checkpoint's step is {said['step']!r}, its weights {said['weights']!r}"
    if model.kind != loaded_models.TEXT_EMBEDDING:
        variables = getattr(model.loaded, "mlm", model.loaded).variables
        if said["num_values"] > len(variables):
            yield f"checkpoint.num_values is {said['num_values']}, of {len(variables)} variables"
