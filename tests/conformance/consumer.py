"""Uses exports as their users do, in a process that knows nothing of the exporter.

    python consumer.py keras2 EXPORTS OUTPUTS
    python consumer.py keras3 EXPORTS OUTPUTS

EXPORTS holds a folder for each export: `model`, the SavedModel; `inputs.npz`; `mlm_inputs.npz`
where there is `.mlm`; an empty file `train` where it is to be trained, too. What each way of using
them returns is written to OUTPUTS/EXPORT.WAY.npz, with `encoder_outputs_0` and so on for the list.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

LEARNING_RATE = 0.1
# The names of the ways by the Keras that they need.
WAYS: dict[str, dict[str, Callable[[pathlib.Path], Mapping[str, Any]]]] = {
    "keras2": {},
    "keras3": {},
}


def _way(keras: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        WAYS[keras][function.__name__] = function
        return function

    return register


def _inputs(export: pathlib.Path, name: str = "inputs") -> dict[str, Any]:
    import tensorflow as tf

    with np.load(export / f"{name}.npz") as arrays:
        return {key: tf.constant(array) for key, array in arrays.items()}


@_way("keras2")
def saved_model_load(export: pathlib.Path) -> Mapping[str, Any]:
    """TensorFlow alone."""
    import tensorflow as tf

    return tf.saved_model.load(str(export / "model"))(_inputs(export))


@_way("keras2")
def hub_load(export: pathlib.Path) -> Mapping[str, Any]:
    """TF Hub."""
    import tensorflow_hub as hub

    return hub.load(str(export / "model"))(_inputs(export))


@_way("keras2")
def hub_load_mlm(export: pathlib.Path) -> Mapping[str, Any]:
    """The masked-language-model head."""
    import tensorflow_hub as hub

    return hub.load(str(export / "model")).mlm(_inputs(export, "mlm_inputs"))


@_way("keras2")
def hub_keras_layer(export: pathlib.Path) -> Mapping[str, Any]:
    """A layer in a functional model."""
    import tensorflow as tf
    import tensorflow_hub as hub
    import tf_keras

    inputs = _inputs(export)
    symbolic = {name: tf_keras.Input([None], dtype=tf.int32, name=name) for name in inputs}
    layer = hub.KerasLayer(str(export / "model"), trainable=True)
    return tf_keras.Model(symbolic, layer(symbolic))(inputs)


@_way("keras2")
def saved_model_cli(export: pathlib.Path) -> Mapping[str, Any]:
    """`saved_model_cli run` on the default signature."""
    return _saved_model_cli(export, "serving_default", "inputs")


@_way("keras2")
def saved_model_cli_mlm(export: pathlib.Path) -> Mapping[str, Any]:
    """`saved_model_cli run` on the signature of the masked-language-model head."""
    return _saved_model_cli(export, "mlm", "mlm_inputs")


def _saved_model_cli(export: pathlib.Path, signature: str, name: str) -> Mapping[str, Any]:
    from tensorflow.python.tools import saved_model_cli

    outputs = export / f"{signature}_outputs"
    outputs.mkdir()
    file = export / f"{name}.npz"
    arguments = [
        "run",
        f"--dir={export / 'model'}",
        "--tag_set=serve",
        f"--signature_def={signature}",
        "--inputs=" + ";".join(f"{key}={file}[{key}]" for key in np.load(file)),
        f"--outdir={outputs}",
    ]
    saved_model_cli.create_parser().parse_args(arguments).func()
    return {path.stem: np.load(path) for path in outputs.iterdir()}


@_way("keras2")
def mirrored_strategy(export: pathlib.Path) -> Mapping[str, Any]:
    """Two replicas, the batch divided between them."""
    import tensorflow as tf

    strategy, model = _mirrored(export)
    call = tf.function(lambda inputs: strategy.run(model, args=(inputs,)))
    outputs = call(_divided(strategy, _inputs(export)))
    rows: dict[str, Any] = {}
    for name, value in outputs.items():
        parts = [value] if not isinstance(value, list) else value
        whole = [tf.concat(strategy.experimental_local_results(part), axis=0) for part in parts]
        rows[name] = whole if isinstance(value, list) else whole[0]
    return rows


@_way("keras2")
def mirrored_strategy_training(export: pathlib.Path) -> Mapping[str, Any]:
    """What the model returns after a step of gradient descent, the gradients summed up."""
    import tensorflow as tf
    import tf_keras

    strategy, model = _mirrored(export)
    with strategy.scope():
        optimizer = tf_keras.optimizers.legacy.SGD(LEARNING_RATE)
    inputs = _inputs(export)

    def update(inputs: Mapping[str, tf.Tensor]) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(inputs, training=True)["pooled_output"]))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    @tf.function
    def step(inputs: Mapping[str, tf.Tensor]) -> None:
        strategy.run(update, args=(inputs,))

    step(_divided(strategy, inputs))
    return model(inputs)


def _mirrored(export: pathlib.Path) -> tuple[Any, Any]:
    import tensorflow as tf

    strategy = _strategy()
    with strategy.scope():
        return strategy, tf.saved_model.load(str(export / "model"))


@functools.cache
def _strategy() -> Any:
    """Two of them in one process would take each other's messages for their own."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def _divided(strategy: Any, inputs: Mapping[str, Any]) -> Any:
    return strategy.experimental_distribute_values_from_function(
        lambda context: {
            name: value[context.replica_id_in_sync_group :: context.num_replicas_in_sync]
            for name, value in inputs.items()
        }
    )


@_way("keras3")
def tfsm_layer(export: pathlib.Path) -> Mapping[str, Any]:
    """Keras 3."""
    return _tfsm_layer(export, "inputs")


@_way("keras3")
def tfsm_layer_mlm(export: pathlib.Path) -> Mapping[str, Any]:
    """Keras 3, with the masked-language-model head."""
    return _tfsm_layer(export, "mlm_inputs", call_endpoint="mlm")


def _tfsm_layer(export: pathlib.Path, name: str, **arguments: str) -> Mapping[str, Any]:
    import keras

    assert keras.__version__.startswith("3.")
    inputs = _inputs(export, name)
    # Signatures take several arguments, which this layer does not pass; objects take a dict.
    layer = keras.layers.TFSMLayer(str(export / "model"), **arguments)
    symbolic = {key: keras.Input([None], dtype="int32", name=key) for key in inputs}
    return keras.Model(symbolic, layer(symbolic))(inputs)


def _flat(outputs: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in outputs.items():
        if isinstance(value, list | tuple):
            for i, part in enumerate(value):
                yield f"{name}_{i}", np.asarray(part)
        else:
            yield name, np.asarray(value)


def main(keras: str, exports: str, outputs: str) -> None:
    """Uses each export in each way."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1" if keras == "keras2" else "0"
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    for export in sorted(pathlib.Path(exports).iterdir()):
        without = () if (export / "mlm_inputs.npz").exists() else ("_mlm",)
        without += () if (export / "train").exists() else ("_training",)
        for name, way in WAYS[keras].items():
            if name.endswith(without):
                continue
            print(export.name, name, file=sys.stderr, flush=True)
            # The command line prints all numbers.
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                result = dict(_flat(way(export)))
            np.savez(pathlib.Path(outputs) / f"{export.name}.{name}.npz", **result)
    assert not any(module.partition(".")[0] == "exporter" for module in sys.modules)


if __name__ == "__main__":
    main(*sys.argv[1:])
