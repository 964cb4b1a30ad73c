"""Run one night and die by SIGKILL in the middle of one step: what test_kill runs in a process.

A point is the name of a step (die when its files are written but not yet in place), or one of
the moments below.
"""

import os
import signal
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)

import tasks.files
import tasks.registry.ledger
import tasks.registry.promotion
import tasks.snapshot.snapshot
import tasks.steps
import tasks.training.training
from data_contracts.config import load_config
from flows.nightly import nightly


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_before(module, name, when=lambda *args: True):
    """Replace a function by one that dies instead of being called."""
    original = getattr(module, name)

    def dying(*args, **kwargs):
        if when(*args):
            die()
        return original(*args, **kwargs)

    setattr(module, name, dying)


def die_after(module, name):
    """Replace a function by one that dies once its work is done."""
    original = getattr(module, name)

    def dying(*args, **kwargs):
        original(*args, **kwargs)
        die()

    setattr(module, name, dying)


MOMENTS = {
    "epoch": lambda: die_after(tasks.training.training, "save_checkpoint"),
    "registered": lambda: die_before(tasks.registry.promotion, "show"),
    "aliases": lambda: die_before(tasks.registry.promotion, "append"),
    "placed": lambda: die_before(tasks.snapshot.snapshot, "point_latest"),
    "pointed": lambda: die_before(tasks.snapshot.snapshot, "_retain"),
}


def arm(point: str) -> None:
    """Set the trap."""
    if point in MOMENTS:
        MOMENTS[point]()
        return
    module = tasks.snapshot.snapshot if point in ("snapshot", "publish") else tasks.steps
    die_before(module, "commit", when=lambda staging, *rest: staging.name == point)


def calling(api_url: str) -> AbstractContextManager:
    """Let flows of this process call that Prefect API, without heartbeats, as prefect_api does."""
    return temporary_settings({PREFECT_API_URL: api_url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})


def run_until(point: str, config_path: str, run_date: str, api_url: str) -> None:
    """Run one night, dying at a point; "none" lets it end.

    The Prefect API is given: what forks this process may have been started before there was one.
    """
    if point != "none":
        arm(point)
    with calling(api_url):
        nightly(load_config(Path(config_path)), date.fromisoformat(run_date))
