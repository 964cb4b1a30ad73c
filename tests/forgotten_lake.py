"""A lake of two nights in which people are known by name, in every place that can hold one."""

import shutil
from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from data_contracts.manifests import PartManifest
from data_contracts.report import UserExample
from tasks.files import sha256_of, write_text
from tasks.forgetting.forget_codes import holds_codes
from tasks.history.history import build_history
from tasks.history.history_part import parts_folder
from tasks.history.last_event import keep_last_events
from tasks.history.matrix import build_matrices
from tasks.ingest.id_codes import codes_folder
from tasks.ingest.ingest import ingest
from tasks.lake import Night
from tasks.report.report_page import report_page
from tasks.report.report_text import markdown
from tasks.steps import read_manifest
from tests.night_report import night_report, recommendation
from tests.published_lake import publish
from tests.tiny_lake import DAY, SCHEMA, at, night, write_day

N_USERS = 9
DAYS = (DAY, DAY + timedelta(days=1))
NAMES = tuple(f"person-{k}" for k in range(N_USERS))
NUMBERS = tuple(range(70_000, 70_000 + N_USERS))
TABLES = ("ingest", "history", "matrices", "last_events", "materialise")


def make_lake(
    lake: Path, ids: tuple = NAMES, *, without: Collection = (), **sections: object
) -> list[Night]:
    """Run two nights up to their published tables; return them.

    Args:
        lake: is made.
        ids: of the nine users.
        without: those who never come.
        sections: of the configuration.
    """
    numbers = isinstance(ids[0], int)
    schema = SCHEMA | ({"user_id": pl.Int64()} if numbers else {})
    there = [(k, user) for k, user in enumerate(ids) if user not in without]
    made = []
    for day in DAYS:
        rows = [(u, f"i{i}", "view", at(1 + k, day)) for k, u in there for i in (0, k % 6)]
        write_day(lake, rows, day=day, schema=schema)
        bad = [(user, "i1", "what", at(2, day)) for _, user in there]
        write_day(lake, bad, day=day, name="part-1", schema=schema, note="as it came")
        made.append(_night(lake, day, dict(there), sections))
    (lake / "segments").mkdir()
    pl.DataFrame({"user_id": ids, "segment": "s"}).write_parquet(lake / "segments" / "s.parquet")
    _write_import(lake, [user for _, user in there])
    return made


def copy_lake(source: list[Night], lake: Path) -> list[Night]:
    """Return the same nights on a copy of their lake."""
    shutil.copytree(source[0].lake, lake, symlinks=True, dirs_exist_ok=True)
    return [
        Night(config=each.config.model_copy(update={"lake": str(lake)}), run_date=each.run_date)
        for each in source
    ]


def _night(lake: Path, day: date, users: dict, sections: dict) -> Night:
    given = {"history": {"half_life_days": None, "n_user_shards": 3}} | sections
    made = night(lake, day, **given)
    build_matrices(made, build_history(made, ingest(made)))
    keep_last_events(made)
    lists = {user: ["i5", "i4", "i3"][: 1 + k % 3] for k, user in users.items()}
    publish(made, {"home": lists, "mail": lists}, version=str(day.day))
    report = night_report(
        day,
        examples=[
            UserExample(user_id=user, history=("i1",), recommendations=(recommendation(1, "x"),))
            for user in list(users.values())[1:4]
        ],
    )
    write_text(made.folder / "report.json", report.model_dump_json(indent=2) + "\n")
    write_text(made.folder / "report.md", markdown(report))
    write_text(made.folder / "report.html", report_page(report))
    return made


def _write_import(lake: Path, users: list) -> None:
    originals = [f"{user},i1,view,never" for user in users]
    path = lake / "imports" / "old" / "refused.parquet"
    path.parent.mkdir(parents=True)
    columns = {"row_number": range(len(users)), "rule": "timestamp", "original": originals}
    pl.DataFrame(columns).write_parquet(path)


def naming(lake: Path, ids: Collection) -> list[str]:
    """Return the files outside the user's own that name one of these people, read plainly."""
    found = []
    for path in sorted(lake.rglob("*")):
        name = path.relative_to(lake).as_posix()
        if not path.is_file() or name.split("/")[0] in ("interactions", "segments", "latest"):
            continue
        if path.suffix == ".parquet":
            text = str(pl.read_parquet(path, hive_partitioning=False).to_dict(as_series=False))
        else:
            text = path.read_bytes().decode("latin-1")
        if any(str(each) in text for each in ids):
            found.append(name)
    return found


def table_bytes(lake: Path) -> dict[str, str]:
    """Return the digests of all files that hold rows of users, in state and in snapshots.

    Codes that stand for users are followed to their names: which code somebody has does not matter.
    """
    places = [f"state/nights/*/{step}/**/*.*" for step in TABLES] + ["snapshots/*/**/*.*"]
    places.append("state/history/*/*.parquet")
    paths = sorted({path for place in places for path in lake.glob(place) if path.is_file()})
    return {
        _place(lake, path): _named(lake, path) if holds_codes(path) else sha256_of(path)
        for path in paths
        if path.name != "manifest.json"
    }


def _place(lake: Path, path: Path) -> str:
    """Path in the lake; a part of the history goes by its days, as its name says what it is of."""
    if path.parents[1] != parts_folder(lake):
        return path.relative_to(lake).as_posix()
    part = read_manifest(path.parent, PartManifest)
    assert part is not None
    return f"{sorted(part.days)} {path.name}"


def _named(lake: Path, path: Path) -> str:
    """Digest of ingested events with the ids that codes stand for."""
    rows = pl.read_parquet(path, glob=False, hive_partitioning=False)
    names = pl.read_parquet(codes_folder(lake) / path.name)["user_id"]
    items = pl.read_parquet(codes_folder(lake) / "items.parquet")["item_id"]
    ids = {"user": names.gather(rows["user"]), "item": items.gather(rows["item"])}
    return rows.with_columns(**ids).write_json()
