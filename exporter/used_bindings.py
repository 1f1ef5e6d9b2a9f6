"""Whether what gin says of an encoder had an effect when it was built.

Gin gives a binding to whatever is called, and keeps silent if nothing is or the caller gives the
argument itself. Here what was bound is compared with what was called, by gin's own records.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gin
import tensorflow as tf
import tf_keras
from official.modeling.hyperparams import base_config

from exporter import errors, pretraining_gin

_BUILD_ENCODER = "official.nlp.configs.encoders.build_encoder"
_PRETRAINER = "official.nlp.modeling.models.bert_pretrainer.BertPretrainerV2"
_CONFIGURATIONS = "encoders."
_TF_NLP = ("official.nlp.configs.", "official.nlp.modeling.", _CONFIGURATIONS)
_SCALARS = (bool, int, float, str)
_MISSING = object()

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Bound:
    """A parameter that gin has a value for.

    Attributes:
      scope: Scopes joined by "/", or "".
      selector: The configurable's full name.
      parameter: The parameter.
      value: What it is bound to, as gin keeps it.
    """

    scope: str
    selector: str
    parameter: str
    value: Any

    @property
    def setting(self) -> str:
        """The name without modules: "scope/EncoderScaffold.hidden_cls"."""
        scope = f"{self.scope}/" if self.scope else ""
        return f"{scope}{short(self.selector)}.{self.parameter}"

    @property
    def full_setting(self) -> str:
        """The name with all modules."""
        scope = f"{self.scope}/" if self.scope else ""
        return f"{scope}{self.selector}.{self.parameter}"


class _Built:
    """An encoder's network."""

    def __init__(self, network: tf_keras.layers.Layer) -> None:
        self._network = network

    @functools.cached_property
    def modules(self) -> Sequence[tf.Module]:
        """It and all layers in it; to find them takes a while."""
        return (self._network, *self._network.submodules)


def check(network: tf_keras.layers.Layer, *, with_mlm: bool) -> list[errors.UserError]:
    """Returns a mistake for each binding of the encoder's that had no effect.

    What is bound to its default is none: a run's operative_config.*.gin lists all defaults. Nor is
    what a pre-training run recorded and its user did not say: that is logged.

    Args:
      network: What was built.
      with_mlm: Whether it was built with the masked-language-model head.
    """
    recorded = pretraining_gin.applied_settings()
    built = _Built(network)
    mistakes = []
    for bound in _bound():
        if not _is_of_encoder(bound.selector, with_mlm) or _is_default(bound):
            continue
        reason = _reason(bound, built)
        if reason is None:
            continue
        if bound.full_setting in recorded:
            _logger.info("%s, which the run recorded, has no effect: %s", bound.setting, reason)
        else:
            mistakes.append(_mistake(bound, reason))
    return mistakes


def _bound() -> Iterator[_Bound]:
    # Gin has no public way to list what it was told and what it called.
    for (scope, selector), parameters in sorted(gin.config._CONFIG.items()):
        for parameter, bound in sorted(parameters.items()):
            yield _Bound(scope, selector, parameter, bound)


def calls(selector: str, scope: str = "") -> list[Mapping[str, Any]]:
    """Returns the parameters that gin gave, or could have given, to each call of a configurable.

    Args:
      selector: The configurable's full name.
      scope: Calls in this scope and those inside of it.

    Returns:
      Values by parameter, for each scope that it was called in; arguments that its caller gave in
      every call are not among them.
    """
    return [
        parameters
        for (called_in, name), parameters in gin.config._OPERATIVE_CONFIG.items()
        if name == selector and f"{called_in}/".startswith(f"{scope}/" if scope else "")
    ]


def _is_of_encoder(selector: str, with_mlm: bool) -> bool:
    if selector == _PRETRAINER:
        return with_mlm
    if selector.startswith(_TF_NLP):
        return True
    target = gin.config._REGISTRY[selector].wrapped
    return inspect.isclass(target) and issubclass(target, tf.Module | base_config.Config)


def _is_default(bound: _Bound) -> bool:
    target = gin.config._REGISTRY[bound.selector].wrapped
    function = target.__init__ if inspect.isclass(target) else target
    parameter = inspect.signature(inspect.unwrap(function)).parameters.get(bound.parameter)
    if parameter is None or type(parameter.default) is not type(bound.value):
        return False
    return repr(parameter.default) == repr(bound.value)


def _reason(bound: _Bound, built: _Built) -> str | None:
    """Says why a binding had no effect; None if it had one."""
    made = calls(bound.selector, bound.scope)
    if not made:
        return _why_not_called(bound)
    given = [call[bound.parameter] for call in made if bound.parameter in call]
    name = short(bound.selector)
    if not given:
        return (
            f"TF-NLP gives {name} its {bound.parameter} itself, from the encoder's configuration "
            "or a layer above"
        )
    if not any(value is bound.value or value == bound.value for value in given):
        return "another binding, in the scope of the call, comes before it"
    return _why_replaced(bound, built) or _why_ignored(bound)


def _why_not_called(bound: _Bound) -> str:
    name = short(bound.selector)
    if bound.selector == _PRETRAINER:
        return "the head is made as mlm.mlm_activation and the run's params.yaml say"
    if bound.selector.startswith(_CONFIGURATIONS):
        return f"encoder.config = @{name}() is not set, and the configuration came from elsewhere"
    elsewhere = f", in the scope {bound.scope}" if bound.scope else ""
    if bound.scope and calls(bound.selector):
        return f"no {name} was made{elsewhere}"
    users = [other for other in _bound() if bound.selector in referred_to(other.value)]
    if not users:
        return f"no {name} was made, for no parameter is set to @{name}"
    named = ", ".join(dict.fromkeys(user.setting for user in users))
    return f"no {name} was made, though it is the value of {named}"


def _why_replaced(bound: _Bound, built: _Built) -> str | None:
    """Looks at what was made: TF-NLP's layers keep an argument as an attribute of its name."""
    target = gin.config._REGISTRY[bound.selector].wrapped
    value = resolved(bound.value)
    if not inspect.isclass(target) or not isinstance(value, _SCALARS):
        return None
    modules = [module for module in built.modules if isinstance(module, target)]
    kept = [vars(module).get(f"_{bound.parameter}", _MISSING) for module in modules]
    if not kept or any(type(other) not in _SCALARS or other == value for other in kept):
        return None
    return (
        f"{short(bound.selector)} was made with {bound.parameter} = {kept[0]!r}, by another "
        "argument that means the same"
    )


def _why_ignored(bound: _Bound) -> str | None:
    """Finds layers that were given and not made."""
    for selector in referred_to(bound.value):
        target = gin.config._REGISTRY[selector].wrapped
        is_layer = inspect.isclass(target) and issubclass(target, tf.Module)
        if not is_layer or calls(selector):
            continue
        if bound.selector == _BUILD_ENCODER and bound.parameter == "encoder_cls":
            return (
                "TF-NLP's build_encoder takes an encoder_cls only if that is called "
                "EncoderScaffold, or if build_encoder.bypass_config = True"
            )
        return f"no {short(selector)} was made"
    return None


def called() -> list[str]:
    """Returns the full names of the configurables of TF-NLP's encoders that were called."""
    names = {name for _, name in gin.config._OPERATIVE_CONFIG}
    return sorted(name for name in names if name.startswith(_TF_NLP))


def resolved(value: Any) -> Any:
    """Returns what a value stands for that gin keeps: a macro's value, or the value itself."""
    if not isinstance(value, gin.config.ConfigurableReference):
        return value
    scope, selector = value.config_key
    if selector != "gin.macro":
        return value
    return resolved(gin.config._CONFIG.get((scope, selector), {}).get("value"))


def referred_to(value: Any) -> Iterator[str]:
    """Yields the full names of the configurables in a value, by way of macros or not."""
    value = resolved(value)
    if isinstance(value, gin.config.ConfigurableReference):
        yield value.config_key[1]
    elif isinstance(value, dict):
        for item in value.values():
            yield from referred_to(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from referred_to(item)


def short(selector: str) -> str:
    """Returns as much of a full name as tells it from others."""
    return gin.config._REGISTRY.minimal_selector(selector)


def _mistake(bound: _Bound, reason: str) -> errors.UserError:
    return errors.UserError(
        f"What is set for an encoder must have an effect. This has none: {reason}.",
        received=f"{bound.setting} = {bound.value!r}",
        setting=bound.setting,
    )
