"""State what tonight will take before anything runs, and compare it with what happened."""

import logging

from pydantic import ValidationError

from data_contracts.plan import KeptPlan, Plan, Range
from tasks.answers.status import STEPS
from tasks.files import digest, write_text
from tasks.lake import Night
from tasks.planning.expected import expect, new_files
from tasks.planning.first_estimate import first_memory, first_seconds, product_rate
from tasks.planning.scaled_estimate import recorded_nights, scaled_memory, scaled_seconds
from tasks.tables.table_size import expected_mb

logger = logging.getLogger(__name__)
_FILE = "plan.json"


def plan_night(night: Night) -> Plan:
    """Return what a night is expected to read, take and leave; nothing is written."""
    expected = expect(night)
    earlier = recorded_nights(night)
    if earlier:
        seconds = scaled_seconds(night, expected, earlier)
        memory = scaled_memory(night, expected, earlier)
        basis = f"scaled from what {len(earlier)} earlier night(s) took, the last of {max(earlier)}"
    else:
        rate = product_rate()
        seconds = first_seconds(night, expected, rate)
        memory = first_memory(night, expected)
        basis = (
            f"no night is recorded yet: rough constants, and {rate / 1e9:.0f} billion operations "
            "per second of a matrix product timed just now"
        )
    total = Range(low=0.0, high=0.0)
    for each in seconds.values():
        total = total.plus(each)
    return Plan(
        **expected.model_dump(),
        run_date=night.run_date,
        seconds={step: _rounded(seconds[step], 2) for step in STEPS if step in seconds},
        total_seconds=_rounded(total, 1),
        memory_mb={name: _rounded(each, 0) for name, each in memory.items()},
        table_mb={name: _rounded(each, 3) for name, each in expected_mb(night, expected).items()},
        basis=basis,
    )


def keep_plan(night: Night) -> Plan:
    """Return tonight's plan and leave it in the night's folder, for the report to compare with.

    A night that is started again with the same files and configuration keeps its first plan.
    """
    days = new_files(night).values()
    files = {name: path.stat().st_size for day in days for name, path in day.items()}
    config = night.config.model_dump(mode="json", exclude={"lake"})
    key = digest({"files": files, "config": config})
    kept = kept_plan(night)
    if kept is not None and kept.key == key:
        return kept.plan
    plan = plan_night(night)
    write_text(night.folder / _FILE, KeptPlan(key=key, plan=plan).model_dump_json(indent=2) + "\n")
    total = plan.total_seconds
    logger.info("plan: %d rows, %.0f to %.0f s, %s", plan.rows, total.low, total.high, plan.basis)
    return plan


def kept_plan(night: Night) -> KeptPlan | None:
    """Return the plan that a night left, or None where it left none that can be read."""
    try:
        text = (night.folder / _FILE).read_text(encoding="utf-8")
        return KeptPlan.model_validate_json(text)
    except (FileNotFoundError, ValidationError):
        return None


def _rounded(each: Range, digits: int) -> Range:
    return Range(low=round(each.low, digits), high=round(each.high, digits))
