"""Materialise, check and publish a prepared night, dying by SIGKILL at any moment.

What test_kill_anywhere runs in processes of its own. A moment is a number of touches of the
lake (a file opened, moved, linked, removed or synced), or a time that the parent waits.
"""

import os
import signal
import sys
import time
from datetime import date
from pathlib import Path

from threadpoolctl import threadpool_limits

from data_contracts.config import load_config
from data_contracts.manifests import (
    HistoryManifest,
    IngestManifest,
    MatrixManifest,
    PromoteManifest,
)
from tasks.day_rules.log_drift import compare_log
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.judging.judging import judge_model
from tasks.lake import Night
from tasks.lists.checking import check_lists
from tasks.lock import lake_lock
from tasks.registry.promotion import promote_model
from tasks.snapshot.snapshot import publish_snapshot
from tasks.steps import code_version, read_manifest
from tasks.tables.materialising import materialise_tables
from tasks.training.training import train_model

TOUCHES = frozenset(
    {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink"}
)
code_version()  # once for all processes, so that an edit meanwhile changes no key


class Touches:
    """Counts touches of a lake, and dies at one of them."""

    def __init__(self, lake: Path, die_at: int | None) -> None:
        self.count, self.die_at, self.lake = 0, die_at, str(lake)

    def listen(self) -> None:
        """Hear of all touches of this process from now on."""
        sys.addaudithook(self._heard)
        fsync = os.fsync

        def heard_fsync(handle: int) -> None:
            self._touched()
            fsync(handle)

        os.fsync = heard_fsync

    def _heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in TOUCHES and str(arguments[0]).startswith(self.lake):
            self._touched()

    def _touched(self) -> None:
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def prepare(config_path: Path, run_date: date) -> None:
    """Run a night up to its promotion."""
    night = Night(config=load_config(config_path), run_date=run_date)
    log = ingest(night)
    compare_log(night, log)
    matrices = build_matrices(night, build_history(night, log))
    train = train_model(night, matrices)
    promote_model(night, train, judge_model(night, matrices, train), matrices)


def finish(config_path: Path, run_date: date, environment, die_at: int | None, ready, said) -> None:
    """Do the rest of a night; tell its touches and seconds if it lives."""
    os.environ |= environment
    night = Night(config=load_config(config_path), run_date=run_date)
    touches = Touches(night.lake, die_at)
    kinds = {
        "ingest": IngestManifest, "history": HistoryManifest, "matrices": MatrixManifest,
        "promote": PromoteManifest,
    }  # fmt: skip
    done = {name: read_manifest(night.step(name), kind) for name, kind in kinds.items()}
    touches.listen()
    ready.set()
    begun = time.monotonic()
    with lake_lock(night.lake), threadpool_limits(1):
        snapshot = materialise_tables(night, done["ingest"], done["matrices"], done["promote"])
        check = check_lists(night, done["history"], done["matrices"], snapshot)
        publish_snapshot(night, snapshot, check)
    said.put((touches.count, time.monotonic() - begun))
