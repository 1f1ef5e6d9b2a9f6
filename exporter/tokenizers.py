"""Tokenizers, as TF-NLP's pre-training applies them, and their special tokens."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from exporter import (
    errors,
    findings,
    kept_tokens,
    sentencepiece_tokenizer,
    tokenization,
    vocabularies,
    wordpiece_tokenizer,
)

Tokenizer = tokenization.Tokenizer
SentencepieceTokenizer = sentencepiece_tokenizer.SentencepieceTokenizer
WordpieceTokenizer = wordpiece_tokenizer.WordpieceTokenizer

_logger = logging.getLogger(__name__)


def make(
    *,
    vocab_file: str | None = None,
    sp_model_file: str | None = None,
    do_lower_case: bool | None = None,
    strip_accents: bool | None = None,
    keep_special_tokens: bool = False,
    special_tokens: Mapping[str, str] | None = None,
) -> Tokenizer:
    """Returns the tokenizer of a file.

    Args:
      vocab_file: A WordPiece vocabulary; or
      sp_model_file: a SentencePiece model.
      do_lower_case: Whether text is lower-cased; None guesses, see `infer_do_lower_case`.
      strip_accents: Whether text is stripped of accents; None as BERT and ALBERT do it: always for
        a SentencePiece model, for WordPiece if text is lower-cased.
      keep_special_tokens: Whether special tokens that are written in texts are kept whole.
      special_tokens: How special tokens are spelled that are not spelled as usual, by purpose.

    Raises:
      UserError: Not exactly one file is given, or it is not what it should be.
    """
    lower_case = infer_do_lower_case(do_lower_case, vocab_file, sp_model_file)
    strip_accents = strips_accents(strip_accents, lower_case, is_wordpiece=bool(vocab_file))
    tokenizer: Tokenizer
    if vocab_file:
        usual = vocabularies.WORDPIECE_SPELLINGS
        tokenizer = WordpieceTokenizer(
            vocab_file, lower_case, strip_accents=strip_accents, special_tokens=special_tokens
        )
    else:
        assert sp_model_file
        usual = vocabularies.SENTENCEPIECE_SPELLINGS
        tokenizer = SentencepieceTokenizer(
            sp_model_file, lower_case, strip_accents=strip_accents, special_tokens=special_tokens
        )
    if not keep_special_tokens:
        return tokenizer
    spellings = vocabularies.spellings(usual, special_tokens)
    ids = {
        spellings[purpose]: i
        for purpose, i in tokenizer.special_tokens.items()
        if purpose in spellings
    }
    return kept_tokens.KeptTokens(tokenizer, ids)


def strips_accents(strip_accents: bool | None, lower_case: bool, *, is_wordpiece: bool) -> bool:
    """Returns whether text is stripped of accents, as BERT and ALBERT do it where that is None."""
    if strip_accents is not None:
        return strip_accents
    return lower_case or not is_wordpiece


def find(tokenizer: Tokenizer) -> list[findings.Finding]:
    """Lists what is to be said of a tokenizer."""
    if tokenizer.why_slow is None:
        return []
    return [
        findings.Finding(
            "tokenizer",
            f"the same ids by slower lookups, word by word: of this vocabulary there is no trie "
            f"({tokenizer.why_slow})",
        )
    ]


def infer_do_lower_case(
    do_lower_case: bool | None, vocab_file: str | None, sp_model_file: str | None
) -> bool:
    """Returns whether text is lower-cased, guessed if need be.

    Args:
      do_lower_case: The answer, or None for the guess: always for a SentencePiece model, and for a
        WordPiece vocabulary if its path, as given, contains "uncased". These are the conventions
        of ALBERT and BERT.
      vocab_file: The WordPiece vocabulary, or None.
      sp_model_file: The SentencePiece model, or None.

    Raises:
      UserError: Not exactly one of the files is given.
    """
    if bool(vocab_file) == bool(sp_model_file):
        raise errors.UserError(
            "Exactly one of vocab_file (WordPiece) and sp_model_file (SentencePiece) must be set.",
            received=f"vocab_file={vocab_file!r}, sp_model_file={sp_model_file!r}",
            example="--vocab_file=uncased_L-12_H-768_A-12/vocab.txt",
            setting="tokenizer.vocab_file",
        )
    if do_lower_case is not None:
        return do_lower_case
    if sp_model_file:
        guess, why = True, "as always with SentencePiece"
    else:
        guess = "uncased" in str(vocab_file)
        why = f"{'' if guess else 'no '}'uncased' in {vocab_file}"
    _logger.info("do_lower_case is not set: using %s (%s).", guess, why)
    return guess


def check_file(vocab_file: str | None, sp_model_file: str | None) -> None:
    """Checks that a file is a vocabulary or model, without making a tokenizer of it.

    Args:
      vocab_file: A WordPiece vocabulary; or
      sp_model_file: a SentencePiece model.

    Raises:
      UserError: It is missing, unreadable or something else.
    """
    if vocab_file:
        vocabularies.read(vocab_file)
    if sp_model_file:
        sentencepiece_tokenizer.load(sp_model_file)
