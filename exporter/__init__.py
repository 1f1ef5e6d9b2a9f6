"""Exports pre-trained text encoders as SavedModels for TF Hub."""

import os

# The encoders of TF-NLP are Keras 2 models. Set before TensorFlow is first imported, so that
# TensorFlow does not import Keras 3 (and with it whatever that finds installed).
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
