"""Imported first by the process that the launcher `local` forks its processes of.

That one ends with the launcher, even while it imports TensorFlow: whoever waits for all that a
command prints would wait for it, too.
"""

from __future__ import annotations

import os

from exporter import supervision

supervision.end_with_parent(os.getppid())
