"""The flags of an export: each is nothing but a gin binding, applied last.

One table, and pure functions over it. Defaults are those of the gin parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from exporter import errors, gin_parsing


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag and the gin parameter that it binds.

    Attributes:
      name: The flag, without dashes.
      setting: The gin parameter.
      help: One sentence for `--help`.
      example: A value as on the command line.
      kind: What a value must be: "text", "an integer" or "true or false".
      to_gin: Makes gin text of the value, or raises ValueError.
    """

    name: str
    setting: str
    help: str
    example: str
    kind: str
    to_gin: Callable[[str], str]

    @property
    def boolean(self) -> bool:
        """Whether `--name` and `--noname` stand for true and false."""
        return self.kind == _TRUTH

    def binding(self, value: str) -> gin_parsing.Source | None:
        """Returns the binding for a value, or None where an empty text leaves the flag unset.

        Raises:
          UserError: The value is of the wrong type.
        """
        if self.kind == _TEXT and not value:
            return None
        where = f"--{self.name}={value}"
        try:
            # With the module, so that a user's own `tokenizer`, say, does not make it ambiguous.
            return gin_parsing.Source(f"exporter.{self.setting} = {self.to_gin(value)}", where)
        except ValueError:
            raise errors.UserError(
                f"--{self.name} takes {self.kind}.",
                example=f"--{self.name}={self.example}",
                received=where,
            ) from None


_TEXT, _INTEGER, _TRUTH = "text", "an integer", "true or false"


def _integer(value: str) -> str:
    return repr(int(value))


def _truth(value: str, true: str = "True", false: str = "False") -> str:
    words = {"true": true, "t": true, "1": true, "false": false, "f": false, "0": false}
    if value.lower() not in words:
        raise ValueError(value)
    return words[value.lower()]


def _pooler(value: str) -> str:
    return _truth(value, "@next_sentence_pooler", "@restored_pooler")


def _step_or_name(value: str) -> str:
    return _integer(value) if value.isdecimal() else repr(value)


FLAGS = (
    Flag(
        "export_path",
        "export.export_path",
        "The folder to write the SavedModel to, or with --export_type=all the folder of them.",
        "/tmp/bert_model",
        _TEXT,
        repr,
    ),
    Flag(
        "export_type",
        "export.export_type",
        "What to export: model (the encoder), model_with_mlm (with the masked-language-model "
        "head), preprocessing, text_embedding (both in one), or all of them.",
        "model_with_mlm",
        _TEXT,
        repr,
    ),
    Flag(
        "overwrite",
        "export.overwrite",
        "Whether an export that is at --export_path already is replaced.",
        "true",
        _TRUTH,
        _truth,
    ),
    Flag(
        "verify",
        "export.verify",
        "How much of what was written is loaded and compared before it gets its name: off, quick "
        "or full.",
        "full",
        _TEXT,
        repr,
    ),
    Flag(
        "report_dir",
        "verify.report_dir",
        "With --mode=verify: a folder to write report.json, report.txt and report.html to.",
        "/tmp/bert_model.record",
        _TEXT,
        repr,
    ),
    Flag(
        "output_dir",
        "evaluate.output_dir",
        "With --mode=evaluate: where to write checkpoints and results; by default "
        "EXPORT_PATH.evaluation.",
        "/tmp/bert.evaluation",
        _TEXT,
        repr,
    ),
    Flag(
        "dry_run",
        "export.dry_run",
        "Check all that can be checked without building the model, print the configuration, stop.",
        "true",
        _TRUTH,
        _truth,
    ),
    Flag(
        "pretraining_dir",
        "pretraining.pretraining_dir",
        "A pre-training run's directory, the --model_dir of `python -m official.nlp.train`. "
        "Whatever is not set otherwise comes from there.",
        "/tmp/bert_pretraining",
        _TEXT,
        repr,
    ),
    Flag(
        "checkpoint",
        "pretraining.checkpoint",
        "Which checkpoint of --pretraining_dir: latest, best or a global step.",
        "best",
        _TEXT,
        _step_or_name,
    ),
    Flag(
        "weights",
        "checkpoint.weights",
        "For runs with exponential moving averages: raw, or ema for the averages.",
        "ema",
        _TEXT,
        repr,
    ),
    Flag(
        "encoder_config_file",
        "encoder.encoder_config_file",
        "YAML file of an `official.nlp.configs.encoders.EncoderConfig`, or a run's params.yaml.",
        "bert_encoder.yaml",
        _TEXT,
        repr,
    ),
    Flag(
        "bert_config_file",
        "encoder.bert_config_file",
        "JSON file of an original BERT configuration, in place of --encoder_config_file.",
        "bert_config.json",
        _TEXT,
        repr,
    ),
    Flag(
        "model_checkpoint_path",
        "checkpoint.model_checkpoint_path",
        "The checkpoint: the prefix of its files, or a directory, whose newest is taken. Written "
        "by BertPretrainerV2 or restorable to `tf.train.Checkpoint(encoder=encoder)`; "
        "model_with_mlm needs the former.",
        "bert_model.ckpt",
        _TEXT,
        repr,
    ),
    Flag(
        "copy_pooler_dense_to_encoder",
        "export.pooler",
        "Whether the pooler is that of the next-sentence head (@next_sentence_pooler), as in "
        "classic BERT, and not the encoder's own (@restored_pooler), which BertPretrainerV2 does "
        "not train.",
        "true",
        _TRUTH,
        _pooler,
    ),
    Flag(
        "vocab_file",
        "tokenizer.vocab_file",
        "WordPiece vocabulary, one piece a line. Either this or --sp_model_file is needed.",
        "vocab.txt",
        _TEXT,
        repr,
    ),
    Flag(
        "sp_model_file",
        "tokenizer.sp_model_file",
        "SentencePiece model, in place of --vocab_file.",
        "30k-clean.model",
        _TEXT,
        repr,
    ),
    Flag(
        "do_lower_case",
        "tokenizer.do_lower_case",
        "Whether text is lower-cased. If unset: true with --sp_model_file, and with a --vocab_file "
        'that has "uncased" in its path.',
        "true",
        _TRUTH,
        _truth,
    ),
    Flag(
        "default_seq_length",
        "preprocessing.default_seq_length",
        "The preprocessing's sequence length where its caller gives none.",
        "128",
        _INTEGER,
        _integer,
    ),
    Flag(
        "tokenize_with_offsets",
        "preprocessing.tokenize_with_offsets",
        "Whether the preprocessing has .tokenize_with_offsets.",
        "true",
        _TRUTH,
        _truth,
    ),
    Flag(
        "experimental_disable_assert_in_preprocessing",
        "preprocessing.disable_assert",
        "Export a preprocessing without Assert ops, which TensorFlow 2.4 could not place on TPU "
        "workers.",
        "true",
        _TRUTH,
        _truth,
    ),
)


# Of what has no flag and is no text.
_EXAMPLES = {"sweep.points": "--gin_file=configs/sweeps/poolers_lengths.gin"}


def bindings(given: Mapping[str, str]) -> tuple[gin_parsing.Source, ...]:
    """Turns flags into gin bindings.

    Args:
      given: The values of the flags that were given, as on the command line.

    Raises:
      UserError: A value, or several, are of the wrong type.
    """
    made, mistakes = [], []
    for flag in FLAGS:
        if flag.name in given:
            try:
                made.append(flag.binding(given[flag.name]))
            except errors.UserError as mistake:
                mistakes.append(mistake)
    errors.raise_all(mistakes)
    return tuple(binding for binding in made if binding is not None)


def example(setting: str) -> str:
    """Returns a right way to give a setting on the command line."""
    for flag in FLAGS:
        if flag.setting == setting:
            return f"--{flag.name}={flag.example}"
    if setting in _EXAMPLES:
        return _EXAMPLES[setting]
    return f"--gin_params=\"{setting} = 'some value'\""
