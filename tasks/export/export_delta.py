"""Export to Delta: one table per table, overwritten in one commit each."""

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.manifests import SnapshotManifest
from tasks.export.export_source import TableSource
from tasks.extra import require


def write_delta(tables: Sequence[TableSource], manifest: SnapshotManifest, into: str) -> str:
    """Overwrite the Delta tables below a folder or URI; return it.

    A table whose last commit holds this very snapshot is left alone. Earlier snapshots stay
    readable as earlier versions. A commit covers one table: every row says its snapshot.
    """
    for table in tables:
        uri = f"{into.rstrip('/')}/{table.name}"
        if _last_snapshot(uri) != manifest.snapshot_id:
            _write(table, manifest, uri)
    return into


def _last_snapshot(uri: str) -> str | None:
    deltalake = require("deltalake", "delta")
    if not deltalake.DeltaTable.is_deltatable(uri):
        return None
    last: str | None = deltalake.DeltaTable(uri).history(1)[0].get("snapshot_id")
    return last


def _write(table: TableSource, manifest: SnapshotManifest, uri: str) -> None:
    deltalake = require("deltalake", "delta")
    fields = [
        field.with_metadata({"comment": table.columns[field.name]})
        for field in table.dataset.schema
    ]
    schema = pa.schema(fields)
    batches = (pa.RecordBatch.from_arrays(each.columns, schema=schema) for each in table.batches())
    deltalake.write_deltalake(
        uri,
        pa.RecordBatchReader.from_batches(schema, batches),
        mode="overwrite",
        schema_mode="overwrite",
        partition_by=["surface"] if "surface" in table.columns else None,
        name=table.name,
        description=table.description,
        commit_properties=deltalake.CommitProperties(
            custom_metadata={
                "snapshot_id": manifest.snapshot_id,
                "run_date": str(manifest.run_date),
                "model_version": manifest.model_version,
            }
        ),
    )
