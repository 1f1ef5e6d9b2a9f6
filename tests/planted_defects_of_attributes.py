"""Broken lists, heads and signatures of encoders; and pairs that do not fit."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from exporter import encoder_modules
from tests import testing, written_models
from tests.planted_defects import (
    EMBEDDING,
    ENCODER,
    PAIR,
    VOCABULARY,
    Defect,
    Plant,
    Right,
    changed,
    copied,
    encoder,
    write,
)

_POSITIONS = encoder_modules.POSITIONS_NAME
_LOGITS = "mlm_logits"


def _logits(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Plant:
    """Returns what writes an encoder whose `.mlm` changes its outputs."""

    def mlm(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
        outputs = right(inputs, training)
        return {**outputs, **change(outputs)}

    return encoder(mlm=mlm)


def _without_gradients(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
    return tf.nest.map_structure(tf.stop_gradient, right(inputs, training))


def _first_positions(right: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
    return right({**inputs, _POSITIONS: tf.zeros_like(inputs[_POSITIONS])}, training)


_HEADS = (
    ("positions of masks ignored", encoder(mlm=_first_positions), "mlm: positions are honoured"),
    (
        "logits of fewer words",
        _logits(lambda o: {_LOGITS: o[_LOGITS][..., :-1]}),
        "mlm: logits of the positions and words",
    ),
    (
        "logits by another name",
        _logits(lambda o: {_LOGITS: o["default"]}),
        "mlm: logits of the positions and words",
    ),
    (
        "gradients of .mlm stopped",
        encoder(mlm=_without_gradients),
        "mlm variables: gradients reach the trainable ones",
    ),
    (
        ".mlm of another encoder",
        _logits(lambda o: {"sequence_output": 1.1 * o["sequence_output"]}),
        "mlm: the other outputs are the root's",
    ),
)


def _no(name: str) -> Callable[[Any], None]:
    return lambda module: delattr(module, name)


def _head_among_variables(module: Any) -> None:
    module.variables = list(module.mlm.variables)


def _variable_missing(module: Any) -> None:
    module.variables = list(module.variables)[:-1]
    module.trainable_variables = list(module.trainable_variables)[:-1]


def _casing_to_be_trained(module: Any) -> None:
    module.trainable_variables = [*module.trainable_variables, module.do_lower_case]


def _twice(module: Any) -> None:
    module.variables = [*module.variables, module.variables[0]]


def _nothing_to_be_trained(module: Any) -> None:
    module.trainable_variables = []


def _loss_of_a_vector(module: Any) -> None:
    loss = tf.function(lambda: tf.zeros([2]), input_signature=[])
    module.regularization_losses = [loss]


def _casing_an_integer(module: Any) -> None:
    module.do_lower_case = tf.Variable(1, trainable=False)


def _head_of_its_own(module: Any) -> None:
    """Only the head's variables are on the lists of `.mlm`."""
    own = len(module.variables)
    module.mlm.variables = list(module.mlm.variables)[own:]
    module.mlm.trainable_variables = list(module.mlm.trainable_variables)[own:]


def _head_twice(module: Any) -> None:
    module.mlm.trainable_variables = [*module.mlm.trainable_variables] * 2


def _signature_of_layer(module: Any) -> None:
    right = module.signatures()

    def signatures() -> dict[str, Any]:
        specs = [tf.TensorSpec([None, None], tf.int32, name=name) for name in testing.INPUT_NAMES]

        @tf.function(input_signature=specs)
        def serving_default(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs = module._call(dict(zip(testing.INPUT_NAMES, inputs, strict=True)))
            return {"default": 2.0 * outputs["pooled_output"]}

        return {**right, "serving_default": serving_default}

    module.signatures = signatures


def _path_among_values(module: Any) -> None:
    module.origin = tf.Variable("/scratch/someone/run/ckpt-1", trainable=False)


def _signature_of_head(module: Any) -> None:
    right = module.signatures()

    def signatures() -> dict[str, Any]:
        names = (*testing.INPUT_NAMES, _POSITIONS)
        specs = [tf.TensorSpec([None, None], tf.int32, name=name) for name in names]

        @tf.function(input_signature=specs)
        def mlm(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs = module._call_mlm(dict(zip(names, inputs, strict=True)))
            return {_LOGITS: tf.nn.log_softmax(outputs[_LOGITS])}

        return {**right, "mlm": mlm}

    module.signatures = signatures


def _serve(change: Callable[[Any, dict[str, tf.Tensor], bool], Any]) -> Callable[[Any], None]:
    """Returns what makes `serve` another function than the call."""

    def edit(module: Any) -> None:
        trace = module.trace
        serve = tf.function(
            lambda inputs, training=False: change(module._call, inputs, training), autograph=False
        )

        def trace_both() -> None:
            trace()
            specs = {n: tf.TensorSpec([None, None], tf.int32, name=n) for n in testing.INPUT_NAMES}
            for training in (False, True):
                serve.get_concrete_function(specs, training=training)

        module.serve, module.trace = serve, trace_both

    return edit


def _one_type(call: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
    types = tf.zeros_like(inputs["input_type_ids"])
    return call({**inputs, "input_type_ids": types}, training)


def _no_dropout(call: Any, inputs: dict[str, tf.Tensor], training: bool) -> Any:
    return call(inputs, training=False)


def _outputs_of_embedding(change: Callable[[tf.Tensor], tf.Tensor], name: str) -> Plant:
    def edit(module: Any) -> None:
        right = module._outputs.value

        def outputs(text: tf.Tensor) -> dict[str, Any]:
            found = right(text)
            return {**found, name: change(found[name])}

        module._outputs.value = outputs

    return changed(EMBEDDING, edit)


_READ = "variables: those that the call reads"
_AMONG = "variables: trainable ones are among all"
_ATTRIBUTES = (
    ("no list of variables", _no("variables"), "variables: the lists are there"),
    (
        "no list of trainable variables",
        _no("trainable_variables"),
        "variables: the lists are there",
    ),
    ("no list of losses", _no("regularization_losses"), "variables: the lists are there"),
    ("head's variables on the root's list", _head_among_variables, _READ),
    ("a variable missing on the list", _variable_missing, _READ),
    ("a variable on the list twice", _twice, _AMONG),
    ("casing is to be trained", _casing_to_be_trained, _AMONG),
    ("nothing is to be trained", _nothing_to_be_trained, _AMONG),
    ("a loss that is no scalar", _loss_of_a_vector, "variables: regularization losses are scalars"),
    (
        "encoder's variables not on .mlm's list",
        _head_of_its_own,
        "mlm variables: those that the call reads",
    ),
    (
        "head's variables on the list twice",
        _head_twice,
        "mlm variables: trainable ones are among all",
    ),
    ("a path among the values", _path_among_values, "files: none tells of a machine"),
    ("no vocabulary", _no("vocab_file"), "assets: the vocabulary"),
    ("no casing", _no("do_lower_case"), "assets: do_lower_case"),
    ("casing an integer", _casing_an_integer, "assets: do_lower_case"),
    (
        "signature of the head's something else",
        _signature_of_head,
        "signatures: return what the calls return",
    ),
    ("serve of one type", _serve(_one_type), "serve: is the call"),
    ("serve without dropout", _serve(_no_dropout), "serve: is the call"),
    (
        "signature of something else",
        _signature_of_layer,
        "signatures: return what the calls return",
    ),
)


def _pair(change: Callable[[pathlib.Path], None]) -> Plant:
    return copied(PAIR, change)


def _in_encoder(path: pathlib.Path, change: Callable[[list[str]], list[str]]) -> None:
    asset = path / "encoder" / "assets" / "vocab.txt"
    lines = asset.read_text(encoding="utf-8").split("\n")
    asset.write_text("\n".join(change(lines)), encoding="utf-8")


def _piece_changed(path: pathlib.Path) -> None:
    _in_encoder(path, lambda lines: [*lines[:100], "another", *lines[101:]])


def _another_encoder(right: Right, path: pathlib.Path) -> None:
    """Of a smaller vocabulary, for shorter sequences."""
    shutil.copytree(right.path(PAIR), path)
    shutil.rmtree(path / "encoder")
    shutil.copytree(right.path(ENCODER), path / "encoder")


def _other_casing(right: Right, path: pathlib.Path) -> None:
    shutil.copytree(right.path(PAIR), path)
    shutil.rmtree(path / "encoder")
    module = encoder_modules.EncoderModule(
        right.fitting.encoder, vocab_file=str(VOCABULARY), do_lower_case=False
    )
    write(module, path / "encoder", right.fitting)


def _long_preprocessing(right: Right, path: pathlib.Path) -> None:
    shutil.copytree(right.path(PAIR), path)
    shutil.rmtree(path / "preprocessing")
    module = right.preprocessing(default_seq_length=64)
    written_models.write(module, str(path / "preprocessing"))


def _embedding_of_another_layer(right: Right, path: pathlib.Path) -> None:
    shutil.copytree(right.path(PAIR), path)
    shutil.rmtree(path / "text_embedding")
    module = right.embedding()
    embed = module.__dict__["__call__"]
    module.__call__ = tf.function(lambda text, training=False: 2.0 * embed(text, training))
    write(module, path / "text_embedding", right.fitting)


_PAIRS = (
    ("a preprocessing for more words", _another_encoder, "ids: have embeddings"),
    (
        "ids that the encoder fails on",
        _another_encoder,
        "preprocessing: its outputs are the encoder's inputs",
    ),
    ("vocabularies of other pieces", _pair(_piece_changed), "vocabulary: the same"),
    ("casing of one alone", _other_casing, "casing: the same"),
    (
        "a text embedding of something else",
        _embedding_of_another_layer,
        "text embedding: is both in one",
    ),
    ("a preprocessing for longer sequences", _long_preprocessing, "lengths: fit"),
)

DEFECTS = (
    *(Defect(name, ENCODER, plant, found_by) for name, plant, found_by in _HEADS),
    *(
        Defect(n, ENCODER, encoder(edit=edit, with_mlm="mlm" in found_by or "head" in n), found_by)
        for n, edit, found_by in _ATTRIBUTES
    ),
    Defect(
        "outputs beside the vectors empty",
        EMBEDDING,
        _outputs_of_embedding(tf.zeros_like, "sequence_output"),
        "signatures: vectors and what they are made from",
    ),
    *(Defect(name, PAIR, plant, found_by) for name, plant, found_by in _PAIRS),
)
