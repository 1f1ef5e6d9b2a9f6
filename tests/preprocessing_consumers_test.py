from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from tests import preprocessing_exports as made


@pytest.fixture(scope="module", name="exports")
def _exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], made.Export]:
    return made.maker(tmp_path_factory)


@pytest.fixture(scope="module", params=made.KINDS, name="export")
def _export(request: pytest.FixtureRequest, exports: Callable[[str], made.Export]) -> made.Export:
    return exports(request.param)


def test_in_dataset(export: made.Export) -> None:
    def pair(text: tf.Tensor, other: tf.Tensor) -> dict[str, tf.Tensor]:
        loaded = export.loaded
        segments = [loaded.tokenize(text), loaded.tokenize(other)]
        return loaded.bert_pack_inputs(segments, seq_length=tf.constant(made.LENGTH))

    dataset = tf.data.Dataset.from_tensor_slices((made.TEXTS, made.OTHERS)).repeat(20).batch(2)
    singles = dataset.map(lambda text, _: export.loaded(text), num_parallel_calls=4)
    pairs = dataset.map(pair, num_parallel_calls=4, deterministic=True)
    for actual, expected in (
        (singles, made.expected(export, made.TEXTS)),
        (pairs, made.expected(export, made.TEXTS, made.OTHERS)),
    ):
        rows = next(iter(actual.unbatch().batch(100)))
        made.assert_same(rows, {name: np.tile(t, [20, 1]) for name, t in expected.items()})


def test_keras_layers_of_hub(export: made.Export) -> None:
    text = tf_keras.Input([], dtype=tf.string)
    loaded = hub.load(export.path)
    packed = hub.KerasLayer(loaded, arguments={"seq_length": 9}, trainable=True)(text)
    plain = hub.KerasLayer(export.path)(text)
    tokens = hub.KerasLayer(loaded.tokenize)(text)
    pack = hub.KerasLayer(loaded.bert_pack_inputs, arguments={"seq_length": 9})
    assert packed["input_word_ids"].shape.as_list() == [None, 9]
    assert plain["input_word_ids"].shape.as_list() == [None, made.LENGTH]
    model = tf_keras.Model(text, [packed, plain, pack([tokens, tokens])])
    for training in (True, False):
        results = model(tf.constant(made.TEXTS), training=training)
        made.assert_same(results[0], made.expected(export, made.TEXTS, seq_length=9))
        made.assert_same(results[1], made.expected(export, made.TEXTS))
        made.assert_same(results[2], made.expected(export, made.TEXTS, made.TEXTS, seq_length=9))
    assert not model.weights


def test_under_mirrored_strategy(export: made.Export) -> None:
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([devices[0].name])
    with strategy.scope():
        loaded = tf.saved_model.load(export.path)
    dataset = tf.data.Dataset.from_tensor_slices(made.TEXTS).batch(5).map(loaded)
    batch = next(iter(strategy.experimental_distribute_dataset(dataset)))
    made.assert_same(batch, made.expected(export, made.TEXTS))


def test_saved_again_in_another_model(export: made.Export, tmp_path: pathlib.Path) -> None:
    first = str(tmp_path / "first")
    shutil.copytree(export.path, first)
    outer = tf.Module()
    outer.part = tf.saved_model.load(first)
    part = outer.part

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def call(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return part(text, seq_length=9)

    outer.__call__ = call
    tf.saved_model.save(outer, str(tmp_path / "second"))
    shutil.rmtree(first)
    (tmp_path / "second").rename(tmp_path / "third")

    loaded = tf.saved_model.load(str(tmp_path / "third"))

    made.assert_same(
        loaded(tf.constant(made.TEXTS)), made.expected(export, made.TEXTS, seq_length=9)
    )
    made.assert_same(loaded.part(tf.constant(made.TEXTS)), made.expected(export, made.TEXTS))
    files = {path.name for path in (tmp_path / "third" / "assets").iterdir()}
    assert files == {path.name for path in pathlib.Path(export.path, "assets").glob("*")}


def test_parts_outlive_the_root(export: made.Export) -> None:
    tokenize = tf.saved_model.load(export.path).tokenize
    text = tf.constant(made.TEXTS)
    assert tokenize(text).to_list() == export.reference(text).to_list()


def test_keras_3_and_sessions(
    exports: Callable[[str], made.Export], tmp_path: pathlib.Path
) -> None:
    both = [exports("uncased"), exports("sentencepiece")]
    keras = made.start(
        """
        import sys
        import tensorflow as tf, tensorflow_text, keras
        assert keras.__version__.startswith("3.")
        for path in sys.argv[1:]:
            layer = keras.layers.TFSMLayer(path)
            signature = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
            text = keras.Input([], dtype="string")
            model = keras.Model(text, [layer(text), signature(text)])
            outputs, others = model(tf.constant(["the list", "a"]))
            assert all((outputs[name].numpy() == others[name].numpy()).all() for name in outputs)
            print({name: tensor.numpy().tolist() for name, tensor in sorted(outputs.items())})
        """,
        *(export.path for export in both),
    )
    sessions = made.start(
        """
        import contextlib, sys
        import tensorflow_text
        from tensorflow.python.tools import saved_model_cli
        folder, *paths = sys.argv[1:]
        for i, path in enumerate(paths):
            sys.argv[1:] = ["run", "--dir", path, "--tag_set=serve", f"--outdir={folder}/{i}",
                "--signature_def=serving_default", "--input_exprs=sentences=['the list', 'a']"]
            with contextlib.suppress(SystemExit):  # It also ends well with this.
                saved_model_cli.main()
        """,
        str(tmp_path),
        *(export.path for export in both),
        TF_USE_LEGACY_KERAS="1",
    )
    expected = [made.expected(export, ["the list", "a"]) for export in both]
    assert made.finish(keras).splitlines() == [
        str({name: packed[name].numpy().tolist() for name in sorted(made.NAMES)})
        for packed in expected
    ]
    made.finish(sessions)
    for i, packed in enumerate(expected):
        made.assert_same(
            {name: np.load(tmp_path / str(i) / f"{name}.npy") for name in made.NAMES}, packed
        )
