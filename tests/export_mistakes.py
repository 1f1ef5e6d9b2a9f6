"""A table of mistakes in the files that are exported, each with what is said of it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

from tests.launch_mistakes import Mistake, Place

RUN = pathlib.Path(__file__).parent / "testdata" / "bert_tiny"
SENTENCEPIECE = RUN.parent / "spm" / "spm.model"
STEP = next(RUN.glob("ckpt-*.index")).stem.removeprefix("ckpt-")
_CHECKPOINT = f"{RUN}/ckpt-{STEP}"
_ENCODER = ("--encoder_config_file", f"{RUN}/params.yaml")
_WEIGHTS = ("--model_checkpoint_path", _CHECKPOINT)
_VOCABULARY = ("--vocab_file", f"{RUN}/vocab.txt")


def _with(*flags: tuple[str, str]) -> Callable[[Place], Sequence[str]]:
    """The bundled run's files, with these flags in place of or beside those that name them."""
    values = dict([_ENCODER, _WEIGHTS, _VOCABULARY, ("--do_lower_case", "True"), *flags])
    return lambda place: [f"{name}={value}" for name, value in values.items()]


def _only(*flags: tuple[str, str]) -> Callable[[Place], Sequence[str]]:
    return lambda place: [f"{name}={value}" for name, value in flags]


def _file(flag: str, text: str, *more: tuple[str, str]) -> Callable[[Place], Sequence[str]]:
    """A file of that text, `file.txt`, as the flag's value."""

    def arguments(place: Place) -> Sequence[str]:
        return _with((flag, place.write("file.txt", text)), *more)(place)

    return arguments


def _folder(arguments: Callable[[Place], Sequence[str]]) -> Callable[[Place], Sequence[str]]:
    """With a folder `some` that holds a file."""

    def in_folder(place: Place) -> Sequence[str]:
        place.write("some/file", "Something.")
        return arguments(place)

    return in_folder


_PREPROCESSING = ("--export_type", "preprocessing")
_TEXT_EMBEDDING = ("--export_type", "text_embedding")
_MEAN = "text_embedding.vector = 'mean_of_last_layers'"
_OVERWRITE = ("--overwrite", "True")

EXPORT_MISTAKES = [
    # What is not there.
    Mistake(
        "no tokenizer's file",
        _only(_ENCODER, _WEIGHTS),
        "error: Exactly one of --vocab_file and --sp_model_file is needed.\n"
        "  received: none\n"
        "  where:    tokenizer.vocab_file (not set)\n"
        "  example:  --vocab_file=vocab.txt\n",
    ),
    Mistake(
        "both tokenizers' files",
        _with(("--sp_model_file", "x.model")),
        "error: Exactly one of --vocab_file and --sp_model_file is needed.\n"
        f"  received: {RUN}/vocab.txt and x.model\n"
        "  where:    --sp_model_file=x.model\n"
        "  example:  --vocab_file=vocab.txt\n",
    ),
    Mistake(
        "neither architecture nor checkpoint",
        _only(_VOCABULARY),
        "error: An encoder needs exactly one source of its architecture: --encoder_config_file, "
        "--bert_config_file, or encoder.type and encoder.config in gin.\n"
        "  received: none\n"
        "  where:    encoder.encoder_config_file (not set)\n"
        "  example:  --encoder_config_file=bert_encoder.yaml\n"
        "error: An encoder needs a checkpoint.\n"
        "  where:    checkpoint.model_checkpoint_path (not set)\n"
        "  example:  --model_checkpoint_path=bert_model.ckpt\n",
    ),
    Mistake(
        "two architectures",
        _with(("--bert_config_file", "x.json")),
        "error: An encoder needs exactly one source of its architecture: --encoder_config_file, "
        "--bert_config_file, or encoder.type and encoder.config in gin.\n"
        "  received: encoder.encoder_config_file and encoder.bert_config_file\n"
        "  where:    --bert_config_file=x.json\n"
        "  example:  --encoder_config_file=bert_encoder.yaml\n",
    ),
    Mistake(
        "no such architecture file",
        _with(("--encoder_config_file", "nope.yaml")),
        "error: The file must exist.\n"
        "  received: nope.yaml\n"
        "  where:    --encoder_config_file=nope.yaml\n",
    ),
    Mistake(
        "no such vocabulary",
        _with(("--vocab_file", "nope.txt")),
        "error: The file must exist.\n  received: nope.txt\n  where:    --vocab_file=nope.txt\n",
    ),
    Mistake(
        "no such checkpoint",
        _with(("--model_checkpoint_path", f"{RUN}/ckpt-7")),
        "error: The checkpoint is named by the prefix of its files, without .index or .data-…; "
        "PREFIX.index must exist.\n"
        f"  received: {RUN}/ckpt-7\n"
        f"  where:    --model_checkpoint_path={RUN}/ckpt-7\n"
        f"  example:  --model_checkpoint_path={_CHECKPOINT}\n",
    ),
    Mistake(
        "no such step",
        lambda place: [f"--pretraining_dir={RUN}", "--checkpoint=5", f"--vocab_file={RUN}/v"],
        "error: --checkpoint must be latest, best, or a global step that the run has saved.\n"
        f"  received: 5; {RUN} has {STEP}\n"
        "  where:    --checkpoint=5\n"
        f"  example:  --checkpoint={STEP}\n",
    ),
    # What is something else.
    Mistake(
        "an index for a checkpoint",
        _with(("--model_checkpoint_path", f"{_CHECKPOINT}.index")),
        "error: The checkpoint is named by the prefix of its files, without .index or .data-…; "
        "PREFIX.index must exist.\n"
        f"  received: {_CHECKPOINT}.index\n"
        f"  where:    --model_checkpoint_path={_CHECKPOINT}.index\n"
        f"  example:  --model_checkpoint_path={_CHECKPOINT}\n",
    ),
    Mistake(
        "a data file for a checkpoint",
        _with(("--model_checkpoint_path", f"{_CHECKPOINT}.data-00000-of-00001")),
        "error: The checkpoint is named by the prefix of its files, without .index or .data-…; "
        "PREFIX.index must exist.\n"
        f"  received: {_CHECKPOINT}.data-00000-of-00001\n"
        f"  where:    --model_checkpoint_path={_CHECKPOINT}.data-00000-of-00001\n"
        f"  example:  --model_checkpoint_path={_CHECKPOINT}\n",
    ),
    Mistake(
        "a folder without checkpoints for one",
        _folder(_with(("--model_checkpoint_path", "some"))),
        "error: A directory given as the checkpoint must hold one, or a file `checkpoint` that "
        "names the newest.\n"
        "  received: some with no checkpoint\n"
        "  where:    --model_checkpoint_path=some\n"
        "  example:  --model_checkpoint_path=some/bert_model.ckpt\n",
    ),
    Mistake(
        "a folder for a run's",
        _folder(_only(("--pretraining_dir", "some"), _VOCABULARY)),
        "error: A pre-training run's directory must hold params.yaml, which the trainer writes "
        "there.\n"
        "  received: some\n"
        "  where:    --pretraining_dir=some\n"
        "  example:  --pretraining_dir=/models/bert_run\n",
    ),
    Mistake(
        "a folder for a vocabulary",
        _folder(_with(("--vocab_file", "some"))),
        "error: A file is needed here, not a folder.\n"
        "  received: some\n"
        "  where:    --vocab_file=some\n",
    ),
    Mistake(
        "a SentencePiece model for a vocabulary",
        _with(("--vocab_file", str(SENTENCEPIECE))),
        "error: vocab_file takes a WordPiece vocabulary, text with one piece a line; a "
        "SentencePiece model goes to sp_model_file.\n"
        f"  received: {SENTENCEPIECE} (looks like a SentencePiece model)\n"
        f"  where:    --vocab_file={SENTENCEPIECE}\n"
        "  example:  --sp_model_file=30k-clean.model\n",
    ),
    Mistake(
        "averages of a run without any",
        _with(("--weights", "ema")),
        "error: --weights=ema needs a checkpoint of a run with exponential moving averages.\n"
        f"  received: {_CHECKPOINT} without averages\n"
        "  where:    --weights=ema\n"
        "  example:  --weights=raw\n",
    ),
    # What files hold.
    Mistake(
        "an empty vocabulary",
        _file("--vocab_file", ""),
        "error: The file must not be empty.\n"
        "  received: file.txt (0 bytes)\n"
        "  where:    --vocab_file=file.txt\n",
    ),
    Mistake(
        "a vocabulary without special tokens",
        _file("--vocab_file", "[PAD]\n[UNK]\nword\n", _PREPROCESSING),
        "error: The vocabulary must have the special tokens that inputs are packed with. If it "
        "spells them otherwise, say how.\n"
        "  received: file.txt has no '[CLS]' (start_of_sequence_id), '[SEP]' (end_of_segment_id)\n"
        "  where:    tokenizer.special_tokens (not set)\n"
        '  example:  tokenizer.special_tokens = {"padding_id": "<pad>"}\n',
    ),
    Mistake(
        "a misspelt name in the architecture",
        _file("--encoder_config_file", "type: bert\nbert: {num_layrs: 2}\n"),
        "error: Every name in the encoder's configuration must be known; bert.num_layrs is not.\n"
        "  received: bert.num_layrs: 2 in file.txt\n"
        "  where:    --encoder_config_file=file.txt\n"
        "  example:  did you mean num_layers?\n",
    ),
    Mistake(
        "a wrong type in the architecture",
        _file("--encoder_config_file", "type: bert\nbert: {num_layers: two}\n"),
        "error: bert.num_layers in the encoder's configuration must be of type int.\n"
        "  received: 'two' in file.txt\n"
        "  where:    --encoder_config_file=file.txt\n"
        "  example:  num_layers: 12\n",
    ),
    Mistake(
        "an unknown type of encoder",
        _file("--encoder_config_file", "type: brt\n"),
        "error: An encoder's type must be one of albert, bert, bert_v2, bigbird, funnel, kernel, "
        "mobilebert, reuse, xlnet, query_bert, fnet, sparse_mixer, any.\n"
        "  received: type 'brt' in file.txt\n"
        "  where:    --encoder_config_file=file.txt\n"
        "  example:  type: bert\n",
    ),
    # Where to.
    Mistake(
        "too short a sequence",
        _with(_PREPROCESSING, ("--default_seq_length", "2")),
        "error: --default_seq_length must leave room for [CLS], one token and [SEP].\n"
        "  received: 2\n"
        "  where:    --default_seq_length=2\n"
        "  example:  --default_seq_length=128\n",
    ),
    Mistake(
        "an export that is there",
        _with(),
        "error: An existing export is not overwritten unasked.\n"
        "  received: {folder}/exports/earlier\n"
        "  where:    --export_path={folder}/exports/earlier\n"
        "  example:  --overwrite, or another --export_path\n",
    ),
    Mistake(
        "a folder of something else to be overwritten",
        _folder(_with(("--export_path", "some"), _OVERWRITE)),
        "error: --overwrite replaces an export and nothing else.\n"
        "  received: {folder}/some with file\n"
        "  where:    --export_path=some\n"
        "  example:  another --export_path\n",
    ),
    Mistake(
        "warm-up requests of no rows",
        _with(("--gin_params", "warmup.batch_sizes = [1, 0]")),
        "error: warmup.batch_sizes takes a list of positive whole numbers.\n"
        "  received: [1, 0]\n"
        "  where:    --gin_params=warmup.batch_sizes = [1, 0]\n"
        "  example:  warmup.batch_sizes = [1, 32]\n",
    ),
    Mistake(
        "warm-up requests that are too long",
        _with(("--gin_params", "warmup.batch_sizes = [1]\nwarmup.seq_lengths = [64, 256]")),
        "error: Warm-up requests must not be longer than the sequences that the encoder has "
        "positions for.\n"
        "  received: 256, with 128 positions\n"
        "  where:    --gin_params, line 2\n"
        "  example:  warmup.seq_lengths = [128]\n",
    ),
    # What a text embedding is made of.
    Mistake(
        "a number of layers that nothing takes",
        _with(_TEXT_EMBEDDING, ("--gin_params", "text_embedding.num_layers = 2")),
        "error: text_embedding.num_layers has a meaning for 'mean_of_last_layers' only.\n"
        "  received: num_layers = 2 with vector = 'pooled_output'\n"
        "  where:    --gin_params=text_embedding.num_layers = 2\n"
        "  example:  text_embedding.vector = 'mean_of_last_layers'\n",
    ),
    Mistake(
        "no layers",
        _with(_TEXT_EMBEDDING, ("--gin_params", f"{_MEAN}\ntext_embedding.num_layers = 0")),
        "error: text_embedding.num_layers must be a whole number, at least 1.\n"
        "  received: 0\n"
        "  where:    --gin_params, line 2\n"
        "  example:  text_embedding.num_layers = 4\n",
    ),
    Mistake(
        "more layers than there are",
        _with(_TEXT_EMBEDDING, ("--gin_params", f"{_MEAN}\ntext_embedding.num_layers = 3")),
        "error: text_embedding.num_layers must not be more than the encoder has.\n"
        "  received: 3, with 2 layers\n"
        "  where:    --gin_params, line 2\n"
        "  example:  text_embedding.num_layers = 2\n",
    ),
    Mistake(
        "more layers than there are by default",
        _with(_TEXT_EMBEDDING, ("--gin_params", _MEAN)),
        "error: text_embedding.num_layers must not be more than the encoder has.\n"
        "  received: 4 by default, with 2 layers\n"
        "  where:    text_embedding.num_layers (not set)\n"
        "  example:  text_embedding.num_layers = 2\n",
    ),
]
