"""Promote, roll back, or end a night, dying by SIGKILL before the n-th write that others see.

What test_kill_registry runs in processes of its own. A write is every call of MLflow's client
that changes something, each part of a line of the ledger, each change of latest and of
latest.json. Dying before one is dying after the one before it.
"""

import os
import signal
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path

from mlflow import MlflowClient

from data_contracts.config import load_config
from data_contracts.manifests import HistoryManifest, IngestManifest, MatrixManifest, TrainManifest
from tasks.answers.status import lake_status
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.judging.judging import judge_model
from tasks.lake import Night
from tasks.lists.checking import check_lists
from tasks.lock import lake_lock
from tasks.registry.decision import promote_version, roll_back
from tasks.registry.promotion import promote_model
from tasks.registry.registry_state import ALIASES
from tasks.snapshot.remote_snapshot import latest_remote
from tasks.snapshot.snapshot import NoSnapshotError, publish_snapshot
from tasks.source.object_store import ObjectStore
from tasks.steps import read_manifest
from tasks.tables.materialising import materialise_tables
from tasks.training.training import train_model

CHANGING = ("create_", "set_", "delete_", "log_", "update_", "rename_", "finalize_", "copy_")
LEDGER = "promotions.jsonl"
POINTERS = ("latest", ".latest.new")


class Writes:
    """Counts writes by their names, and dies before one of them."""

    def __init__(self, lake: Path, die_at: int | None) -> None:
        self.names, self.die_at, self.lake = [], die_at, str(lake)

    def about_to(self, name: str) -> None:
        """Note a write that comes now, or die."""
        self.names.append(name)
        if len(self.names) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def listen(self) -> None:
        """Hear of all writes of this process from now on."""
        for name in dir(MlflowClient):
            if name.startswith(CHANGING):
                self._hear_calls(MlflowClient, name)
        for name in ("swap", "put", "delete"):
            self._hear_calls(ObjectStore, name)
        opened = Path.open

        def opening(path, mode="r", *args, **kwargs):
            file = opened(path, mode, *args, **kwargs)
            return TornFile(file, self) if path.name == LEDGER and "a" in mode else file

        Path.open = opening
        sys.addaudithook(self._heard)

    def _hear_calls(self, kind, name: str) -> None:
        original = getattr(kind, name)

        def heard(*args, **kwargs):
            what = next((str(arg) for arg in args[1:] if str(arg) in ALIASES), "")
            self.about_to(f"{name} {what}".strip())
            return original(*args, **kwargs)

        setattr(kind, name, heard)

    def _heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in ("os.rename", "os.symlink", "os.remove"):
            places = [str(each) for each in arguments[:2]]
            if any(
                place.startswith(self.lake) and Path(place).name in POINTERS for place in places
            ):
                self.about_to(event)


class TornFile:
    """A file whose every write reaches the disk in three parts."""

    def __init__(self, file, writes: Writes) -> None:
        self._file, self._writes = file, writes

    def write(self, data: bytes) -> None:
        """Write, and maybe die, in the middle and before the end of the line."""
        parts = data[: len(data) // 2], data[len(data) // 2 : -1], data[-1:]
        for name, part in zip(("begin", "middle", "end"), parts, strict=True):
            self._writes.about_to(f"ledger {name}")
            self._file.write(part)
            self._file.flush()

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def prepare(config_path: Path, run_date: date) -> None:
    """Run a night up to its training."""
    night = Night(config=load_config(config_path), run_date=run_date)
    train_model(night, build_matrices(night, build_history(night, ingest(night))))


def act(action, config_path: Path, given, environment, die_at, said) -> None:
    """Do something, die in the middle or tell the writes, and how lake and registry stand.

    Args:
        action: "night", "decide", which ends a night with its promotion, "promote", "rollback".
        config_path: of the lake.
        given: run date, version or target.
        environment: of the process.
        die_at: number of a write; None to live.
        said: a queue.
    """
    os.environ |= environment
    config = load_config(config_path)
    writes = Writes(Path(config.lake), die_at)
    before = look(config)
    writes.listen()
    if action == "promote":
        promote_version(config, given, "better, says an online test", force=True)
    elif action == "rollback":
        roll_back(config, given, "böse lists")
    else:
        finish(Night(config=config, run_date=given), publishing=action == "night")
    writes.about_to("tell")
    said.put((writes.names, before, look(config)))


def look(config):
    """Return what status says, and the snapshot of latest.json."""
    remote = None
    with suppress(NoSnapshotError):
        remote = latest_remote(config.publish)[1].snapshot_id
    return lake_status(config).model_dump(mode="json") | {"remote": remote}


def finish(night: Night, *, publishing: bool) -> None:
    """Do the rest of a night that was prepared."""
    kinds = {
        "ingest": IngestManifest, "history": HistoryManifest, "matrices": MatrixManifest,
        "train": TrainManifest,
    }  # fmt: skip
    done = {name: read_manifest(night.step(name), kind) for name, kind in kinds.items()}
    with lake_lock(night.lake):
        judged = judge_model(night, done["matrices"], done["train"])
        promoted = promote_model(night, done["train"], judged, done["matrices"])
        if not publishing:
            return
        snapshot = materialise_tables(night, done["ingest"], done["matrices"], promoted)
        checked = check_lists(night, done["history"], done["matrices"], snapshot)
        publish_snapshot(night, snapshot, checked)
