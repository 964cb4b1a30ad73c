"""The log and the catalogue of a sample lake, as files."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.sample import PlantedFault
from models.shop.shop import EVENT_TYPES, Shop
from models.shop.shop_event import day_events
from models.shop.shop_words import AISLES
from tasks.sample.sample_fault import N_BOT_ROWS, Planted, plant_rows, time_type

FIRST_DAY = date(2026, 9, 1)
N_PARTS = 2  # files of a day
UNREADABLE: list[tuple[int | None, str]] = [(None, "unreadable_file")]
_N_FAULT_DAYS, _N_EACH = 6, 4
_LATE_DAYS, _MAX_LATE_ROWS = 2, 40


class Plan(NamedTuple):
    """What is wrong on which day, all before the run date; days count from 0."""

    n_days: int
    run_day: int
    truncated: int  # its second file is cut short
    late_to: int  # has a file of rows that are two days late
    bot: int | None  # a robot comes, unless the log is too small for one
    bad_rows: dict[int, int]  # of every kind, by day


class Written(NamedTuple):
    """What came of the log."""

    rows: int
    late_rows: int
    faults: list[PlantedFault]


def plan_faults(n_days: int, n_events: int) -> Plan:
    """Return where faults are to lie in a log of about n_events; a small log gets few."""
    run_day, truncated = n_days - 3, n_days * 3 // 10
    whole = [day for day in range(run_day) if day != truncated]
    chosen = np.unique(np.linspace(0, len(whole) - 1, _N_FAULT_DAYS).round().astype(int))
    n_each = _N_EACH if n_events > 50_000 else 1
    days = [whole[place] for place in chosen]
    return Plan(
        n_days=n_days,
        run_day=run_day,
        truncated=truncated,
        late_to=max(_LATE_DAYS, truncated + 1),
        bot=days[len(days) // 2] if 0.02 * n_events > N_BOT_ROWS else None,
        bad_rows=dict.fromkeys(days, n_each),
    )


def write_log(folder: Path, shop: Shop, plan: Plan, *, seed: int) -> Written:
    """Write one folder of files per day; return the counts and the faults planted."""
    rows, faults, late = 0, list[PlantedFault](), pl.DataFrame()
    for day in range(plan.n_days):
        events = day_frame(shop, day, seed=seed)
        if day == plan.late_to - _LATE_DAYS:
            every = max(events.height // _MAX_LATE_ROWS, 10)
            late, events = events.gather_every(every), _without_every(events, every)
        parts = _planted_parts(events, plan, day, seed=seed)
        if day == plan.late_to:
            parts["late.parquet"] = Planted(late, [])
        for name, part in parts.items():
            path = folder / f"date={_date(day)}" / name
            found = _write_part(
                path, part, cut_short=(name, day) == ("part-1.parquet", plan.truncated)
            )
            file = path.relative_to(folder.parent).as_posix()
            faults += [
                PlantedFault(day=_date(day), file=file, row_number=number, rule=rule)
                for number, rule in found
            ]
            rows += part.rows.height if found != UNREADABLE else 0
    return Written(rows, late.height, faults)


def write_items(path: Path, shop: Shop) -> None:
    """Write the catalogue as one file."""
    items = {
        "item_id": item_ids(len(shop.titles)),
        "title": shop.titles,
        "category": [AISLES[aisle].category for aisle in shop.category],
        "available": shop.available,
        "text": shop.texts,
    }
    path.parent.mkdir(parents=True)
    pl.DataFrame(items).write_parquet(path, compression="zstd")


def day_frame(shop: Shop, day: int, *, seed: int) -> pl.DataFrame:
    """Return the good rows of one day, in order of time."""
    today = _date(day)
    events = day_events(shop, day=day, weekday=today.weekday(), seed=seed)
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    item_id = item_ids(len(shop.titles))[events.item]
    kind = pl.Series(EVENT_TYPES)[events.event]
    pages = {"search_click": "/search", "add_to_cart": "/cart", "purchase": "/checkout"}
    return pl.DataFrame(
        {
            "user_id": user_ids(len(shop.user_tastes))[events.user],
            "item_id": item_id,
            "event_type": kind,
            "timestamp": pl.Series(events.time).cast(pl.Duration("us")),
            "page": kind.replace(pages).replace("view", None).fill_null("/item/" + item_id),
        }
    ).with_columns((pl.lit(midnight, time_type()) + pl.col("timestamp")).alias("timestamp"))


def user_ids(n: int) -> pl.Series:
    """Return the ids of the users of a shop, in the order of their indices."""
    return pl.Series([f"u-{user:05d}" for user in range(n)])


def item_ids(n: int) -> pl.Series:
    """Return the ids of the items of a shop, in the order of their indices."""
    return pl.Series([f"sku-{item:05d}" for item in range(n)])


def _without_every(events: pl.DataFrame, every: int) -> pl.DataFrame:
    return events.filter(pl.int_range(pl.len()) % every != 0)


def _planted_parts(events: pl.DataFrame, plan: Plan, day: int, *, seed: int) -> dict[str, Planted]:
    # Whole users, as a log does that is written by several machines.
    part_of_user = pl.col("user_id").str.tail(5).cast(pl.Int64) % N_PARTS
    parts = {
        f"part-{number}.parquet": Planted(events.filter(part_of_user == number), [])
        for number in range(N_PARTS)
    }
    name, good = "part-0.parquet", parts["part-0.parquet"].rows
    if day in plan.bad_rows and good.height:
        parts[name] = plant_rows(
            good,
            np.random.default_rng([seed, 2, day]),
            day=_date(day),
            last_day=_date(plan.n_days - 1),
            n_each=plan.bad_rows[day],
            with_bot=day == plan.bot,
        )
    return parts


def _write_part(path: Path, part: Planted, *, cut_short: bool) -> list[tuple[int | None, str]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part.rows.write_parquet(path, compression="zstd")
    if not cut_short:
        return list(part.faults)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])  # as a full disk would
    return UNREADABLE


def _date(day: int) -> date:
    return FIRST_DAY + timedelta(days=day)
