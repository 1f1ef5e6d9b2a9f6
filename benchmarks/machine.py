"""What the figures depend on besides the programs."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform

_DISTRIBUTIONS = ("tensorflow", "tensorflow-text", "tf-keras", "tf-models-official")


def description() -> dict[str, str]:
    """Describes machine and environment, without what would name them."""
    installed = list(importlib.metadata.distributions())
    names = {distribution.metadata["Name"] for distribution in installed}
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _DISTRIBUTIONS},
        "packages in the environment": str(len(names)),
    }


def _processor() -> str:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
