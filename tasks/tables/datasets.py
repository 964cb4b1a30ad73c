"""The tables of a snapshot, and what lies beside them, as Arrow datasets: opened, not read."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from data_contracts.errors import ConfigError
from data_contracts.manifests import SnapshotManifest
from tasks.catalogue import catalogue_files
from tasks.lake import Night
from tasks.lists.segments import segment_files
from tasks.snapshot.snapshot import snapshots

_SURFACE = ds.partitioning(pa.schema([("surface", pa.string())]), flavor="hive")


def snapshot_datasets(folder: Path, manifest: SnapshotManifest) -> dict[str, ds.Dataset]:
    """Return the tables of a snapshot by name; a folder per surface becomes a column."""
    files: dict[str, list[str]] = {}
    for entry in manifest.files:
        files.setdefault(entry.path.partition("/")[0], []).append(str(folder / entry.path))
    return {
        table: ds.dataset(
            sorted(paths), format="parquet", partitioning=_SURFACE,
            partition_base_dir=str(folder / table),
        )
        for table, paths in sorted(files.items())
    }  # fmt: skip


def snapshot_before(lake: Path, manifest: SnapshotManifest) -> SnapshotManifest | None:
    """Return the newest published snapshot of an earlier run date, or None."""
    earlier = [each for each in snapshots(lake) if each.run_date < manifest.run_date]
    return earlier[-1] if earlier else None


def side_datasets(night: Night) -> dict[str, ds.Dataset]:
    """Return items and segments where there are such files, with the columns they have."""
    files = {"items": catalogue_files(night), "segments": segment_files(night).paths()}
    return {name: _union(name, paths) for name, paths in files.items() if paths}


def _union(name: str, paths: Sequence[Path]) -> ds.Dataset:
    try:
        schema = pa.unify_schemas([ds.dataset(path).schema for path in paths])
        return ds.dataset([str(path) for path in paths], schema=schema, format="parquet")
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(
            f"the files of {name} must be Parquet with columns of the same types: {error}"
        ) from error
