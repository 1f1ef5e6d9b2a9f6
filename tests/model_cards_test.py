"""The card's code runs as it stands, for each kind of export."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
import runpy

import pytest

import launch
from exporter import findings, model_cards
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
# What the card's code prints.
_PRINTED = {
    "model": "(1, 64) (1, 2, 64)\n",
    "model_with_mlm": "(1, 64) (1, 2, 64)\n(1, 1, 3391)\n",
    "preprocessing": "",
    "text_embedding": "(2, 64)\n",
    "all": "(2, 64) (2, 32, 64)\n(2, 1, 3391)\n(2, 64)\n",
}


def _card(path: pathlib.Path, export_type: str) -> str:
    flags = [
        f"--pretraining_dir={_RUN}",
        f"--vocab_file={_RUN}/vocab.txt",
        "--do_lower_case",
        f"--export_type={export_type}",
        f"--export_path={path}",
        "--verify=off",
    ]
    assert launch.run(["launch.py", *flags]) == 0
    return pathlib.Path(f"{path}.record", "README.md").read_text()


@pytest.mark.parametrize("export_type", _PRINTED)
def test_code_runs(
    export_type: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = _card(tmp_path / "my_bert", export_type)
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    (tmp_path / "code.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        runpy.run_path("code.py")
    assert printed.getvalue() == _PRINTED[export_type]
    assert str(tmp_path) not in card


def test_card_of_all(tmp_path: pathlib.Path) -> None:
    card = _card(tmp_path / "my_bert", "all")
    assert card.startswith(
        "# my_bert\n\n"
        "A pre-trained Transformer text encoder of type `bert` (2 layers, 64 hidden size, 2 "
        "attention heads), for TensorFlow 2.\n"
    )
    assert "| `my_bert/preprocessing` | strings to encoder inputs |\n" in card
    assert "\n- Sequences have at most 128 tokens, special ones included.\n" in card
    assert "\n- pooler: the encoder's own, never trained" in card
    assert "\n- Checkpoint `ckpt-6000` of step 6,000: 44 values (raw), SHA-256 of " in card
    assert "\n- Not verified\n" in card


_ORIGIN = {
    "kind": "preprocessing",
    "seq_length": 64,
    "vocabulary": {
        "name": "spm.model",
        "sha256": "0" * 64,
        "num_pieces": 30_000,
        "do_lower_case": False,
        "special_tokens": {"start_of_sequence_id": 2, "end_of_segment_id": 3},
    },
    "packages": {"tensorflow": "2.20.0"},
    "verification": {"level": "full", "limit": 1e-5, "checks": []},
}


def test_card_of_preprocessing() -> None:
    found = [
        findings.Finding("casing", "unlikely", is_warning=True),
        findings.Finding("checkpoint", "the latest"),
    ]
    card = model_cards.text("pre", {"": _ORIGIN}, found)
    assert "\n| `pre` | strings to encoder inputs |\n" in card
    assert 'preprocess = tf.saved_model.load("pre")\n' in card
    assert "pairs = preprocess.bert_pack_inputs(segments, seq_length=64)\n" in card
    assert "Text is taken as it is and split into the 30,000 pieces of `spm.model`" in card
    assert "\n- warning: casing: unlikely.\n" in card
    assert "the latest" not in card
    assert "- Loaded again and compared with TF-NLP's own code (`full`): float32 outputs" in card
