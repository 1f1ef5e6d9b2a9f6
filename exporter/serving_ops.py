"""Whether TensorFlow Serving can run a SavedModel: it has no Python and takes no custom ops.

Its model server is linked with all of TensorFlow's ops and with all of TensorFlow Text's (target
`SUPPORTED_TENSORFLOW_OPS` of its `model_servers/BUILD`).
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Collection

import tensorflow as tf
import tensorflow_text as tf_text

from exporter import reports, saved_models

_NEED_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})


def check(path: str) -> reports.Check:
    """Lists the ops of a SavedModel, and whether the model server has all of them.

    Args:
      path: The SavedModel.
    """
    return compare(saved_models.ops(path))


def compare(used: Collection[str]) -> reports.Check:
    """Compares the names of ops with those that the model server of this version has.

    Args:
      used: The names.
    """
    missing = sorted(set(used) - known())
    if missing:
        return reports.Check("ops", False, f"not in TensorFlow Serving: {', '.join(missing)}")
    found = f"{len(used)}, all in TensorFlow Serving {tf.__version__}"
    return reports.Check("ops", True, found, listed=tuple(sorted(used)))


@functools.cache
def known() -> frozenset[str]:
    """Returns the names of the ops that the model server of this version has."""
    names = set(dir(tf.raw_ops)) - _NEED_PYTHON
    folder = pathlib.Path(tf_text.__file__).parent / "python" / "ops"
    for library in folder.glob("*.so"):
        # Attributes are named like ops, with another separator after the name space.
        wrappers = vars(tf.load_op_library(str(library)))
        names.update(name.replace("TFText_", "TFText>") for name in wrappers)
    return frozenset(name for name in names if name[0].isupper())
