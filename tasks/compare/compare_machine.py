"""What a comparison was measured on: processor, memory, system and versions."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

from data_contracts.comparison import Machine

_PACKAGES = ("hoarfrost", "numpy", "scipy", "torch", "numba", "implicit", "scikit-sparse")


def this_machine() -> Machine:
    """Return the machine without its name."""
    return Machine(
        processor=_processor(),
        n_cores=_cores(),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        system=platform.system(),
        versions={"python": platform.python_version()} | _versions(),
    )


def _cores() -> int:
    """Return the cores that this process may use."""
    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of an extra
            continue
    return found
