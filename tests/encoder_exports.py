"""Encoders and their exports, made by the exporter's modules from what a tiny pre-training left."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from exporter import (
    checkpoints,
    encoder_configs,
    encoder_modules,
    encoders,
    poolers,
    restorations,
    settings,
)
from tests import testing, written_models

BERT = testing.Case(
    "bert",
    "bert",
    {
        "vocab_size": 40,
        "hidden_size": 8,
        "num_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 12,
        "max_position_embeddings": 16,
        "type_vocab_size": 3,
        "dropout_rate": 0.2,
        "attention_dropout_rate": 0.2,
    },
)


@dataclasses.dataclass(frozen=True, eq=False)
class Made:
    """What an export is made from.

    Attributes:
      encoder: The encoder.
      restoration: Where its values come from.
      module: The root object to be saved.
    """

    encoder: encoders.Encoder
    restoration: restorations.Restoration
    module: encoder_modules.EncoderModule

    def write(self, path: pathlib.Path | str) -> str:
        """Writes the SavedModel and returns its path."""
        written_models.write(self.module, str(path), restoration=self.restoration)
        return str(path)


def with_config(case: testing.Case, **changes: Any) -> testing.Case:
    """Returns a case with another configuration."""
    return dataclasses.replace(case, config={**case.config, **changes})


def architecture(case: testing.Case, mlm_activation: str = "gelu") -> encoder_configs.Architecture:
    """Returns what a case's configuration file says."""
    return encoder_configs.Architecture(case.encoder_config(), mlm_activation, "encoder.yaml")


def restoration(
    prefix: str,
    case: testing.Case = BERT,
    pooler: poolers.Pooler | None = None,
    *,
    with_mlm: bool = True,
    weights: str = "raw",
) -> tuple[encoders.Encoder, restorations.Restoration]:
    """Builds an encoder and finds its values in a checkpoint.

    Args:
      prefix: The checkpoint.
      case: What to build.
      pooler: Where the pooler's values come from; from the checkpoint by default.
      with_mlm: Whether to build the masked-language-model head, too.
      weights: "raw" or "ema".
    """
    encoder = encoders.build(architecture(case), with_mlm=with_mlm)
    found = restorations.restoration(
        checkpoints.read(prefix), encoder, pooler or poolers.restored_pooler(), weights=weights
    )
    return encoder, found


def make(
    files: testing.SourceFiles, pooler: poolers.Pooler | None = None, *, with_mlm: bool = True
) -> Made:
    """Makes all that is needed to write an export.

    Args:
      files: What pre-training left.
      pooler: Where the pooler's values come from; from the checkpoint by default.
      with_mlm: Whether the masked-language-model head is part of it.
    """
    encoder, found = restoration(files.prefix, files.case, pooler, with_mlm=with_mlm)
    if encoder.pooler_layer is not None:
        found.pooler.initialize(encoder.pooler_layer)
    module = encoder_modules.EncoderModule(
        encoder, vocab_file=str(files.vocabulary), do_lower_case=True
    )
    return Made(encoder, found, module)


def bundled_run() -> tuple[str, encoder_configs.Architecture]:
    """Returns the bundled run's newest checkpoint and the architecture of its encoder."""
    run = testing.TESTDATA / "bert_tiny"
    encoder = settings.EncoderSettings(encoder_config_file=str(run / "params.yaml"))
    read = encoder_configs.read_architecture(encoder, settings.MlmSettings())
    return checkpoints.find(str(run)), read
