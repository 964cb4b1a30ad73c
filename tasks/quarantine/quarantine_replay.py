"""Judge refused rows again under the configuration of now.

A night's ingest is keyed by its rules: done again after a rule or a mapping was changed, it
reads the same files anew, and the history of the next night is made of what it then accepts. So
judging again is that very ingest, on all rows of the night, as duplicates and bots are seen only
among their neighbours; a look keeps nothing of it.
"""

import tempfile
from collections import Counter
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from data_contracts.config import NightlyConfig
from data_contracts.errors import HoarfrostError
from data_contracts.forgetting import FORGOTTEN
from data_contracts.interactions import INTERACTION_RULES
from data_contracts.manifests import IngestManifest
from data_contracts.quarantine_report import Replay, ReplayedNight
from tasks.day_rules.table_rules_waiting import leave_waiting
from tasks.ingest.ingest import Examined, examine, ingest, refuse
from tasks.lake import Night
from tasks.lock import lake_lock
from tasks.progress import track
from tasks.quarantine.quarantine_report import parts
from tasks.source.log_files import list_log
from tasks.steps import read_manifest

_PLACE = pl.Schema({"source_file": pl.String(), "row_number": pl.UInt32(), "rule": pl.String()})


def replay_quarantine(
    config: NightlyConfig, *, run_date: date | None = None, apply: bool = False
) -> Replay:
    """Return what would become of refused rows now, night by night, oldest first.

    Args:
        config: the rules of now.
        run_date: the only night; by default all with refused rows that are not forgotten yet.
        apply: ingest the nights again that would give something else. What they then accept is
            part of the next night's history; tables that are published stay as they are.

    Raises:
        ConfigError: there is no lake, or the number of user shards was changed.
        LakeLockedError: with apply, while a night works on the lake.
        ContractViolationError: with apply, a night's day is refused or has too many bad rows.
    """
    lake = Path(config.lake)
    days = sorted({day for day, _ in parts(lake, run_date)})
    if days:
        forgotten = days[-1] - timedelta(days=config.history.window_days)
        days = [day for day in days if day > forgotten]
    nights = [Night(config=config, run_date=day) for day in days]
    with lake_lock(lake) if apply else nullcontext():
        done = [_look(night) for night in track(nights, "judging again")]
        for night, looked in zip(nights, done, strict=True):
            if apply and (looked.would_pass or looked.would_refuse):
                ingest(night)
    return Replay(lake=str(lake), nights=tuple(done), applied=apply, rules=INTERACTION_RULES)


def _look(night: Night) -> ReplayedNight:
    with tempfile.TemporaryDirectory(prefix="hoarfrost-") as folder:
        found = examine(night, leave_waiting(night, list_log(night)), Path(folder), key="")
    problem = None
    try:
        refuse(night, found)
    except HoarfrostError as error:
        problem = str(error)
    before, files = _quarantined(night)
    return _compared(night, found, before, files, problem)


def _quarantined(night: Night) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the places of refused rows, and the rules of files that were refused as a whole."""
    found = [pl.DataFrame(schema=_PLACE)]
    for _, path in parts(night.lake, night.run_date):
        part = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        found.append(part.select(list(_PLACE)).collect(engine="streaming"))
    places = pl.concat(found)
    whole = places.filter(pl.col("row_number").is_null())
    return places.filter(pl.col("row_number").is_not_null()), dict(
        whole.select("source_file", "rule").iter_rows()
    )


def _compared(
    night: Night, found: Examined, before: pl.DataFrame, files: dict[str, str], problem: str | None
) -> ReplayedNight:
    now = [
        rows.select(pl.lit(path).alias("source_file"), "row_number", "rule").cast(_PLACE)
        for path, rows in found.faults.items()
    ]
    after = pl.concat([pl.DataFrame(schema=_PLACE), *now]).filter(pl.col("rule") != FORGOTTEN)
    read = {file.path: file.sha256 for file in found.manifest.log_files}
    refused = {file.path: file.rule for file in found.manifest.refused_files}
    known = _known(night)
    same = [path for path, sha256 in read.items() if known.get(path, sha256) == sha256]
    place = ["source_file", "row_number"]
    judged = before.join(after, on=place, how="left", suffix="_now").with_columns(
        is_read=pl.col("source_file").is_in(same),
        rule_now=pl.coalesce(
            "rule_now",
            pl.col("source_file").replace_strict(refused, default=None, return_dtype=pl.String),
        ),
    )
    passing = judged.filter(pl.col("is_read") & pl.col("rule_now").is_null())
    refused_still = judged.filter(
        pl.col("rule_now").is_not_null()
        & (pl.col("is_read") | pl.col("source_file").is_in(list(refused)))
    )
    accepted = after.filter(pl.col("source_file").is_in([path for path in same if path in known]))
    other = accepted.join(before, on=place, how="anti")
    whole = Counter(refused[path] for path in files if path in refused)
    would_pass = _by_rule(passing["rule"])
    still = _by_rule(refused_still["rule_now"]) + whole
    files_pass = tuple(sorted(path for path in files if path in read))
    n_rows = before.height + len(files)
    return ReplayedNight(
        run_date=night.run_date, rows=n_rows,
        would_pass=dict(sorted((would_pass + Counter(files[p] for p in files_pass)).items())),
        still=dict(sorted(still.items())),
        gone=n_rows - would_pass.total() - len(files_pass) - still.total(),
        files_would_pass=files_pass, would_refuse=dict(sorted(_by_rule(other["rule"]).items())),
        problem=problem,
    )  # fmt: skip


def _by_rule(rules: pl.Series) -> Counter[str]:
    return Counter(dict(rules.value_counts().iter_rows()))


def _known(night: Night) -> dict[str, str]:
    """Return the digests of the files that the night has accepted rows of."""
    manifest = read_manifest(night.step("ingest"), IngestManifest)
    return {file.path: file.sha256 for file in manifest.log_files} if manifest else {}
