"""What an export reads: the tables of one snapshot as streams of batches, with their meaning."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds

from data_contracts.errors import ConfigError
from data_contracts.manifests import SnapshotManifest
from tasks.tables.datasets import snapshot_datasets

_BATCH_ROWS = 65_536
_SURFACE = "Surface the list is for: one place that shows recommendations."


class TableSource(NamedTuple):
    """One table of a snapshot."""

    name: str
    dataset: ds.Dataset
    description: str
    columns: dict[str, str]  # column -> its description, in order
    rows: int

    def reader(self) -> pa.RecordBatchReader:
        """Return a new stream over all rows, in the order of the files."""
        return pa.RecordBatchReader.from_batches(self.dataset.schema, self.batches())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, in the order of the files.

        One row group is in memory at a time: a scanner of the whole dataset would read ahead of
        a slow target by a gigabyte.
        """
        for file in self.dataset.get_fragments():
            for group in file.split_by_row_group():
                batches = group.to_batches(schema=self.dataset.schema, batch_size=_BATCH_ROWS)
                yield from (batch for batch in batches if batch.num_rows)


def open_tables(
    folder: Path, manifest: SnapshotManifest, only: str | None
) -> tuple[TableSource, ...]:
    """Return the tables of a snapshot, or the one that is asked for.

    Raises:
        ConfigError: there is no such table.
    """
    datasets = snapshot_datasets(folder, manifest)
    if only is not None and only not in datasets:
        raise ConfigError(f"table must be one of {', '.join(datasets)}, got {only}")
    return tuple(
        _source(name, dataset, manifest)
        for name, dataset in datasets.items()
        if only in (None, name)
    )


def _source(name: str, dataset: ds.Dataset, manifest: SnapshotManifest) -> TableSource:
    metadata = dataset.schema.metadata or {}
    known = json.loads(metadata.get(b"columns", b"{}")) | {"surface": _SURFACE}
    columns = {column: known.get(column, "") for column in dataset.schema.names}
    files = [each for each in manifest.files if each.path.startswith(f"{name}/")]
    description = metadata.get(b"description", b"").decode()
    return TableSource(name, dataset, description, columns, sum(each.rows for each in files))
