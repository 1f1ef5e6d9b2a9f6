r"""Makes the test data from text found on any machine with CPython.

    python -m tests.testdata.make_testdata --output_dir=/tmp/testdata

runs from the project's directory and needs the dependency group `train`. It takes a quarter of an
hour.
"""

from __future__ import annotations

import functools
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

from absl import app, flags, logging

from tests.testdata import corpus, pretraining, runs, vocabularies

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Where to write; what is there is not overwritten.", required=True
)
_RUNS = flags.DEFINE_multi_enum(
    "run", sorted(runs.RUNS), sorted(runs.RUNS), "The run to make; repeat it for several ones."
)

_WORDPIECE_MAX_SIZE = 3400
_SMALL_WORDPIECE_MAX_SIZE = 800
_SENTENCEPIECE_SIZE = 1000
_VALIDATION_SHARE = 20  # One document in so many is held out.


def make(output_dir: pathlib.Path, wanted: Sequence[runs.Run], dupe_factor: int) -> None:
    """Writes the vocabularies and a directory for each run.

    Args:
      output_dir: The directory that takes them; made if missing.
      wanted: What to train.
      dupe_factor: How often each sentence is trained with, masked differently each time.
    """
    documents = corpus.documents()
    sentences = [sentence for document in documents for sentence in document]
    logging.info("Corpus: %d documents, %d sentences.", len(documents), len(sentences))
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        tokenizers = _tokenizers(sentences, work, output_dir)
        examples = functools.cache(functools.partial(_examples, documents, work, dupe_factor))
        for run in wanted:
            tokenizer = tokenizers[run.vocabulary]
            directory = pretraining.pretrain(
                run, tokenizer, examples(tokenizer, run.from_text), output_dir
            )
            if run.vocabulary == runs.WORDPIECE:
                shutil.copy(tokenizer.path, directory)


def _tokenizers(
    sentences: Sequence[str], work: pathlib.Path, output_dir: pathlib.Path
) -> dict[str, pretraining.Tokenizer]:
    """Makes the vocabularies: in `output_dir`, those that are no run's own."""
    vocab_file = work / "vocab.txt"
    small_vocab_file = output_dir / "uncased" / "vocab.txt"
    sp_model_file = output_dir / "spm" / "spm.model"
    for path in (small_vocab_file, sp_model_file):
        path.parent.mkdir(parents=True, exist_ok=True)
    size = vocabularies.write_wordpiece(sentences, vocab_file, _WORDPIECE_MAX_SIZE)
    small_size = vocabularies.write_wordpiece(
        sentences, small_vocab_file, _SMALL_WORDPIECE_MAX_SIZE
    )
    vocabularies.write_sentencepiece(sentences, sp_model_file, _SENTENCEPIECE_SIZE)
    return {
        runs.WORDPIECE: pretraining.Tokenizer(vocab_file, size),
        runs.SMALL_WORDPIECE: pretraining.Tokenizer(small_vocab_file, small_size),
        runs.SENTENCEPIECE: pretraining.Tokenizer(sp_model_file, _SENTENCEPIECE_SIZE),
    }


def _examples(
    documents: Sequence[corpus.Document],
    work: pathlib.Path,
    dupe_factor: int,
    tokenizer: pretraining.Tokenizer,
    from_text: bool,
) -> pathlib.Path:
    """Writes the examples to train with and, of other documents, to validate with.

    Args:
      documents: The corpus.
      work: Takes their directory.
      dupe_factor: How often each sentence is trained with, masked differently each time.
      tokenizer: The vocabulary.
      from_text: Whether the examples are left to the trainer: text then.

    Returns:
      Their directory.
    """
    directory = pathlib.Path(tempfile.mkdtemp(dir=work))
    held_out = documents[::_VALIDATION_SHARE]
    train = [document for i, document in enumerate(documents) if i % _VALIDATION_SHARE]
    for name, part, dupes in ((runs.TRAIN, train, dupe_factor), (runs.VALIDATION, held_out, 1)):
        if from_text:
            pretraining.write_texts(part, directory / name)
        else:
            text = directory / f"{name}.txt"
            content = "\n\n".join("\n".join(document) for document in part)
            text.write_text(content, encoding="utf-8")
            pretraining.write_examples(text, directory / name, tokenizer, dupes)
    return directory


def main(argv: Sequence[str]) -> None:
    """Writes what the flags ask for."""
    if len(argv) > 1:
        raise app.UsageError(f"There are only flags, no arguments; received: {argv[1:]}.")
    wanted = [runs.RUNS[name] for name in _RUNS.value]
    make(pathlib.Path(_OUTPUT_DIR.value).resolve(), wanted, dupe_factor=20)


if __name__ == "__main__":
    app.run(main)
