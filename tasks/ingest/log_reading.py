"""First pass over a night's log: judge every row by itself, spread the good over user shards."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from data_contracts.forgetting import FORGOTTEN
from data_contracts.id_type import IdType
from data_contracts.interactions import bounds, broken_rule
from data_contracts.manifests import LogFile, RefusedFile
from tasks.forgetting.forgotten import Forgotten, forgotten
from tasks.ingest.user_shards import ShardWriter
from tasks.lake import Night
from tasks.progress import track
from tasks.source.log_reader import ID_DTYPES, FileShape, UnfitFileError, batches, inspect_all
from tasks.source.log_source import LogSource
from tasks.source.log_store import log_place

logger = logging.getLogger(__name__)
IdTypes = tuple[IdType, IdType]


class ReadLog(NamedTuple):
    """What the first pass found."""

    rows: dict[str, int]  # path -> rows, of files that were taken
    faults: dict[str, pl.DataFrame]  # path -> row_number, rule
    refused: tuple[RefusedFile, ...]
    id_types: IdTypes


def read_log(
    night: Night,
    files: Sequence[LogFile],
    folder: Path,
    expected: IdTypes | None,
    unfit: Mapping[str, str],
    *,
    n_shards: int,
) -> ReadLog:
    """Read all files; write good rows to folder, one file per user shard.

    The written rows carry file (place in files) and row_number. A day with a file that
    cannot be taken is left out as a whole; rows of it that are written already must be
    dropped by the reader (see ReadLog.rows).

    Args:
        night: configuration and run date.
        files: what to read.
        folder: receives the shards.
        expected: id types of earlier nights.
        unfit: files that are known to be unreadable, and why.
        n_shards: number of user shards.
    """
    place = log_place(night)
    sources = [place.source(file.path, file) for file in files]
    shapes = inspect_all(sources, night.config.interactions, n_at_once=place.n_at_once)
    refused, expected = _refused(files, shapes, expected, unfit)
    waits = {file.partition for file in refused.values()}
    rows: dict[str, int] = {}
    faults: dict[str, pl.DataFrame] = {}
    people = forgotten(night.lake)
    with ShardWriter(folder, n_shards) as writer:
        for number, file in track(list(enumerate(files)), "reading the log"):
            if file.partition in waits:
                continue
            try:
                rows[file.path], faults[file.path] = _read(
                    night, file, sources[number], number, expected, writer, people=people
                )
            except UnfitFileError as error:
                refused[file.path] = _refusal(file, error)
    waiting = _with_siblings(files, refused)
    gone = {file.path for file in waiting}
    return ReadLog(
        rows={path: count for path, count in rows.items() if path not in gone},
        faults={path: frame for path, frame in faults.items() if path not in gone},
        refused=waiting,
        id_types=expected,
    )


def _refused(
    files: Sequence[LogFile],
    shapes: Sequence[FileShape | UnfitFileError],
    expected: IdTypes | None,
    unfit: Mapping[str, str],
) -> tuple[dict[str, RefusedFile], IdTypes]:
    refused: dict[str, RefusedFile] = {}
    met: tuple[IdType | None, IdType | None] = expected or (None, None)
    for file, shape in zip(files, shapes, strict=True):
        try:
            if file.path in unfit:
                raise UnfitFileError("unreadable_file", unfit[file.path])
            if isinstance(shape, UnfitFileError):
                raise shape
            types = (shape.user_id_type, shape.item_id_type)
            met = (met[0] or types[0], met[1] or types[1])
            for name, got, wanted in zip(("user_id", "item_id"), types, met, strict=True):
                if got not in (None, wanted):
                    raise UnfitFileError(
                        "wrong_columns",
                        f"{name} must be {wanted} as in the rest of the log, is {got}",
                    )
        except UnfitFileError as error:
            refused[file.path] = _refusal(file, error)
    return refused, (met[0] or "string", met[1] or "string")


def _read(
    night: Night,
    file: LogFile,
    source: LogSource,
    number: int,
    types: IdTypes,
    writer: ShardWriter,
    *,
    people: Forgotten,
) -> tuple[int, pl.DataFrame]:
    config = night.config.interactions
    limits = bounds(config, file.partition)
    rule = broken_rule(
        night.config.events,
        limits,
        text_ids=(types[0] == "string", types[1] == "string"),
        has_value=bool(config.columns.value),
    )
    n_rows, bad = 0, []
    for batch in batches(source, config, types):
        judged = batch.with_columns(rule=rule, file=pl.lit(number, dtype=pl.UInt32))
        if people:  # whatever else is wrong with their rows, those are not kept
            gone = pl.when(people.mask(judged["user_id"])).then(pl.lit(FORGOTTEN))
            judged = judged.with_columns(rule=gone.otherwise("rule"))
        n_rows += judged.height
        is_bad = judged["rule"].is_not_null()
        bad.append(judged.filter(is_bad).select("row_number", "rule"))
        good = judged.filter(~is_bad).drop("rule")
        user_id, item_id = (ID_DTYPES[each] for each in types)
        writer.write(
            good.with_columns(pl.col("user_id").cast(user_id), pl.col("item_id").cast(item_id))
        )
    empty = pl.DataFrame(schema={"row_number": pl.UInt32, "rule": pl.String})
    return n_rows, pl.concat([empty, *bad])


def _refusal(file: LogFile, error: UnfitFileError) -> RefusedFile:
    logger.warning("%s is refused and its day waits: %s", file.path, error.reason)
    return RefusedFile(
        path=file.path, partition=file.partition, rule=error.rule, reason=error.reason
    )


def _with_siblings(
    files: Iterable[LogFile], refused: Mapping[str, RefusedFile]
) -> tuple[RefusedFile, ...]:
    culprits: dict[date, list[str]] = {}
    for each in refused.values():
        culprits.setdefault(each.partition, []).append(each.path)
    waiting = []
    for file in files:
        names = culprits.get(file.partition)
        if names is None:
            continue
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        sibling = RefusedFile(
            path=file.path, partition=file.partition, rule="day_waits",
            reason=f"its day waits for {names[0]}{more}",
        )  # fmt: skip
        waiting.append(refused.get(file.path, sibling))
    return tuple(waiting)
