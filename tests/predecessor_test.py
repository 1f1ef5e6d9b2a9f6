"""What TF-NLP's own export_tfhub_lib writes passes but for what its interface lacks."""

from __future__ import annotations

import json
import pathlib

import pytest
import tensorflow as tf
from official.nlp.tools import export_tfhub_lib

import launch
from tests import encoder_exports, testing

_VOCABULARY = testing.TESTDATA / "bert_tiny" / "vocab.txt"
_CASE = encoder_exports.with_config(encoder_exports.BERT, num_layers=1)


def _verify(path: pathlib.Path, report: pathlib.Path, *source: str) -> dict[str, list[str]]:
    """Verifies a SavedModel, which is to pass, and returns the names of checks by how they ended.

    Those that passed are left out.
    """
    flags = [f"--export_path={path}", f"--report_dir={report}", *source]
    status = launch.run(["launch.py", "--mode=verify", *flags])
    (found,) = json.loads((report / "report.json").read_text(encoding="utf-8"))
    ended: dict[str, list[str]] = {"failed": [], "noted": [], "skipped": []}
    for check in found["checks"]:
        ended.setdefault(check["status"], []).append(check["name"])
    assert status == (3 if ended["failed"] else 0)
    assert len(ended.pop("passed")) > 25
    return ended


@pytest.mark.filterwarnings("ignore:Exception encountered when calling layer")
@pytest.mark.filterwarnings("ignore:Input dict contained keys")
def test_encoder(tmp_path: pathlib.Path) -> None:
    files = testing.write_files(_CASE, tmp_path / "source")
    # The predecessor takes what the trainer's checkpoint manager counts as well.
    checkpoint = tf.train.Checkpoint(**files.source.items("items"))
    prefix = checkpoint.save(str(tmp_path / "source" / "counted"))
    export_tfhub_lib.export_model(
        str(tmp_path / "export"),
        encoder_config=_CASE.encoder_config(),
        model_checkpoint_path=prefix,
        with_mlm=True,
        vocab_file=str(files.vocabulary),
        do_lower_case=False,
    )
    source = (
        f"--encoder_config_file={files.folder / 'encoder.yaml'}",
        f"--model_checkpoint_path={prefix}",
    )
    assert _verify(tmp_path / "export", tmp_path / "report", *source) == {
        "failed": [],
        # `.mlm` returns no `default`; outputs of the signature have Keras's names.
        "noted": ["mlm: default is there", "signatures: are what the calls are, by name"],
        "skipped": [
            "files: as the manifest has them",
            "manifest: describes the SavedModel",
            "vocabulary of the source",
        ],
    }


def test_preprocessing(tmp_path: pathlib.Path) -> None:
    export_tfhub_lib.export_preprocessing(
        str(tmp_path / "export"),
        vocab_file=str(_VOCABULARY),
        do_lower_case=True,
        tokenize_with_offsets=False,
        default_seq_length=64,
    )
    source = (f"--vocab_file={_VOCABULARY}", "--do_lower_case", "--default_seq_length=64")
    assert _verify(tmp_path / "export", tmp_path / "report", *source) == {
        # It names its table by a temporary folder of the machine: `hash_table_/tmp/...`.
        "failed": ["files: graph and names tell of no machine"],
        # Its documentation promises `preprocessor(text, seq_length=...)`, which raises TypeError.
        "noted": ["signatures: are what the calls are, by name", "call: takes seq_length"],
        "skipped": [
            "files: as the manifest has them",
            "manifest: describes the SavedModel",
            "vocab: pieces and ids",
            "detokenize: pieces put together",
            "tokenize: offsets",
            "packed inputs of other lengths",
        ],
    }
