"""Manifests of steps that never ran, for what reads no more than manifests."""

from datetime import date
from pathlib import Path
from typing import Any

from data_contracts.config import NightlyConfig
from data_contracts.manifests import IngestManifest, LogFile, Manifest, MatrixManifest
from tasks.lake import Night
from tasks.steps import MANIFEST, manifest_text


def night_in(lake: Path, run_date: date, **settings: Any) -> Night:
    """A night on a lake, with settings that are not the default."""
    config = NightlyConfig.model_validate({"lake": str(lake)} | settings)
    return Night(config=config, run_date=run_date)


def leave(night: Night, manifest: Manifest) -> None:
    """Leave a manifest where a finished step has it."""
    folder = night.step(manifest.step)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")


def ingest_of(night: Night, *, sha256: str = "ab" * 32) -> IngestManifest:
    """Ten rows of one file, one of them refused."""
    file = LogFile(
        path="interactions/part.parquet", partition=night.run_date, bytes=9, modified_ns=1,
        sha256=sha256, rows=10, accepted=9, quarantined=1,
    )  # fmt: skip
    return IngestManifest(
        step="ingest", run_date=night.run_date, key="", log_files=(file,), refused_files=(),
        user_id_type="string", item_id_type="string", n_user_shards=1, rows=10, accepted=9,
        quarantined={"bot": 1}, accepted_by_day={night.run_date: 9}, late_rows=2,
    )  # fmt: skip


def matrices_of(night: Night, *, vocabulary: str = "cd" * 32) -> MatrixManifest:
    """Matrices of a few users, three of whom are held out."""
    return MatrixManifest(
        step="matrices", run_date=night.run_date, key="", n_users=7, n_items=5, n_interactions=9,
        n_heldout_users=3, n_users_without_target=1, n_shards=1, vocabulary_sha256=vocabulary,
        cut=night.cut,
    )  # fmt: skip
