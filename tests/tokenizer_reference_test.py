from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
from official.nlp.modeling import layers

from exporter import settings, tokenizer_reference, tokenizers
from tests import tokenizer_texts as made

_TEXT = tf.constant([text for text in made.TEXTS if "\0" not in text])
_PIECES = [*made.PIECES, "fox", "e", "##e", "str", "##aße", "##asse", "straße", "Über", "Uber"]


def _same(choices: settings.TokenizerSettings) -> None:
    """Compares the exporter's tokenizer with what verification compares it with."""
    reference, special_tokens = tokenizer_reference.make(choices)
    tokenizer = tokenizers.make(
        vocab_file=choices.vocab_file,
        sp_model_file=choices.sp_model_file,
        do_lower_case=choices.do_lower_case,
        strip_accents=choices.strip_accents,
        special_tokens=choices.special_tokens,
    )
    made.assert_equal(tokenizer.tokenize(_TEXT), reference(_TEXT))
    if not choices.special_tokens:
        assert dict(tokenizer.special_tokens) == special_tokens


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
@pytest.mark.parametrize("kind", ["vocab_file", "sp_model_file"])
def test_every_choice(
    tmp_path: pathlib.Path, kind: str, lower_case: bool, strip_accents: bool
) -> None:
    path = made.write(tmp_path, dict.fromkeys(_PIECES))
    _same(
        settings.TokenizerSettings(
            **{kind: path if kind == "vocab_file" else made.SP_MODEL_FILE},
            do_lower_case=lower_case,
            strip_accents=strip_accents,
        )
    )


def test_vocabularies_that_upstream_refuses(tmp_path: pathlib.Path) -> None:
    pieces = [*made.PIECES, "[unused1]", "", "x y", "[unused1]", "", "x y", "fi"]
    path = made.write(tmp_path, pieces[:-1])
    with pytest.raises(tf.errors.InvalidArgumentError):
        layers.BertTokenizer(vocab_file=path, lower_case=True)
    _same(settings.TokenizerSettings(vocab_file=path, do_lower_case=True, strip_accents=True))


def test_unknown_token_spelled_otherwise(tmp_path: pathlib.Path) -> None:
    path = made.write(tmp_path, [piece.replace("[UNK]", "<unk>") for piece in made.PIECES])
    _same(
        settings.TokenizerSettings(
            vocab_file=path,
            do_lower_case=True,
            strip_accents=True,
            special_tokens={"unknown_id": "<unk>"},
        )
    )


def test_special_tokens_are_kept(tmp_path: pathlib.Path) -> None:
    path = made.write(tmp_path)
    choices = settings.TokenizerSettings(vocab_file=path, do_lower_case=True, strip_accents=True)
    tokenize, _ = tokenizer_reference.make(choices)
    kept = tokenizer_reference.keeping(tokenize, {"[MASK]": 4, "[MASK]s": 3})
    texts = ["the [MASK]fox", "", "[MASK]s", "\0[MASK][MASK]a\0b"]
    ids = made.ID
    assert kept(tf.constant(texts)).to_list() == [
        [[ids["the"]], [4], [ids["fox"]]],
        [],
        [[3]],
        [[4], [4], [ids["a"]], [ids["[UNK]"]]],
    ]
    tokenizer = tokenizers.make(vocab_file=path, do_lower_case=True, keep_special_tokens=True)
    kept = tokenizer_reference.keeping(tokenize, {"[MASK]": 4})
    made.assert_equal(tokenizer.tokenize(texts), kept(tf.constant(texts)))
