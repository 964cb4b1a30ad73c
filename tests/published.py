"""Small snapshots, published without a night before them."""

from datetime import date, timedelta
from pathlib import Path

from data_contracts.config import NightlyConfig
from data_contracts.manifests import CheckManifest, PublishManifest, SnapshotManifest
from tasks.lake import Night
from tasks.snapshot.snapshot import publish_snapshot
from tasks.steps import commit, entries

FIRST = date(2026, 9, 1)
TABLES = ("top_n/surface=home", "item_embeddings")


def staged(
    lake: Path, ago: int, version: str = "1", keep: int = 3, size: int = 0, **publishing: object
) -> tuple[Night, SnapshotManifest, CheckManifest]:
    """Write the tables of a night, two files that say whose they are, ready to be published."""
    run_date = FIRST + timedelta(days=ago)
    config = NightlyConfig(
        lake=str(lake), tables={"keep_snapshots": keep}, publish=publishing
    )  # fmt: skip
    night, staging = Night(config=config, run_date=run_date), lake / "staged"
    snapshot_id = f"{run_date}-v{version}"
    for table in TABLES:
        (staging / table).mkdir(parents=True)
        content = snapshot_id.encode().ljust(size, b".")
        (staging / table / "part.txt").write_bytes(content)
    snapshot = SnapshotManifest(
        step="materialise", run_date=run_date, key="k", snapshot_id=snapshot_id,
        files=entries(staging, {f"{table}/part.txt": 1 for table in TABLES}),
        model_version=version, config_digest="", code_version="", inputs={}, rows={"top_n": 1},
        fallback_share=0.0, short_lists=0,
    )  # fmt: skip
    commit(staging, night.step("materialise"), snapshot)
    return night, snapshot, CheckManifest(step="check", run_date=run_date, key="k", rules={},
                                          users=1)  # fmt: skip


def publish(lake: Path, ago: int, version: str = "1", **more: object) -> PublishManifest:
    """Publish a snapshot of the day so many days after the first."""
    return publish_snapshot(*staged(lake, ago, version, **more))


def reads_as_one(folder: Path, manifest: SnapshotManifest) -> bool:
    """Tell whether every file of a snapshot is there and says its name."""
    texts = [(folder / entry.path).read_text(encoding="utf-8") for entry in manifest.files]
    return [text.rstrip(".") for text in texts] == [manifest.snapshot_id] * len(TABLES)
