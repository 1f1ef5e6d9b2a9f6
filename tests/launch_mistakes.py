"""A table of users' mistakes, each with what is said of it. `launch_test.py` makes them all."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a mistake is made.

    Attributes:
      folder: An empty folder of its own, the current one.
      target: What --export_path names: an earlier export, which must stay as it is.
    """

    folder: pathlib.Path

    @property
    def target(self) -> pathlib.Path:
        """The earlier export."""
        return self.folder / "exports" / "earlier"

    def write(self, name: str, text: str) -> str:
        """Writes a file and returns its name, relative to the current folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A user's mistake, told by the first check that can see it.

    Attributes:
      name: What is wrong.
      arguments: Makes the files and returns the arguments; --export_path is added in front.
      told: All of standard error. "{folder}" stands for `Place.folder`, "{project}" for ours.
    """

    name: str
    arguments: Callable[[Place], Sequence[str]]
    told: str


def _gin(text: str, *more: str) -> Callable[[Place], Sequence[str]]:
    return lambda place: [f"--gin_file={place.write('run.gin', text)}", *more]


MISTAKES = [
    # The command line.
    Mistake(
        "unknown flag",
        lambda place: ["--vocab_flie=v.txt"],
        "error: There must be a flag of this name; --help lists them. Did you mean --vocab_file?\n"
        "  received: --vocab_flie\n",
    ),
    Mistake(
        "unknown mode",
        lambda place: ["--mode=exprot"],
        "error: --mode must be one of: export, verify, sweep, evaluate.\n"
        "  received: --mode=exprot\n"
        "  example:  --mode=export\n",
    ),
    Mistake(
        "a flag of another mode",
        lambda place: ["--report_dir=reports"],
        "error: --report_dir is for --mode=verify.\n"
        "  received: --mode=export --report_dir=reports\n",
    ),
    Mistake(
        "a sweep's file without its mode",
        lambda place: ["--gin_file=configs/sweeps/encoder_sizes.gin"],
        "error: sweep.points is for --mode=sweep.\n"
        "  received: --mode=export\n"
        "  where:    {project}/configs/sweeps/encoder_sizes.gin:14\n",
    ),
    Mistake(
        "stray argument",
        lambda place: ["v.txt"],
        "error: There must be nothing but flags on the command line.\n"
        "  received: v.txt\n"
        "  example:  --export_path=/tmp/bert_model\n",
    ),
    Mistake(
        "boolean flag with a value apart",
        lambda place: ["--do_lower_case", "False"],
        "error: The value of a boolean flag must follow an equals sign.\n"
        "  received: False\n"
        "  example:  --overwrite=False\n",
    ),
    Mistake(
        "no integer",
        lambda place: ["--default_seq_length=128.0"],
        "error: --default_seq_length takes an integer.\n"
        "  received: --default_seq_length=128.0\n"
        "  example:  --default_seq_length=128\n",
    ),
    Mistake(
        "no truth value",
        lambda place: ["--overwrite=yes"],
        "error: --overwrite takes true or false.\n"
        "  received: --overwrite=yes\n"
        "  example:  --overwrite=true\n",
    ),
    Mistake(
        "flag without its value",
        lambda place: ["--vocab_file"],
        "error: Flags must be as --help says: Missing value for flag --vocab_file.\n"
        "  example:  --export_path=/tmp/bert_model\n",
    ),
    Mistake(
        "empty export path",
        lambda place: ["--export_path=", "--vocab_file=v.txt"],
        "error: export.export_path must be set.\n"
        "  where:    (not set)\n"
        "  example:  --export_path=/tmp/bert_model\n",
    ),
    # Gin files.
    Mistake(
        "missing gin file",
        lambda place: ["--gin_file=run.gin", "--gin_search_path=configs"],
        "error: A gin file must exist in one of the folders searched: {folder}, {folder}/configs, "
        "{project}.\n"
        "  received: run.gin\n"
        "  where:    --gin_file=run.gin\n",
    ),
    Mistake(
        "missing include",
        _gin("\ninclude 'sizes/tiny.gin'\n"),
        "error: A gin file must exist in one of the folders searched: {folder}, {project}.\n"
        "  received: sizes/tiny.gin\n"
        "  where:    run.gin:2\n",
    ),
    Mistake(
        "includes in a circle",
        _gin("include 'run.gin'\n"),
        "error: A gin file must not include itself, directly or by way of others.\n"
        "  received: {folder}/run.gin -> {folder}/run.gin\n"
        "  where:    run.gin:1\n",
    ),
    Mistake(
        "folder in place of a gin file",
        lambda place: [f"--gin_file={place.folder}"],
        "error: A gin file must be a file that can be read.\n"
        "  received: {folder} (Is a directory)\n"
        "  where:    --gin_file={folder}\n",
    ),
    Mistake(
        "empty path of a gin file",
        lambda place: ["--gin_file="],
        "error: A gin file's path must not be empty.\n"
        "  where:    --gin_file=\n"
        "  example:  --gin_file=configs/runs/encoder.gin\n",
    ),
    Mistake(
        "binary in place of a gin file",
        lambda place: [
            (place.folder / "model.gin").write_bytes(b"\x0a\xff\xfe") and "--gin_file=model.gin"
        ],
        "error: A gin file must be text in UTF-8.\n"
        "  received: model.gin, of which byte 1 is not\n"
        "  where:    --gin_file=model.gin\n",
    ),
    Mistake(
        "text without quotes",
        lambda place: ["--gin_params=tokenizer.vocab_file = vocab.txt"],
        "error: This must be a statement of gin: Failed to parse token 'vocab'.\n"
        "  received: tokenizer.vocab_file = vocab.txt\n"
        "  where:    --gin_params=tokenizer.vocab_file = vocab.txt\n"
        "  example:  tokenizer.vocab_file = 'vocab.txt' (text in quotes)\n",
    ),
    Mistake(
        "colon in place of an equals sign",
        _gin("export.export_type = 'model'\ntokenizer.vocab_file: 'v.txt'\n"),
        "error: This must be a statement of gin: Expected newline.  Got STRING = 'v.txt'.\n"
        "  received: tokenizer.vocab_file: 'v.txt'\n"
        "  where:    run.gin:2\n"
        "  example:  tokenizer.vocab_file = 'vocab.txt' (text in quotes)\n",
    ),
    # Names.
    Mistake(
        "misspelt configurable",
        _gin("tokenzier.vocab_file = 'v.txt'\n"),
        "error: There must be a configurable of this name. Did you mean tokenizer?\n"
        "  received: tokenzier\n"
        "  where:    run.gin:1\n"
"  example:  config.ignored_configurables = ['tokenzier'], if only training uses it\n",
    ),
    Mistake(
        "misspelt parameter",
        _gin("# A comment.\n\ntokenizer.vocab_flie = 'v.txt'\n"),
        "error: The parameter must be one of tokenizer's: vocab_file, sp_model_file, "
        "do_lower_case, strip_accents, keep_special_tokens, special_tokens. Did you mean "
        "vocab_file?\n"
        "  received: tokenizer.vocab_flie = 'v.txt'\n"
        "  where:    run.gin:3\n",
    ),
    Mistake(
        "misspelt reference",
        _gin("export.pooler = @identity_poler\n"),
        "error: There must be a configurable of this name. Did you mean identity_pooler?\n"
        "  received: @identity_poler\n"
        "  where:    run.gin:1\n",
    ),
    Mistake(
        "misspelt class of TF-NLP",
        _gin("EncoderScaffold.hidden_cls = @TransformerScafold\n"),
        "error: There must be a configurable of this name. Did you mean TransformerScaffold?\n"
        "  received: @TransformerScafold\n"
        "  where:    run.gin:1\n",
    ),
    Mistake(
        "macro misspelt where it is used",
        _gin("VOCAB = 'v.txt'\ntokenizer.vocab_file = %VOACB\n"),
        "error: A macro that is used must be defined. Did you mean %VOCAB?\n"
        "  received: %VOACB\n"
        "  where:    run.gin:2\n"
        "error: A macro that is defined must be used. Did you mean VOACB?\n"
        "  received: VOCAB = 'v.txt'\n"
        "  where:    run.gin:1\n",
    ),
    Mistake(
        "macro that nothing uses",
        _gin("tokenizer.vocab_file = 'v.txt'\n", "--gin_params=LENGTH = 128"),
        "error: A macro that is defined must be used.\n"
        "  received: LENGTH = 128\n"
        "  where:    --gin_params=LENGTH = 128\n"
        "  example:  tokenizer.vocab_file = %LENGTH\n",
    ),
    Mistake(
        "name of a package that is not imported",
        _gin("my_package.MyEncoder.depth = 3\n"),
        "error: There must be a configurable of this name. If a package of yours has it, "
        "the gin file must import that.\n"
        "  received: my_package.MyEncoder\n"
        "  where:    run.gin:1\n"
        "  example:  config.ignored_configurables = ['my_package.MyEncoder'], if only training "
        "uses it\n",
    ),
    Mistake(
        "import of what is not installed",
        _gin("import no_such_package\n"),
        "error: What a gin file imports must be a module that can be imported: installed, or "
        "in a folder that PYTHONPATH names.\n"
        "  received: import no_such_package (No module named 'no_such_package')\n"
        "  where:    run.gin:1\n"
        "  example:  PYTHONPATH=/path/to/your/folder python launch.py ...\n",
    ),
    # Values.
    Mistake(
        "text in place of a truth value",
        _gin("tokenizer.do_lower_case = 'True'\n"),
        "error: tokenizer.do_lower_case must be True or False or None.\n"
        "  received: tokenizer.do_lower_case = 'True'\n"
        "  where:    run.gin:1\n"
        "  example:  tokenizer.do_lower_case = True\n",
    ),
    Mistake(
        "text in place of a number, by way of a macro",
        _gin("export.overwrite = %YES\n", "--gin_params=YES = 'yes'"),
        "error: export.overwrite must be True or False.\n"
        "  received: export.overwrite = %YES = 'yes'\n"
        "  where:    run.gin:1\n"
        "  example:  export.overwrite = False\n",
    ),
    Mistake(
        "text in place of a size",
        _gin("BertEncoderConfig.num_layers = '12'\n"),
        "error: BertEncoderConfig.num_layers must be an integer.\n"
        "  received: BertEncoderConfig.num_layers = '12'\n"
        "  where:    run.gin:1\n"
        "  example:  BertEncoderConfig.num_layers = 12\n",
    ),
    Mistake(
        "text in place of a configurable",
        _gin("export.pooler = 'identity_pooler'\n"),
        "error: export.pooler must be a configurable.\n"
        "  received: export.pooler = 'identity_pooler'\n"
        "  where:    run.gin:1\n"
        "  example:  export.pooler = @restored_pooler\n",
    ),
    Mistake(
        "what must be set is not",
        _gin("SIZE = %gin.REQUIRED\nBertEncoderConfig.vocab_size = %SIZE\n"
             "checkpoint.model_checkpoint_path = %gin.REQUIRED\n"),
        "error: SIZE must be set.\n"
        "  received: SIZE = %gin.REQUIRED\n"
        "  where:    run.gin:1\n"
        "  example:  --gin_params=\"SIZE = 'some value'\"\n"
        "error: checkpoint.model_checkpoint_path must be set.\n"
        "  received: checkpoint.model_checkpoint_path = %gin.REQUIRED\n"
        "  where:    run.gin:3\n"
        "  example:  --model_checkpoint_path=bert_model.ckpt\n",
    ),
    Mistake(
        "unknown export type",
        lambda place: ["--export_type=encoder", "--vocab_file=v.txt"],
        "error: --export_type must be one of model, model_with_mlm, preprocessing, text_embedding, "
        "all.\n"
        "  received: 'encoder'\n"
        "  where:    --export_type=encoder\n"
        "  example:  --export_type=model\n",
    ),
]  # fmt: skip
