"""Time and peak memory of a computation, each in a process of its own."""

import multiprocessing
import resource
from collections.abc import Callable
from typing import Any


def in_child(work: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """Return what the work returns, with the peak memory of its process in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, arguments))


def _measured(work: Callable[..., dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
    result = work(**arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux
    return result | {"peak_mb": round(peak / 1024)}
