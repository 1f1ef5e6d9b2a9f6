"""Whether padding changes what an encoder gives for the tokens before it.

It should not: padding is masked. But MobileBERT makes an embedding of a token and its neighbours,
Funnel Transformers pool neighbours, and linear attention by kernels approximates the mask. For
these it matters how far texts are padded, and what they give must be asked for as it was trained.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfnlp_layers
from official.nlp.modeling import networks

from exporter import encoder_calls, encoders, findings, settings

_MASKED_NETWORKS = (
    networks.AlbertEncoder,
    networks.BertEncoder,
    networks.BertEncoderV2,
    networks.EncoderScaffold,
    networks.XLNetBase,
)
_MASKED_ATTENTION = (
    tf_keras.layers.MultiHeadAttention,
    tfnlp_layers.MultiHeadRelativeAttention,
    tfnlp_layers.TalkingHeadsAttention,
)
# Of others nothing is known.
_KNOWN_PACKAGES = ("official.", "tf_keras.")


def is_ignored(encoder: encoders.Encoder) -> bool:
    """Whether outputs for tokens are known to be the same whatever padding follows.

    Args:
      encoder: The encoder.
    """
    if encoder.architecture.type in encoder_calls.ONE_LENGTH:
        return True  # They are padded to that in any case.
    network = encoder.network
    return type(network) in _MASKED_NETWORKS and all(map(_is_masked, encoder.modules))


def find(
    encoder: encoders.Encoder, embedding: settings.TextEmbeddingSettings
) -> list[findings.Finding]:
    """Tells where a text embedding cannot be padded as it was asked for.

    Args:
      encoder: Its encoder.
      embedding: What was asked for.
    """
    if not embedding.pad_to_longest or is_ignored(encoder):
        return []
    return [
        findings.Finding(
            "padding",
            "the text embedding's texts are padded as preprocessing pads them, not to the longest "
            "in the batch, for this encoder's outputs depend on it or are not known not to",
        )
    ]


def _is_masked(module: tf.Module) -> bool:
    if isinstance(module, tf_keras.layers.MultiHeadAttention):
        return type(module) in _MASKED_ATTENTION
    if isinstance(module, tf_keras.layers.Layer):
        return type(module).__module__.startswith(_KNOWN_PACKAGES)
    return True
