"""Forget people, dying by SIGKILL at the n-th touch of the lake: what a test runs in a process."""

import os
from pathlib import Path

from data_contracts.config import NightlyConfig
from tasks.forgetting.forgetting import forget_people
from tests.flows.kill_anywhere import Touches


def act(config: NightlyConfig, user_ids: tuple[str, ...], environment, die_at, said) -> None:
    """Forget people, and tell the touches of the lake if it lives."""
    os.environ |= environment
    touches = Touches(Path(config.lake), die_at)
    touches.listen()
    forget_people(config, user_ids, reason="asked", wait_seconds=0.0)
    said.put(touches.count)
