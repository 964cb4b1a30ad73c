"""Run one night and die by SIGKILL in the middle of one step: a driver for test_kill.

Usage: python kill_inside.py CONFIG RUN_DATE POINT, where POINT is the name of a step (die when
its files are written but not yet in place), or one of the moments below.
"""

import os
import signal
import sys
from datetime import date
from pathlib import Path

import tasks.files
import tasks.ledger
import tasks.promotion
import tasks.snapshot
import tasks.steps
import tasks.training


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
    "epoch": lambda: die_after(tasks.training, "save_checkpoint"),
    "registered": lambda: die_before(tasks.promotion, "move_aliases"),
    "aliases": lambda: die_before(tasks.promotion, "append"),
    "placed": lambda: die_before(tasks.snapshot, "_point_latest"),
    "pointed": lambda: die_before(tasks.snapshot, "_retain"),
}


def arm(point: str) -> None:
    """Set the trap."""
    if point in MOMENTS:
        MOMENTS[point]()
        return
    module = tasks.snapshot if point in ("snapshot", "publish") else tasks.steps
    die_before(module, "commit", when=lambda staging, *rest: staging.name == point)


if __name__ == "__main__":
    config_path, run_date, point = sys.argv[1:]
    if point != "none":
        arm(point)
    from data_contracts.config import load_config
    from flows.nightly import nightly

    nightly(load_config(Path(config_path)), date.fromisoformat(run_date))
