"""Signatures, and `serve`: each stands for a call, and returns what that returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import (
    contracts,
    loaded_models,
    manifests,
    repeated_draws,
    saved_models,
)
from exporter.contracts_of_calls import LIMIT, named

_DEFAULT, _MLM, _OUTPUTS = "serving_default", "mlm", "outputs"
_TEXTS = ("Some text.", "", "Another, longer text with more words in it")
_ONE_TEXT = ("One text alone",)
_SHORT = 5
_SERVE = "serve"
_TRAINING: tuple[dict[str, bool], ...] = ({}, {"training": False}, {"training": True})

Outputs = Mapping[str, Any]


def one_for_serving(model: loaded_models.Model) -> str:
    """There is a signature for serving."""
    stored = saved_models.read_graph(model.path).meta_graphs[0].signature_def
    names = sorted(name for name in stored if not name.startswith("__"))
    for known in (names, model.loaded.signatures):
        contracts.require(_DEFAULT in known, f"only {', '.join(known) or 'none'}")
    return ", ".join(names)


def are_the_calls(model: loaded_models.Model) -> str:
    """Signatures take and return by name what the calls take and return."""
    count = 0
    for name, calls in _promised(model).items():
        contracts.require(
            name in model.loaded.signatures, f"no {name} among {_listed(model.loaded.signatures)}"
        )
        for inputs, outputs in calls:
            _require_same(model.loaded.signatures[name], name, inputs, outputs)
            count += 1
    return f"{count} calls"


def _require_same(
    signature: Any, name: str, inputs: loaded_models.Inputs, outputs: Outputs
) -> None:
    taken = signature.structured_input_signature[1]
    contracts.require(set(taken) == set(inputs), f"{name} takes {_listed(taken)}")
    expected, got = dict(named(outputs)), signature(**inputs)
    contracts.require(set(got) == set(expected), f"{name} returns {_listed(got)}")
    for key, value in expected.items():
        contracts.require(_same(got[key], value), f"{key} of {name} is not what the call returns")


def return_what_calls_return(model: loaded_models.Model) -> str:
    """Whatever inputs and outputs are called, each signature that is promised returns a call's."""
    count = 0
    for name, calls in _promised(model).items():
        if name not in model.loaded.signatures:  # Which the clause on names tells.
            continue
        signature = model.loaded.signatures[name]
        for inputs, outputs in calls:
            given = _given(signature, inputs)
            if given is None:
                taken = _listed(signature.structured_input_signature[1])
                raise contracts.NotChecked(f"{name} takes {taken}")
            others = _others(signature(**given), outputs)
            contracts.require(not others, f"no outputs of the call: {_told(name, others)}")
            count += 1
    return f"{count} calls"


def extra_ones_are_calls(model: loaded_models.Model) -> str:
    """Signatures that are not promised are those of calls, too."""
    known = {*_promised(model), _OUTPUTS} if _embeds(model) else {*_promised(model)}
    extra = {n: s for n, s in model.loaded.signatures.items() if n not in known}
    calls = [call for calls in _promised(model).values() for call in calls]
    for name, signature in sorted(extra.items()):
        runs = [(given, out) for i, out in calls if (given := _given(signature, i)) is not None]
        contracts.require(bool(runs), f"{name} takes {_listed_inputs(signature)}")
        for given, outputs in runs:
            others = _others(signature(**given), outputs)
            contracts.require(not others, f"no outputs of a call: {_told(name, others)}")
    return ", ".join(sorted(extra)) or "there are none"


def _promised(model: loaded_models.Model) -> dict[str, list[tuple[loaded_models.Inputs, Outputs]]]:
    """Returns inputs and what the calls make of them, by the signatures for these."""
    if model.kind not in loaded_models.ENCODERS:
        texts = [tf.constant(texts) for texts in (_TEXTS, _ONE_TEXT)]
        return {_DEFAULT: [({"sentences": t}, _as_dict(model.loaded(t))) for t in texts]}
    short = model.on(model.inputs(1, min(_SHORT, model.longest)))
    both = (model, short)
    found: dict[str, list[tuple[loaded_models.Inputs, Outputs]]]
    found = {_DEFAULT: [(each.batch, each.outputs) for each in both]}
    if model.kind == loaded_models.MLM:
        found[_MLM] = [(each.mlm_inputs, each.mlm_outputs) for each in both]
    return found


def _as_dict(returned: Any) -> Outputs:
    return returned if isinstance(returned, Mapping) else {"default": returned}


def _given(signature: Any, inputs: loaded_models.Inputs) -> loaded_models.Inputs | None:
    """Returns the inputs by a signature's names: a single one may be called anything."""
    taken = signature.structured_input_signature[1]
    if len(taken) == len(inputs) == 1:
        ((name, spec),), (value,) = taken.items(), inputs.values()
        return {name: value} if spec.is_compatible_with(value) else None
    if taken.keys() != inputs.keys():
        return None
    return inputs if all(taken[n].is_compatible_with(v) for n, v in inputs.items()) else None


def _others(got: Outputs, outputs: Outputs) -> list[str]:
    known = [value for _, value in named(outputs)]
    return [n for n, value in sorted(got.items()) if not any(_same(value, k) for k in known)]


def _same(value: tf.Tensor, other: tf.Tensor) -> bool:
    if value.shape != other.shape or value.dtype != other.dtype:
        return False
    if not value.dtype.is_floating:
        return bool(np.array_equal(value, other))
    return bool(np.allclose(value, other, rtol=0, atol=LIMIT, equal_nan=True))


def _told(name: str, outputs: list[str]) -> str:
    return f"{', '.join(outputs)} of {name}"


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"


def _listed_inputs(signature: Any) -> str:
    return _listed(signature.structured_input_signature[1])


def _embeds(model: loaded_models.Model) -> bool:
    return model.kind == loaded_models.TEXT_EMBEDDING


def outputs_of_text(model: loaded_models.Model) -> str:
    """The signature `outputs` returns the vectors, and what they are made from."""
    signature = model.loaded.signatures.get(_OUTPUTS)
    if signature is None:
        return "there is no such signature"
    text = tf.constant(_TEXTS)
    given = _given(signature, {"sentences": text})
    if given is None:
        raise contracts.NotChecked(f"it takes {_listed_inputs(signature)}")
    got = {name: np.asarray(value) for name, value in signature(**given).items()}
    missing = {"default", "pooled_output", "sequence_output"} - got.keys()
    contracts.require(not missing, f"no {', '.join(sorted(missing))} among {_listed(got)}")
    vectors = np.asarray(model.loaded(text))
    contracts.require(_close(got["default"], vectors), "its default is not what the call returns")
    for name, value in got.items():
        contracts.require(bool(np.all(np.isfinite(value))), f"{name} has NaN or infinite values")
        rows = value.reshape(len(value), -1)
        contracts.require(not _close(rows[0], rows[2]), f"{name} is the same for other texts")
    return _way(model, vectors, got["pooled_output"], got["sequence_output"])


def _close(value: np.ndarray, other: np.ndarray) -> bool:
    return value.shape == other.shape and np.allclose(value, other, rtol=0, atol=LIMIT)


def _way(
    model: loaded_models.Model, vectors: np.ndarray, pooled: np.ndarray, tokens: np.ndarray
) -> str:
    """Tells which of the outputs the vectors are made from, which must be as the manifest says."""
    chosen = _chosen_vector(model.path)
    ways = [name for name, fits in _ways(vectors, pooled, tokens) if fits]
    if chosen is None:
        return ways[0] if ways else "made in a way that the outputs do not tell"
    if chosen != "mean_of_last_layers":  # Whose layers are not among them.
        contracts.require(chosen in ways, f"the vectors are not made from {chosen}")
    return chosen


def _ways(
    vectors: np.ndarray, pooled: np.ndarray, tokens: np.ndarray
) -> Iterator[tuple[str, bool]]:
    def fits(found: np.ndarray) -> bool:
        norm = np.linalg.norm(found, axis=-1, keepdims=True)
        return _close(found, vectors) or _close(found / np.maximum(norm, 1e-12), vectors)

    yield "pooled_output", fits(pooled)
    yield "first_token", fits(tokens[:, 0])
    # How many of a text's outputs are tokens, they do not tell.
    counts = np.arange(1, tokens.shape[1] + 1)[:, np.newaxis]
    means = [np.cumsum(row, axis=0) / counts for row in tokens]
    norms = [np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-12) for mean in means]
    yield (
        "mean",
        all(
            any(_close(one, vector) for one in mean) or any(_close(one, vector) for one in mean / n)
            for mean, n, vector in zip(means, norms, vectors, strict=True)
        ),
    )


def _chosen_vector(path: str) -> str | None:
    """Returns what the manifest says of how vectors are made, if it does."""
    return ((manifests.read(path) or {}).get("text_embedding") or {}).get("vector")


def serve_is_the_call(model: loaded_models.Model) -> str:
    """Where there is `serve`, it is the call, for whichever `training` it takes."""
    serve = getattr(model.loaded, _SERVE, None)
    if serve is None:
        return "there is none"
    if serve is model.loaded.__call__:
        return "it is the call"
    inputs: Any = dict(model.batch) if model.kind in loaded_models.ENCODERS else tf.constant(_TEXTS)
    taken = [training for training in _TRAINING if _takes(serve, inputs, training)]
    contracts.require({} in taken or {"training": False} in taken, "it cannot be called")
    repeated = repeated_draws.of(model).loaded
    for training in taken:
        expected = _as_dict(repeated(inputs, **training))
        got = _as_dict(getattr(repeated, _SERVE)(inputs, **training))
        others = _unequal(expected, got)
        given = f"training={training['training']}" if training else "no training given"
        contracts.require(not others, f"with {given}, another {', '.join(others)}")
    return f"{len(taken)} calls"


def _takes(call: Callable[..., Any], inputs: Any, training: Mapping[str, bool]) -> bool:
    try:
        call(inputs, **training)
    except (TypeError, ValueError):  # There is no such trace.
        return False
    return True


def _unequal(expected: Outputs, got: Outputs) -> list[str]:
    ours, theirs = dict(named(expected)), dict(named(got))
    names = sorted(ours.keys() | theirs.keys())
    return [n for n in names if n not in ours or n not in theirs or not _same(ours[n], theirs[n])]
