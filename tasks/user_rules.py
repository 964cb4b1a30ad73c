"""Second pass over a night's log, one user shard at a time: duplicates and bots."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from data_contracts.interactions import EVENT, day_start, interactions_schema
from data_contracts.manifests import LogFile
from tasks.lake import Night, shard_name
from tasks.log_reading import IdTypes
from tasks.repeated import repeats
from tasks.table_file import check_table


class Judged(NamedTuple):
    """What the second pass found in one shard."""

    faults: pl.DataFrame  # file, row_number, rule
    accepted: pl.DataFrame  # file, n (rows), late (rows)


def judge_shard(
    night: Night,
    shard: int,
    raw: Path,
    target: Path,
    *,
    files: Sequence[LogFile],
    taken: Sequence[int],
    id_types: IdTypes,
) -> Judged:
    """Write the good rows of one user shard to target; return what was refused and counted.

    Args:
        night: configuration and run date.
        shard: which user shard.
        raw: folder of the first pass.
        target: folder of accepted rows.
        files: of the night, in the order of the first pass.
        taken: places of the files whose days were taken.
        id_types: of users and items.
    """
    rows = _read(raw / f"{shard_name(shard)}.arrow", taken, id_types)
    is_repeat = repeats(rows)
    rows = rows.with_columns(
        rule=pl.when(is_repeat).then(pl.lit("duplicate"))
        .when(_of_bots(rows, is_repeat, night)).then(pl.lit("bot"))
    )  # fmt: skip
    good = rows.filter(pl.col("rule").is_null())
    events = good.select(EVENT)
    check_table(interactions_schema(*id_types, night.config.events), events)
    events.write_parquet(target / f"{shard_name(shard)}.parquet", compression="lz4")
    faults = rows.filter(pl.col("rule").is_not_null()).select("file", "row_number", "rule")
    return Judged(faults, _count(good, files, night))


def _read(path: Path, taken: Sequence[int], id_types: IdTypes) -> pl.DataFrame:
    if not path.exists():  # no user of this shard tonight
        ids = [pl.String if each == "string" else pl.Int64 for each in id_types]
        schema = dict(zip(EVENT, (*ids, pl.String, pl.Datetime("us", "UTC")), strict=True))
        return pl.DataFrame(schema=schema | {"row_number": pl.UInt32, "file": pl.UInt32})
    rows = pl.read_ipc(path)
    refused = set(rows["file"].unique().to_list()) - set(taken)
    return rows.filter(~pl.col("file").is_in(refused)) if refused else rows


def _of_bots(rows: pl.DataFrame, is_repeat: pl.Series, night: Night) -> pl.Series:
    # events are counted, not rows: a log that is delivered twice makes nobody a bot
    most = night.config.validation.max_events_per_user_day
    events = rows.filter(~is_repeat)
    busy = events.group_by("user_id").len().filter(pl.col("len") > most)["user_id"]
    if not len(busy):
        return pl.repeat(value=False, n=rows.height, eager=True)
    zone = night.config.interactions.time_zone
    day = pl.col("timestamp").dt.convert_time_zone(zone).dt.date()
    suspects = pl.col("user_id").is_in(busy.implode())
    n_events = pl.col("is_event").sum().over("user_id", day)
    counted = rows.with_columns(is_event=~is_repeat)
    return counted.select(suspects & (n_events > most)).to_series()


def _count(good: pl.DataFrame, files: Sequence[LogFile], night: Night) -> pl.DataFrame:
    zone = night.config.interactions.time_zone
    starts = pl.DataFrame(
        {
            "file": pl.Series(range(len(files)), dtype=pl.UInt32),
            "start": pl.Series(
                [day_start(file.partition, zone) for file in files],
                dtype=pl.Datetime("us", "UTC"),
            ),
        }
    )
    late = (pl.col("timestamp") < pl.col("start")).sum()
    return good.join(starts, on="file").group_by("file").agg(n=pl.len(), late=late)
