"""What a night may take, by what earlier nights of the lake took."""

from collections.abc import Mapping
from datetime import date

from data_contracts.manifests import (
    IngestManifest,
    MatrixManifest,
)
from data_contracts.plan import Expected, Range, StepRecord
from tasks.lake import Night, night_folder, nights
from tasks.planning.durations import step_records
from tasks.steps import read_manifest

_NEWEST = 5  # recorded nights that count
_NOISE = (0.8, 1.25)  # of a time or a peak, from night to night
_STARTING = (8.0, 3.0)  # seconds that imports and compiling took then, and may take more now
_UNIT = {  # what a step's time grows with; those not named here take as long as before
    "ingest": "rows",
    "table_rules": "rows",
    "log_drift": "rows",
    "history": "interactions",
    "matrices": "interactions",
    "train": "interactions",
    "judge": "users",
    "materialise": "lists",
    "check": "lists",
    "compare": "lists",
    "publish": "lists",
}
_PEAKS = {"training": "train", "ranking": "materialise"}
Sizes = dict[str, float]


def recorded_nights(night: Night) -> dict[date, dict[str, StepRecord]]:
    """Return the records of the newest earlier nights that finished their tables."""
    found: dict[date, dict[str, StepRecord]] = {}
    for day in reversed([each for each in nights(night.lake) if each < night.run_date]):
        records = step_records(night_folder(night.lake, day))
        if "materialise" in records and len(found) < _NEWEST:
            found[day] = records
    return found


def scaled_seconds(
    night: Night, expected: Expected, earlier: Mapping[date, Mapping[str, StepRecord]]
) -> dict[str, Range]:
    """Return the time of every recorded step: between as long as before and in proportion."""
    ranges: dict[str, list[Range]] = {}
    for day, records in earlier.items():
        for step, record in records.items():
            growth = _growth(night, expected, day, _UNIT.get(step))
            ranges.setdefault(step, []).append(_time(record.seconds, growth))
    return {step: _hull(each) for step, each in ranges.items()}


def scaled_memory(
    night: Night, expected: Expected, earlier: Mapping[date, Mapping[str, StepRecord]]
) -> dict[str, Range]:
    """Return the peak of the process after training and after ranking, in MB."""
    ranges: dict[str, list[Range]] = {}
    for day, records in earlier.items():
        growth = _growth(night, expected, day, "interactions")
        for name, step in _PEAKS.items():
            if step in records:
                peak = _spread(records[step].peak_memory_mb, growth)
                ranges.setdefault(name, []).append(peak)
    return {name: _hull(each) for name, each in ranges.items()}


def _growth(night: Night, expected: Expected, day: date, unit: str | None) -> Range:
    """Return how many times the work of an earlier night tonight's is."""
    then = _sizes(night, day)
    places = sum(surface.n_top for surface in night.config.surfaces.values())
    now = {
        "rows": Range(low=expected.rows, high=expected.rows),
        "interactions": expected.interactions,
        "users": expected.users,
        "lists": expected.users.times(places),
    }
    if unit is None or not then.get(unit):
        return Range(low=1.0, high=1.0)
    return now[unit].times(1 / then[unit])


def _sizes(night: Night, day: date) -> Sizes:
    folder = night_folder(night.lake, day)
    ingest = read_manifest(folder / "ingest", IngestManifest)
    matrices = read_manifest(folder / "matrices", MatrixManifest)
    places = sum(surface.n_top for surface in night.config.surfaces.values())
    users = matrices.n_users if matrices else 0
    return {
        "rows": ingest.rows if ingest else 0,
        "interactions": matrices.n_interactions if matrices else 0,
        "users": users,
        "lists": users * places,
    }


def _spread(measured: float, growth: Range) -> Range:
    return Range(
        low=measured * min(growth.low, 1.0) * _NOISE[0],
        high=measured * max(growth.high, 1.0) * _NOISE[1],
    )


def _time(seconds: float, growth: Range) -> Range:
    """Return the time of a step; of a short one most may be starting, which is as it comes."""
    spread = _spread(seconds, growth)
    low = max(spread.low - _STARTING[0], spread.low / 10)
    return Range(low=low, high=spread.high + min(spread.high, _STARTING[1]))


def _hull(ranges: list[Range]) -> Range:
    return Range(low=min(each.low for each in ranges), high=max(each.high for each in ranges))
