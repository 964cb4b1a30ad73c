"""What the steps of a night took: recorded beside them, read by the plans of later nights."""

import functools
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from pydantic import ValidationError

from data_contracts.manifests import Manifest
from data_contracts.plan import StepRecord
from tasks.files import write_text
from tasks.lake import Night
from tasks.steps import MANIFEST

P = ParamSpec("P")
R = TypeVar("R")
_FOLDER = "durations"


def recorded(step: Callable[P, R], name: str | None = None) -> Callable[P, R]:
    """Return the step, which now leaves a record of what it took when it did any work.

    A step that is used again keeps its record, and one that a kill cut short counts from its
    last start.

    Args:
        step: takes a night first, and returns a manifest or is named.
        name: of its folder, where it returns something else.
    """

    @functools.wraps(step)
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        night = args[0]
        if not isinstance(night, Night):
            return step(*args, **kwargs)
        before, started = _written(night), time.monotonic()
        result = step(*args, **kwargs)
        seconds = time.monotonic() - started
        done = result.step if isinstance(result, Manifest) else name
        if done is not None and _written(night).get(done, 0) != before.get(done, 0):
            _keep(night, done, seconds)
        return result

    return timed


def _written(night: Night) -> dict[str, int]:
    """Return when every finished step was written."""
    manifests = night.folder.glob(f"*/{MANIFEST}")
    return {path.parent.name: path.stat().st_mtime_ns for path in manifests}


def step_records(folder: Path) -> dict[str, StepRecord]:
    """Return what the steps of one night took, by step."""
    records = {}
    for path in sorted((folder / _FOLDER).glob("*.json")):
        try:
            records[path.stem] = StepRecord.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError:  # of another version
            continue
    return records


def _keep(night: Night, step: str, seconds: float) -> None:
    manifest = json.loads((night.step(step) / MANIFEST).read_text(encoding="utf-8"))
    known = step_records(night.folder).get(step)
    if known is not None and known.key == manifest["key"]:
        return  # written once more and the same, as a publication is
    record = StepRecord(
        step=step, key=manifest["key"], seconds=round(seconds, 3), peak_memory_mb=peak_memory_mb()
    )
    write_text(night.folder / _FOLDER / f"{step}.json", record.model_dump_json() + "\n")


def peak_memory_mb() -> int:
    """Return the most memory this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 2**10
