"""Two throw-away flows that hand over like a night and its training, but do nothing."""

import time

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import run_deployment

from flows.children import stop_children

PATIENCE = 300


@flow(name="inner")
def inner() -> None:
    """Train for ever."""
    for _ in range(PATIENCE):
        time.sleep(1)


@task(cache_policy=NO_CACHE)
def hand_over() -> None:
    """Wait for the other worker, as a night does."""
    run_deployment("inner/gpu", timeout=PATIENCE, poll_interval=1)


@flow(name="outer", on_cancellation=[stop_children], on_failure=[stop_children])
def outer(fail: bool) -> None:
    """Hand over and wait, or fail while the other worker is at work."""
    if not fail:
        hand_over()
        return
    run = run_deployment("inner/gpu", timeout=20, poll_interval=1)
    raise RuntimeError(f"gave up on {run.name}")
