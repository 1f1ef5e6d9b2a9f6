"""What tokenizers do to text before they split it."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text as tf_text

from exporter import inflated_files

_ACCENT = r"\p{Mn}"
_CONTROL = r"[\p{Cc}\p{Cf}]"
_FILE = "bert_normalizer.zlib"


class WordpieceNormalizer(tf.Module):
    """Normalization as in `tensorflow_text.BertTokenizer`: control characters become spaces.

    Before that, text is folded to lower case, which unfolds ligatures and the like, and stripped of
    accents; or only put in lower case, as `AccentPreservingBasicTokenizer` does it; or only
    stripped of accents.
    """

    def __init__(self, *, lower_case: bool, strip_accents: bool) -> None:
        super().__init__()
        self._lower_case = lower_case
        self._strip_accents = strip_accents
        if lower_case and strip_accents:
            model = tf_text.build_fast_bert_normalizer_model(True)
            self._model = inflated_files.InflatedFile(_FILE, model)

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        """Normalizes texts, string `[B]`."""
        if self._lower_case and not self._strip_accents:
            # Control characters first: this op ends texts at null characters.
            return tf.strings.lower(_without_control(text), encoding="utf-8")
        if self._lower_case:
            text = tf_text.case_fold_utf8(text)
        return _without_control(_without_accents(text) if self._strip_accents else text)

    def without_context(self, text: tf.Tensor) -> tf.Tensor:
        """Normalizes texts, string `[B]`, each letter alike wherever it stands in its word.

        That is one letter of Greek, and both its forms are as long.
        """
        return tf.strings.regex_replace(self(text), "ς", "σ")

    def quick(self, text: tf.Tensor) -> tf.Tensor:
        """Normalizes texts of valid UTF-8, string `[B]`."""
        if not (self._lower_case and self._strip_accents):
            return self(text)
        # All in one, for each character from a table. But what stands between invalid bytes may
        # vanish, and what they then make together is not looked at again.
        return tf_text.FastBertNormalizer(model_buffer=self._model.read()).normalize(text)


class SentencepieceNormalizer(tf.Module):
    """Normalization of ALBERT's text, before what the SentencePiece model itself does."""

    def __init__(self, *, lower_case: bool, strip_accents: bool) -> None:
        super().__init__()
        self._lower_case = lower_case
        self._strip_accents = strip_accents

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        """Normalizes texts, string `[B]`."""
        if self._strip_accents:
            text = _without_accents(text)
        return tf_text.case_fold_utf8(text) if self._lower_case else text


def _without_accents(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(tf_text.normalize_utf8(text, "NFD"), _ACCENT, "")


def _without_control(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(text, _CONTROL, " ")
