"""Ingest and build a history, dying by SIGKILL at a touch of the lake; see test_kill_ingest."""

from pathlib import Path

from tasks.history.history import build_history
from tasks.ingest.ingest import ingest
from tests.flows.kill_anywhere import Touches
from tests.tiny_lake import night

SETTINGS = {"history": {"n_user_shards": 2}}


def ingest_and_build(lake: Path, die_at: int | None, said) -> None:
    """Do the first two steps of the night of the tiny lake's day; tell how many touches it took."""
    tonight = night(lake, **SETTINGS)
    touches = Touches(lake, die_at)
    touches.listen()
    build_history(tonight, ingest(tonight))
    said.put(touches.count)
