"""What is told of a checkpoint that is not that of the encoder."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from exporter import (
    accounting,
    checkpoints,
    diagnosis,
    encoders,
    errors,
    structures,
    tf1_checkpoints,
)

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Misfit:
    """A checkpoint that is not that of the encoder.

    Attributes:
      checkpoint: The checkpoint.
      encoder: The encoder.
      keys: The keys of the stored values by the variables' references.
      missing: The variables without a value.
      unfit: The variables whose values have another shape or dtype.
      unexplained: The keys of values that have no place and no reason.
    """

    checkpoint: checkpoints.Checkpoint
    encoder: encoders.Encoder
    keys: Mapping[Any, str]
    missing: Sequence[tf.Variable]
    unfit: Sequence[tf.Variable]
    unexplained: Sequence[str]

    def error(self, setting: str) -> errors.UserError:
        """Tells all of it in one message, with the likely causes."""
        variables = self._variables()
        stored = self._stored()
        ours = structures.Structure({path: tuple(v.shape) for path, v in variables.items()})
        theirs = structures.Structure(
            {path: self.checkpoint.entries[key].shape for path, key in stored.items()},
            known_types=self._tf1_types(stored),
        )
        names = {v.ref(): ours.names[path] for path, v in variables.items()}
        key_names = {key: theirs.names[path] for path, key in stored.items()}
        differences = diagnosis.compare(
            {names[v.ref()]: self._shape(v) for v in [*self.missing, *self.unfit]},
            {names[v.ref()]: self._stored_shape(v) for v in self.unfit}
            | {
                key_names.get(key, accounting.shown(key)): str(self.checkpoint.entries[key].shape)
                for key in self.unexplained
            },
        )
        in_layers = [v for path, v in variables.items() if path.startswith(ours.layers)]
        causes = diagnosis.causes(
            ours,
            theirs,
            self.encoder.architecture,
            differences,
            layers_fit=any(v.ref() in self.keys for v in in_layers),
            other_dtypes=self._other_dtypes(),
        )
        _logger.debug("%s", diagnosis.table(differences, most=None))
        return errors.UserError(
            "The checkpoint must be that of the configured encoder, value by value"
            + (f": {'; '.join(cause.text for cause in causes)}." if causes else "."),
            example=", ".join(c.remedy for c in causes if c.remedy)
            or "the configuration (and gin files) that the checkpoint was trained with",
            received=f"{self.checkpoint.prefix}: {self._counts()}\n{diagnosis.table(differences)}",
            setting=setting,
        )

    def _variables(self) -> dict[str, tf.Variable]:
        found = structures.of_object(self.encoder.network)
        if self.encoder.masked_lm is not None:
            known = {variable.ref() for variable in found.values()}
            head = structures.of_object(self.encoder.masked_lm, "masked_lm/")
            found |= {path: v for path, v in head.items() if v.ref() not in known}
        return found

    def _stored(self) -> dict[str, str]:
        if self.checkpoint.is_tf1:
            found = tf1_checkpoints.paths(self.checkpoint)
        else:
            encoder, head = self.checkpoint.encoder_nodes
            found = structures.of_node(self.checkpoint, encoder)
            if head is not None:
                known = set(found.values())
                of_head = structures.of_node(self.checkpoint, head, "masked_lm/")
                found |= {path: key for path, key in of_head.items() if key not in known}
        return {path: key for path, key in found.items() if key in self.checkpoint.entries}

    def _tf1_types(self, paths: Mapping[str, str]) -> tuple[str, ...]:
        if not self.checkpoint.is_tf1:
            return ()
        return ("albert",) if "embedding projection/kernel" in paths else ("bert", "bert_v2")

    def _shape(self, variable: tf.Variable) -> str:
        return f"{tuple(variable.shape)}{self._dtype(variable, variable.dtype)}"

    def _stored_shape(self, variable: tf.Variable) -> str:
        entry = self.checkpoint.entries[self.keys[variable.ref()]]
        return f"{entry.shape}{self._dtype(variable, entry.dtype)}"

    def _dtype(self, variable: tf.Variable, dtype: tf.DType) -> str:
        """The dtype where it is what differs."""
        key = self.keys.get(variable.ref())
        if key is None or self.checkpoint.entries[key].dtype == variable.dtype:
            return ""
        return f" {dtype.name}"

    def _other_dtypes(self) -> list[str]:
        entries = [(v, self.checkpoint.entries[self.keys[v.ref()]]) for v in self.unfit]
        return sorted({entry.dtype.name for v, entry in entries if entry.dtype != v.dtype})

    def _counts(self) -> str:
        counts = {
            "stored without a variable": len(self.unexplained),
            "configured without a value": len(self.missing),
            "of another shape or dtype": len(self.unfit),
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
