r"""Makes the test data from text found on any machine with CPython.

    python -m tests.testdata.make_testdata --output_dir=/tmp/testdata

runs from the project's directory and needs the dependency group `train`. It takes some minutes.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Sequence

from absl import app, flags, logging

from tests.testdata import corpus, pretraining, vocabularies

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Where to write; what is there is not overwritten.", required=True
)
_RUNS = flags.DEFINE_multi_enum(
    "run", ["bert_tiny"], sorted(pretraining.RUNS), "The run to make; repeat it for several ones."
)

_WORDPIECE_MAX_SIZE = 3400
_SENTENCEPIECE_SIZE = 1000
_VALIDATION_SHARE = 20  # One document in so many is held out.


def make(output_dir: pathlib.Path, runs: Sequence[pretraining.Run], dupe_factor: int) -> None:
    """Writes `spm/spm.model` and a directory for each run.

    Args:
      output_dir: The directory that takes them; made if missing.
      runs: What to train.
      dupe_factor: How often each sentence is trained with, masked differently each time.
    """
    documents = corpus.documents()
    sentences = [sentence for document in documents for sentence in document]
    logging.info("Corpus: %d documents, %d sentences.", len(documents), len(sentences))
    with tempfile.TemporaryDirectory() as temporary:
        vocab_file = pathlib.Path(temporary, "vocab.txt")
        size = vocabularies.write_wordpiece(sentences, vocab_file, _WORDPIECE_MAX_SIZE)
        wordpiece = pretraining.Tokenizer(vocab_file, size)
        sp_model_file = output_dir / "spm" / "spm.model"
        sp_model_file.parent.mkdir(parents=True, exist_ok=True)
        vocabularies.write_sentencepiece(sentences, sp_model_file, _SENTENCEPIECE_SIZE)
        sentencepiece = pretraining.Tokenizer(sp_model_file, _SENTENCEPIECE_SIZE)
        for run in runs:
            tokenizer = sentencepiece if run.encoder_type == "albert" else wordpiece
            examples = pathlib.Path(temporary, tokenizer.path.stem)
            if not examples.exists():
                write_examples(documents, tokenizer, examples, dupe_factor)
            pretraining.pretrain(run, tokenizer, examples, output_dir)


def write_examples(
    documents: Sequence[corpus.Document],
    tokenizer: pretraining.Tokenizer,
    directory: pathlib.Path,
    dupe_factor: int,
) -> None:
    """Writes the examples to train with and, of other documents, to validate with.

    Args:
      documents: The corpus.
      tokenizer: The vocabulary.
      directory: The directory to make.
      dupe_factor: How often each sentence is trained with, masked differently each time.
    """
    directory.mkdir()
    held_out = documents[::_VALIDATION_SHARE]
    train = [document for i, document in enumerate(documents) if i % _VALIDATION_SHARE]
    for name, part, dupes in (
        (pretraining.TRAIN_EXAMPLES, train, dupe_factor),
        (pretraining.VALIDATION_EXAMPLES, held_out, 1),
    ):
        text = directory / f"{name}.txt"
        text.write_text("\n\n".join("\n".join(document) for document in part), encoding="utf-8")
        pretraining.write_examples(text, directory / name, tokenizer, dupes)


def main(argv: Sequence[str]) -> None:
    """Writes what the flags ask for."""
    if len(argv) > 1:
        raise app.UsageError(f"There are only flags, no arguments; received: {argv[1:]}.")
    runs = [pretraining.RUNS[name] for name in _RUNS.value]
    make(pathlib.Path(_OUTPUT_DIR.value).resolve(), runs, dupe_factor=20)


if __name__ == "__main__":
    app.run(main)
