"""What an evaluation needs that an export does not."""

from __future__ import annotations

import importlib.util

from exporter import errors

# What TF-NLP's trainer and its tasks import, by the names of packages and modules.
_MODULES = {
    "sacrebleu": "sacrebleu",
    "scikit-learn": "sklearn",
    "seqeval": "seqeval",
    "tensorflow-datasets": "tensorflow_datasets",
    "tensorflow-hub": "tensorflow_hub",
}


def missing() -> list[errors.UserError]:
    """Returns that a package is not installed, if so, and how to get it."""
    names = [name for name, module in _MODULES.items() if not importlib.util.find_spec(module)]
    if not names:
        return []
    return [
        errors.UserError(
            "Fine-tuning, and the tasks of GLUE, need what TF-NLP's trainer imports: the group "
            "evaluate.",
            example="make .venv-evaluate; .venv-evaluate/bin/python launch.py --mode=evaluate ...",
            received=f"a Python without {', '.join(names)}",
        )
    ]


def require() -> None:
    """Raises if a package is not installed.

    Raises:
      UserError: It says how to get them.
    """
    errors.raise_all(missing())
