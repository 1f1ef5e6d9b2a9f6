"""What else is on the root object: assets and casing."""

from __future__ import annotations

import os

import tensorflow as tf

from exporter import contracts, errors, loaded_models, saved_text, tokenizers

ASSETS = ("vocab_file", "sp_model_file")


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
