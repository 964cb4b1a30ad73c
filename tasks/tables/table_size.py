"""How large the tables of a snapshot are on disk, and how large tonight's may become."""

from data_contracts.manifests import SnapshotManifest
from data_contracts.plan import Expected, Range
from tasks.lake import Night
from tasks.planning.expected import last_manifest
from tasks.planning.first_estimate import BYTES_PER_ROW, listed_places, model_rank

_NOISE = (0.85, 1.2)  # of bytes per row, from night to night


def table_mb(snapshot: SnapshotManifest) -> dict[str, float]:
    """Return the megabytes of every table, in files of a snapshot."""
    sizes: dict[str, float] = {}
    for entry in snapshot.files:
        table = entry.path.partition("/")[0]
        sizes[table] = sizes.get(table, 0.0) + entry.bytes / 1e6
    return {table: round(size, 6) for table, size in sorted(sizes.items())}


def expected_mb(night: Night, expected: Expected) -> dict[str, Range]:
    """Return the megabytes that tables may take, from bytes per row of the last night or usual.

    Short lists are left out: whose list will be short is not known before.
    """
    rows = {
        "top_n": listed_places(night, expected).times(0.5, 1.0),  # lists may be short
        "similar_items": expected.items.times(0.5, 1.0).times(night.config.tables.n_similar),
        "item_embeddings": expected.items.times(0.5, 1.0),
    }
    last = last_manifest(night, "materialise", SnapshotManifest)
    sizes = {} if last is None else table_mb(last)
    found = {}
    for table, each in rows.items():
        if last is not None and last.rows.get(table):
            per_row = sizes[table] / last.rows[table]
            found[table] = each.times(per_row * _NOISE[0], per_row * _NOISE[1])
        elif table in BYTES_PER_ROW:
            low, high = BYTES_PER_ROW[table]
            found[table] = each.times(low / 1e6, high / 1e6)
        elif (rank := model_rank(night, expected)) is not None:
            found[table] = each.times(rank.low * 3.4e-6, rank.high * 4.2e-6 + 5e-5)
    return found
