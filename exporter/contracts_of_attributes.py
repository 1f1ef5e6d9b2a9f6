"""What else is on the root object: assets, casing, signatures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import contracts, errors, loaded_models, saved_models, saved_text, tokenizers
from exporter.contracts_of_calls import LIMIT, named

ASSETS = ("vocab_file", "sp_model_file")
_TEXTS = ("Some text.", "", "Another, longer text with more words in it")


def vocabulary_asset(model: loaded_models.Model) -> str:
    """`vocab_file` or `sp_model_file` is a file of the SavedModel, and what its name says."""
    there = [name for name in ASSETS if hasattr(model.loaded, name)]
    contracts.require(len(there) == 1, f"{' and '.join(there) or 'none of them'} is there")
    path = asset_path(model, there[0])
    contracts.require(path is not None, f"{there[0]} is not an asset")
    folder = os.path.dirname(path or "")
    contracts.require(
        os.path.realpath(folder) == os.path.realpath(os.path.join(model.path, "assets")),
        f"{there[0]} is not in assets/",
    )
    files = dict.fromkeys(ASSETS) | {there[0]: path}
    try:
        tokenizers.check_file(files["vocab_file"], files["sp_model_file"])
    except errors.UserError as error:
        raise contracts.Broken(f"{error.rule} ({os.path.basename(path or '')})") from error
    return f"{there[0]}: assets/{os.path.basename(path or '')}"


def vocabulary_size(model: loaded_models.Model) -> str:
    """The vocabulary has no more pieces than the encoder has embeddings of words."""
    if "word" not in model.embeddings:
        raise contracts.NotChecked("no embeddings of words are known by their name")
    name = next((name for name in ASSETS if hasattr(model.loaded, name)), ASSETS[0])
    text = saved_text.read(asset_path(model, name) or "", wordpiece=name == ASSETS[0])
    count, rows = len(text.pieces), model.num_words
    contracts.require(count <= rows, f"{count} pieces, {rows} embeddings")
    return f"{count} pieces, {rows} embeddings"


def asset_path(model: loaded_models.Model, name: str) -> str | None:
    """Returns the path of an asset that is an attribute of the root, or None."""
    asset = getattr(getattr(model.loaded, name, None), "asset_path", None)
    return None if asset is None else asset.numpy().decode()


def lower_casing_is_told(model: loaded_models.Model) -> str:
    """`do_lower_case` is a scalar bool variable, and not to be trained."""
    variable = model.loaded.do_lower_case
    contracts.require(
        variable.dtype == tf.bool and variable.shape.rank == 0,
        f"{variable.dtype.name} {variable.shape}",
    )
    trainable = {variable.ref() for variable in model.loaded.trainable_variables}
    contracts.require(variable.ref() not in trainable, "it is to be trained")
    return str(bool(variable))


def signature_for_serving(model: loaded_models.Model) -> str:
    """There is a signature for serving."""
    stored = saved_models.read_graph(model.path).meta_graphs[0].signature_def
    names = sorted(name for name in stored if not name.startswith("__"))
    for known in (names, model.loaded.signatures):
        contracts.require("serving_default" in known, f"only {', '.join(known) or 'none'}")
    return ", ".join(names)


def encoder_signatures(model: loaded_models.Model) -> str:
    """Signatures take and return by name what the calls take and return."""
    signatures = model.loaded.signatures
    _require_same(signatures, "serving_default", model.batch, model.outputs)
    if model.kind == loaded_models.MLM:
        inputs = model.mlm_inputs
        _require_same(signatures, "mlm", inputs, model.loaded.mlm(inputs))
    return ", ".join(sorted(signatures))


def encoder_signature_values(model: loaded_models.Model) -> str:
    """Whatever the outputs of the signature for serving are called, the call returns them."""
    signature = model.loaded.signatures["serving_default"]
    taken = set(signature.structured_input_signature[1])
    if taken != set(model.batch):
        raise contracts.NotChecked(f"it takes {', '.join(sorted(taken))}")
    known = [np.asarray(value) for _, value in named(model.outputs)]
    got = {name: np.asarray(value) for name, value in signature(**model.batch).items()}
    others = [name for name, value in sorted(got.items()) if not _among(value, known)]
    contracts.require(not others, f"no outputs of the call: {', '.join(others)}")
    return f"{len(got)} outputs"


def _among(value: np.ndarray, known: list[np.ndarray]) -> bool:
    return any(
        value.shape == other.shape and np.allclose(value, other, rtol=0, atol=LIMIT)
        for other in known
    )


def text_signatures(model: loaded_models.Model) -> str:
    """The signature takes `sentences` and returns what the call returns."""
    text = tf.constant(_TEXTS)
    returned = model.loaded(text)
    outputs = returned if isinstance(returned, Mapping) else {"default": returned}
    _require_same(model.loaded.signatures, "serving_default", {"sentences": text}, outputs)
    return "serving_default"


def _require_same(
    signatures: Mapping[str, Any],
    name: str,
    inputs: Mapping[str, tf.Tensor],
    outputs: Mapping[str, Any],
) -> None:
    contracts.require(name in signatures, f"no {name} among {', '.join(signatures) or 'none'}")
    taken = signatures[name].structured_input_signature[1]
    contracts.require(set(taken) == set(inputs), f"{name} takes {', '.join(sorted(taken))}")
    expected = dict(named(outputs))
    got = signatures[name](**inputs)
    contracts.require(set(got) == set(expected), f"{name} returns {', '.join(sorted(got))}")
    for key, value in expected.items():
        same = np.allclose(got[key], value, rtol=0, atol=LIMIT)
        contracts.require(same, f"{key} of {name} is not what the call returns")
