"""Whether what an encoder's configuration says was asked for when the encoder was built.

With `build_encoder.encoder_cls` bound in gin, TF-NLP asks for a part of the configuration only, and
with `build_encoder.bypass_config = True` for nothing of it.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import gin
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import encoder_configs, errors, used_bindings

BUILD_ENCODER = "official.nlp.configs.encoders.build_encoder"
# What different classes of TF-NLP call the same.
_SAME = (
    ("vocab_size", "word_vocab_size"),
    ("type_vocab_size",),
    ("hidden_size",),
    ("max_position_embeddings", "max_sequence_length", "max_seq_length"),
    ("num_layers", "num_blocks", "num_hidden_instances"),
    ("embedding_size", "embedding_width", "word_embed_size"),
    ("intermediate_size", "inner_dim"),
    ("hidden_activation", "inner_activation", "intermediate_activation", "intermediate_act_fn"),
    ("dropout_rate", "output_dropout", "hidden_dropout_prob"),
    ("attention_dropout_rate", "attention_dropout", "attention_probs_dropout_prob"),
)
_LONGEST = ("max_position_embeddings", "max_sequence_length")
# What says how to train, and changes no output.
_HARMLESS = ("initializer_range", "use_gradient_checkpointing")


@contextlib.contextmanager
def recorded(config: tfnlp_encoders.EncoderConfig) -> Iterator[set[str]]:
    """While open, notes what is asked of the configuration of the encoder's type.

    Args:
      config: The configuration to build an encoder from.

    Yields:
      The names of the fields that have been asked for.
    """
    asked: set[str] = set()
    encoder = config.get()
    own = type(encoder)

    class Recorded(own):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            asked.add(name)
            return super().__getattribute__(name)

    object.__setattr__(encoder, "__class__", Recorded)
    try:
        yield asked
    finally:
        object.__setattr__(encoder, "__class__", own)


def as_built(architecture: encoder_configs.Architecture) -> encoder_configs.Architecture:
    """Describes an encoder that gin built without its configuration.

    Args:
      architecture: What it was to be built from.

    Returns:
      The same for any other encoder. Else its fields are what gin gave to the class; a longest
      sequence that gin does not know is None.
    """
    arguments = _bypassing()
    if arguments is None:
        return architecture
    config = copy.deepcopy(architecture.config)
    encoder = config.get()
    for field in dataclasses.fields(encoder):
        found = [arguments[name] for name in _synonyms(field.name) if name in arguments]
        if found and isinstance(found[0], type(getattr(encoder, field.name))):
            setattr(encoder, field.name, found[0])
        elif field.name in _LONGEST:
            setattr(encoder, field.name, None)  # The default would refuse longer sequences.
    return dataclasses.replace(architecture, config=config)


def check(
    architecture: encoder_configs.Architecture, asked: Iterable[str]
) -> list[errors.UserError]:
    """Returns a mistake for each field that is given and had no effect, and is not so anyway.

    What a pre-training run recorded had none in training either: that is no mistake.

    Args:
      architecture: What was to be built.
      asked: The fields that TF-NLP asked for when it built it.
    """
    encoder_cls = _encoder_cls()
    if encoder_cls is None or architecture.is_record:
        return []
    names = {field.name for field in dataclasses.fields(architecture.encoder)}
    defaults = type(architecture.encoder)()
    mistakes = []
    for name in sorted(names - set(asked) - set(_HARMLESS)):
        value = getattr(architecture.encoder, name)
        built = _built(name)
        if value == getattr(defaults, name) or value in built.values():
            continue
        mistakes.append(_mistake(name, value, encoder_cls, built, architecture))
    return mistakes


def _encoder_cls() -> str | None:
    """The full name of the class that gin builds encoders of, or None if it leaves that alone."""
    for call in used_bindings.calls(BUILD_ENCODER):
        reference = call.get("encoder_cls")
        if isinstance(reference, gin.config.ConfigurableReference):
            return next(used_bindings.referred_to(reference), None)
    return None


def _bypassing() -> Mapping[str, Any] | None:
    """The arguments of the class that was built without a configuration, or None."""
    bypassed = any(
        used_bindings.resolved(call.get("bypass_config"))
        for call in used_bindings.calls(BUILD_ENCODER)
    )
    selector = _encoder_cls() if bypassed else None
    made = used_bindings.calls(selector) if selector else []
    if not made:
        return None
    return {name: used_bindings.resolved(value) for name, value in made[-1].items()}


def _built(field: str) -> dict[str, Any]:
    """The values that gin gave for a field's synonyms, by class and parameter."""
    return {
        f"{used_bindings.short(selector)}.{name}": used_bindings.resolved(call[name])
        for selector in used_bindings.called()
        for call in used_bindings.calls(selector)
        for name in _synonyms(field)
        if name in call
    }


def _synonyms(field: str) -> tuple[str, ...]:
    return next((names for names in _SAME if field in names), (field,))


def _mistake(
    name: str,
    value: Any,
    encoder_cls: str,
    built: Mapping[str, Any],
    architecture: encoder_configs.Architecture,
) -> errors.UserError:
    instead = "; ".join(f"{parameter} = {other!r}" for parameter, other in built.items())
    return errors.UserError(
        "What an encoder's configuration says must have an effect. This has none: "
        f"build_encoder.encoder_cls = @{used_bindings.short(encoder_cls)} is built without it"
        + (f", with {instead}." if instead else "."),
        received=f"{name} = {value!r} in {architecture.source}",
        setting="build_encoder.encoder_cls",
    )
