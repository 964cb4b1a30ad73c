"""A lake whose tables are written by the test: what stands in them is known to the last row."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.item_embeddings import item_embeddings_schema
from data_contracts.manifests import CheckManifest, SnapshotManifest
from data_contracts.short_lists import short_lists_schema
from data_contracts.similar_items import similar_items_schema
from data_contracts.top_n import top_n_schema
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.lake import Night
from tasks.snapshot.snapshot import publish_snapshot
from tasks.snapshot.stamp import Stamp
from tasks.steps import commit, entries
from tasks.tables.table_file import TableWriter
from tests.tiny_lake import DAY, SCHEMA, at, night, write_day

Lists = Mapping[object, Sequence[object]]  # user -> items, best first
ITEMS = [f"i{k}" for k in range(6)]


def history_night(lake: Path, day: date = DAY, *, user=str, item=str, **sections: object) -> Night:
    """A night with matrices: user k has met item k and, all of them, item 0; nine users."""
    rows = [
        (user(u), item(i), "view", at(1 + u, day)) for u in range(9) for i in sorted({0, u % 6})
    ]
    write_day(lake, rows, day=day, schema=_schema(user, item))
    made = night(lake, day, **({"history": {"half_life_days": None}} | sections))
    build_matrices(made, build_history(made, ingest(made)))
    return made


def _schema(user: object, item: object) -> dict[str, pl.DataType]:
    types = {"user_id": user, "item_id": item}
    return SCHEMA | {name: pl.Int64() for name, kind in types.items() if kind is int}


def write_catalogue(lake: Path, ids: Sequence[object] = ITEMS) -> None:
    """Titles and categories for items; the last one cannot be had."""
    (lake / "items").mkdir(parents=True, exist_ok=True)
    n = len(ids)
    columns = {
        "item_id": ids,
        "title": [f"Title of {item}" for item in ids],
        "category": [f"kind {k % 2}" for k in range(n)],
        "available": [k < n - 1 for k in range(n)],
    }
    pl.DataFrame(columns).write_parquet(lake / "items" / "items.parquet")


def write_tables(
    made: Night, surfaces: Mapping[str, Lists], version: str = "1"
) -> SnapshotManifest:
    """Write the four tables as the step materialise leaves them; return their manifest."""
    staging = made.state / "staging" / "by_hand"
    stamp = Stamp(made.run_date, version, f"{made.run_date}-v{version}-hand")
    rows = {}
    for surface, lists in surfaces.items():
        rows |= _write_lists(staging, surface, lists, stamp)
    rows |= _write_items(staging, stamp, [i for lists in surfaces.values() for i in _items(lists)])
    per_table: dict[str, int] = {}
    for path, n in rows.items():
        per_table[path.partition("/")[0]] = per_table.get(path.partition("/")[0], 0) + n
    snapshot = SnapshotManifest(
        step="materialise", run_date=made.run_date, key=version, files=entries(staging, rows),
        snapshot_id=stamp.snapshot_id, model_version=version, config_digest="", code_version="",
        inputs={}, rows=per_table, fallback_share=0.0, short_lists=0,
    )  # fmt: skip
    commit(staging, made.step("materialise"), snapshot)
    return snapshot


def publish(made: Night, surfaces: Mapping[str, Lists], version: str = "1") -> SnapshotManifest:
    """Write the tables and publish them."""
    snapshot = write_tables(made, surfaces, version)
    check = CheckManifest(step="check", run_date=made.run_date, key=version, rules={}, users=1)
    publish_snapshot(made, snapshot, check)
    return snapshot


def _items(lists: Lists) -> list[object]:
    return [item for items in lists.values() for item in items]


def _write_lists(root: Path, surface: str, lists: Lists, stamp: Stamp) -> dict[str, int]:
    users = pl.Series(sorted(lists))
    n_most = max(map(len, lists.values()))
    top = [
        (
            user,
            rank,
            item,
            1.0 / rank,
            _source(rank),
            _reason(rank, items),
            _share(rank),
            _short(items, n_most),
        )
        for user, items in sorted(lists.items())
        for rank, item in enumerate(items, 1)
    ]
    short = [(u, len(i), "sources") for u, i in sorted(lists.items()) if len(i) < n_most]
    item_type = "integer" if isinstance(_items(lists)[0], int) else "string"
    user_type = "integer" if users.dtype.is_integer() else "string"
    return _write(
        root, f"top_n/surface={surface}", top_n_schema(user_type, item_type), top, stamp
    ) | _write(root, f"short_lists/surface={surface}", short_lists_schema(user_type), short, stamp)


def _source(rank: int) -> str:
    return "model" if rank < 3 else "popular"


def _reason(rank: int, items: Sequence[object]) -> object:
    return items[0] if rank == 2 else None  # of the right type is enough


def _share(rank: int) -> float | None:
    return 0.75 if rank == 2 else None


def _short(items: Sequence[object], n_most: int) -> str | None:
    return "sources" if len(items) < n_most else None


def _write(root: Path, folder: str, schema, rows: list[tuple], stamp: Stamp) -> dict[str, int]:
    types = {name: column.dtype.type for name, column in schema.columns.items()}
    given = [name for name in types if name not in stamp._fields]
    frame = pl.DataFrame(rows, schema={name: types[name] for name in given}, orient="row")
    name = "shard-000" if "surface" in folder else "part-000"
    path = f"{folder}/{name}.parquet"
    with TableWriter(root / path, schema) as writer:
        writer.write(
            frame.with_columns(c for c in stamp.columns() if c.meta.output_name() in types)
        )
    return {path: len(rows)}


def _write_items(root: Path, stamp: Stamp, items: list[object]) -> dict[str, int]:
    ids = sorted(set(items))
    item_type = "integer" if isinstance(ids[0], int) else "string"
    similar = [
        (item, rank, other, 1.0 / (1 + rank), "model")
        for item in ids
        for rank, other in enumerate([each for each in ids if each != item], 1)
    ]
    angles = np.linspace(0.0, 1.0, len(ids), dtype=np.float32)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    embeddings = [(item, vectors[k].tolist(), k + 1) for k, item in enumerate(ids)]
    return _write(root, "similar_items", similar_items_schema(item_type), similar, stamp) | _write(
        root, "item_embeddings", item_embeddings_schema(item_type, 2), embeddings, stamp
    )
