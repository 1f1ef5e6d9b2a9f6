"""What can be chosen: small dataclasses that gin binds, importable without TensorFlow.

The root configurables of the modes (`exporter.export.export`, ...) take these objects; the code
below them takes plain arguments and knows nothing of gin. A field's name is the gin parameter's
name and, where there is a flag, the flag's.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

import gin

from exporter import errors

# Devlin et al. (2018, arxiv.org/abs/1810.04805), table 7: as many layers make the best features.
_LAYERS_TAKEN = 4


@gin.configurable("encoder", module="exporter")
@dataclasses.dataclass(frozen=True)
class EncoderSettings:
    """Where the encoder's architecture comes from. Exactly one of the three sources is set.

    None of them is needed where gin makes the encoder without (`build_encoder.bypass_config`).

    Attributes:
      encoder_config_file: YAML file of an `official.nlp.configs.encoders.EncoderConfig`, or a
        pre-training run's params.yaml.
      bert_config_file: JSON file of an original BERT configuration (bert_config.json).
      type: The name of an encoder type in `EncoderConfig` ("bert", "albert", ...), with `config`.
        With a file: the type to read it as, for instance "bert_v2" where a run has "any".
      config: The configuration dataclass for `type`, in gin e.g. `@BertEncoderConfig()`. With a
        file of type "any": the dataclass to fill from it, `@my_package.MyEncoderConfig`.
      pooled_output: How `pooled_output`, and `default`, is made of `sequence_output` where the
        encoder has no pooler: "first_token", "mean" over the tokens or "last_token" that is no
        padding. None takes what TF-NLP's code makes; where it makes none, the last token of XLNet,
        which pre-training knows as the place of [CLS], and else the first. No layer of it is
        trained.
    """

    encoder_config_file: str | None = None
    bert_config_file: str | None = None
    type: str | None = None
    config: Any = None
    pooled_output: str | None = None

    @property
    def sources(self) -> list[str]:
        """The settings that say what the architecture is."""
        sources = {
            "encoder.encoder_config_file": self.encoder_config_file,
            "encoder.bert_config_file": self.bert_config_file,
            "encoder.config": None if inspect.isclass(self.config) else self.config,
        }
        return [name for name, value in sources.items() if value]

    @property
    def bypassed(self) -> bool:
        """Whether gin makes the encoder without its configuration."""
        try:
            return bool(copy.deepcopy(gin.query_parameter("build_encoder.bypass_config")))
        except ValueError:  # Not bound.
            return False

    def mistakes(self) -> list[errors.UserError]:
        """Returns the mistake of having no or more than one source."""
        given = self.sources
        if len(given) == 1 or (not given and self.bypassed):
            return []
        return [
            errors.UserError(
                "An encoder needs exactly one source of its architecture: --encoder_config_file, "
                "--bert_config_file, or encoder.type and encoder.config in gin.",
                example="--encoder_config_file=bert_encoder.yaml",
                received=" and ".join(given) or "none",
                setting=given[-1] if given else "encoder.encoder_config_file",
            )
        ]


@gin.configurable("mlm", module="exporter")
@dataclasses.dataclass(frozen=True)
class MlmSettings:
    """The masked-language-model head, as `task.model` of the pre-training run describes it.

    Attributes:
      mlm_activation: Activation of the head's dense layer. None takes the run's, if the encoder's
        configuration comes from a params.yaml, and else the encoder's own activation.
    """

    mlm_activation: str | None = None


@gin.configurable("checkpoint", module="exporter")
@dataclasses.dataclass(frozen=True)
class CheckpointSettings:
    """Where the weights come from.

    Attributes:
      model_checkpoint_path: Prefix of a checkpoint's files (".../bert_model.ckpt"), or a directory
        that holds checkpoints, of which the newest is taken.
      weights: "raw", or "ema" for the exponential moving averages of the optimizer.
    """

    model_checkpoint_path: str | None = None
    weights: str = "raw"


@gin.configurable("pretraining", module="exporter")
@dataclasses.dataclass(frozen=True)
class PretrainingSettings:
    """A pre-training run's directory as the source of whatever is not set otherwise.

    Attributes:
      pretraining_dir: The `--model_dir` of `python -m official.nlp.train`.
      checkpoint: "latest", "best" or a global step.
      allow_overrides: Names of what may be set otherwise than the run recorded it, though no weight
        can show the difference: fields of the encoder's configuration ("norm_first") and gin
        parameters ("TransformerScaffold.norm_first").
    """

    pretraining_dir: str | None = None
    checkpoint: str | int = "latest"
    allow_overrides: Sequence[str] = ()


@gin.configurable("tokenizer", module="exporter")
@dataclasses.dataclass(frozen=True)
class TokenizerSettings:
    """The tokenizer. Exactly one of the two files is set.

    Attributes:
      vocab_file: WordPiece vocabulary, one piece a line.
      sp_model_file: SentencePiece model.
      do_lower_case: Whether text is lower-cased before it is tokenized. None guesses: true for
        SentencePiece, and for a `vocab_file` with "uncased" in its path.
      strip_accents: Whether text is stripped of accents before it is tokenized. None does as BERT
        and ALBERT: always for SentencePiece, and for a `vocab_file` if text is lower-cased.
      keep_special_tokens: Whether special tokens that are written in texts, as "[MASK]", are kept
        whole. Otherwise they are tokenized as other text.
      special_tokens: How special tokens are spelled that are not spelled as usual ([CLS], [SEP],
        [MASK], [UNK], and [PAD] or, for SentencePiece, <pad>), by purpose:
        `{"padding_id": "<pad>", "unknown_id": "<unk>"}`.
    """

    vocab_file: str | None = None
    sp_model_file: str | None = None
    do_lower_case: bool | None = None
    strip_accents: bool | None = None
    keep_special_tokens: bool = False
    special_tokens: dict[str, str] | None = None

    def mistakes(self) -> list[errors.UserError]:
        """Returns the mistake of having no or both files."""
        if bool(self.vocab_file) != bool(self.sp_model_file):
            return []
        return [
            errors.UserError(
                "Exactly one of --vocab_file and --sp_model_file is needed.",
                example="--vocab_file=vocab.txt",
                received=f"{self.vocab_file} and {self.sp_model_file}"
                if self.vocab_file
                else "none",
                setting="tokenizer.sp_model_file" if self.vocab_file else "tokenizer.vocab_file",
            )
        ]


@gin.configurable("preprocessing", module="exporter")
@dataclasses.dataclass(frozen=True)
class PreprocessingSettings:
    """The preprocessing model.

    Attributes:
      default_seq_length: Length of the packed sequences where the caller gives none. None takes
        the pre-training run's where that is given, and else 128.
      tokenize_with_offsets: Whether the export has `.tokenize_with_offsets`.
      disable_assert: Whether the export must hold no Assert op.
      max_segments: How many segments `.bert_pack_inputs` takes.
      truncation: Which tokens are dropped where there are too many: "equal_size",
        "longest_first", "first_only", "waterfall" or "head_and_tail".
      head_percent: How many percent of a truncated segment's tokens "head_and_tail" keeps from its
        start.
      pad_to_longest: Whether a batch is padded to its longest row and not to the sequence length.
      pack_for_xla: Whether XLA can compile `.bert_pack_inputs`.
    """

    default_seq_length: int | None = None
    tokenize_with_offsets: bool = False
    disable_assert: bool = False
    max_segments: int = 2
    truncation: str = "equal_size"
    head_percent: int = 25
    pad_to_longest: bool = False
    pack_for_xla: bool = False

    def mistakes(self) -> list[errors.UserError]:
        """Returns the numbers that cannot be right, and what excludes each other."""
        mistakes = []
        if self.max_segments < 1:
            mistakes.append(
                errors.UserError(
                    "preprocessing.max_segments must be at least 1.",
                    example="preprocessing.max_segments = 2",
                    received=str(self.max_segments),
                    setting="preprocessing.max_segments",
                )
            )
        if not 0 < self.head_percent < 100:
            mistakes.append(
                errors.UserError(
                    "preprocessing.head_percent must be from 1 to 99.",
                    example="preprocessing.head_percent = 25",
                    received=str(self.head_percent),
                    setting="preprocessing.head_percent",
                )
            )
        if self.pad_to_longest and self.pack_for_xla:
            mistakes.append(
                errors.UserError(
                    "preprocessing.pack_for_xla needs padding to the sequence length: XLA compiles "
                    "for one shape, whatever the lengths of the texts.",
                    example="preprocessing.pad_to_longest = False",
                    received="pad_to_longest = True with pack_for_xla = True",
                    setting="preprocessing.pad_to_longest",
                )
            )
        return mistakes


@gin.configurable("text_embedding", module="exporter")
@dataclasses.dataclass(frozen=True)
class TextEmbeddingSettings:
    """The text-embedding model. Its sequence length is the preprocessing's.

    Attributes:
      vector: "pooled_output", "first_token" (of the last layer), "mean" (of the last layer over
        the tokens) or "mean_of_last_layers".
      num_layers: How many layers "mean_of_last_layers" takes; None for 4.
      normalize: Whether vectors are scaled to length one.
      pad_to_longest: Whether a batch is padded to its longest text and not to the sequence length,
        with an encoder to which that makes no difference.
    """

    vector: str = "pooled_output"
    num_layers: int | None = None
    normalize: bool = False
    pad_to_longest: bool = True

    @property
    def layers_taken(self) -> int:
        """How many layers "mean_of_last_layers" takes."""
        return _LAYERS_TAKEN if self.num_layers is None else self.num_layers

    def mistakes(self) -> list[errors.UserError]:
        """Returns what cannot be right of the number of layers, whatever the encoder."""
        if self.num_layers is None:
            return []
        if self.vector != "mean_of_last_layers":
            return [
                errors.UserError(
                    "text_embedding.num_layers has a meaning for 'mean_of_last_layers' only.",
                    example="text_embedding.vector = 'mean_of_last_layers'",
                    received=f"num_layers = {self.num_layers} with vector = {self.vector!r}",
                    setting="text_embedding.num_layers",
                )
            ]
        if type(self.num_layers) is not int or self.num_layers < 1:
            return [
                errors.UserError(
                    "text_embedding.num_layers must be a whole number, at least 1.",
                    example="text_embedding.num_layers = 4",
                    received=repr(self.num_layers),
                    setting="text_embedding.num_layers",
                )
            ]
        return []


@gin.configurable("warmup", module="exporter")
@dataclasses.dataclass(frozen=True)
class WarmupSettings:
    """Warm-up requests for TF Serving, one for each signature, batch size and length.

    Attributes:
      batch_sizes: How many rows or texts a request has. Without any there are no requests.
      seq_lengths: How long the rows are, or about how many tokens the texts have.
    """

    batch_sizes: Sequence[int] = ()
    seq_lengths: Sequence[int] = (128,)

    def mistakes(self) -> list[errors.UserError]:
        """Returns the mistakes of sizes that are none."""
        return [
            errors.UserError(
                f"warmup.{name} takes a list of positive whole numbers.",
                example=f"warmup.{name} = [1, 32]",
                received=repr(sizes),
                setting=f"warmup.{name}",
            )
            for name, sizes in dataclasses.asdict(self).items()
            if not isinstance(sizes, list | tuple)
            or not all(type(size) is int and size > 0 for size in sizes)
        ]


@gin.configurable("checks", module="exporter")
@dataclasses.dataclass(frozen=True)
class CheckSettings:
    """Exceptions from what an export is refused for. Each is for a case of real use.

    Attributes:
      allow_padded_vocabulary: The vocabulary may have fewer pieces than the encoder has word
        embeddings, whose number was rounded up when it was trained.
      allow_unlikely_casing: Text may be lower-cased, or not, against the evidence of the
        vocabulary's pieces.
      ignored_values: Regular expressions of the keys of values in the checkpoint that need no
        place in the encoder: a head of one's own, layers that are left out on purpose.
    """

    allow_padded_vocabulary: bool = False
    allow_unlikely_casing: bool = False
    ignored_values: Sequence[str] = ()
