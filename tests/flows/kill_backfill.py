"""Run a backfill and die by SIGKILL in its second night: what test_backfill runs in a process."""

from datetime import date
from pathlib import Path

from data_contracts.config import load_config
from flows.backfill import backfill
from tests.flows.kill_inside import arm, calling


def backfill_until(point: str, config_path: str, days: list[date], api_url: str) -> None:
    """Run the nights of some days, dying at a point of the second one."""
    with calling(api_url):
        nights = backfill(load_config(Path(config_path)), days)
        next(nights)
        arm(point)
        next(nights)
