"""What all tests share: the environment of the exporter, and none of another test's leavings."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

import exporter

# Importing it chooses the Keras that TensorFlow is to use.
assert exporter.__name__ == "exporter"
# TensorFlow reads this once, when it is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(autouse=True)
def _own_global_state() -> Iterator[None]:
    """Gives back gin's configuration and the exporter's log level as they were."""
    import gin

    logger = logging.getLogger("exporter")
    level = logger.level
    yield
    logger.setLevel(level)
    gin.clear_config()  # Unlocks it, too.
