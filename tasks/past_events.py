"""Read the events of all nights inside the window, each once, and account for every row.

What is an event depends on the rows alone and not on the nights that read them: a file that
a later night read anew has lost its old rows, repeats count once, and bots are looked for
among all nights together.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.interactions import EVENT, USER_RULES, day_start
from data_contracts.manifests import FileAccount, IngestManifest
from tasks.bots import of_bots
from tasks.lake import Night, night_folder
from tasks.repeated import repeats

_FATES = ("stored", "replaced", "filtered", "duplicates", "history")


class Tally:
    """Counts of what became of the stored rows of every file of several nights."""

    def __init__(self, past: Sequence[IngestManifest]) -> None:
        self._past = past
        n_files = sum(len(manifest.log_files) for manifest in past)
        self._counts = {fate: np.zeros(n_files, np.int64) for fate in _FATES}
        self.told_again = 0
        """Events that a later night told again."""

    def note(self, fate: str, source: pl.Series) -> None:
        """Count rows, given by the number of their file."""
        counts = self._counts[fate]
        counts += np.bincount(source.to_numpy(), minlength=len(counts))

    def drop(self, rows: pl.DataFrame, dropped: pl.Series, fate: str) -> pl.DataFrame:
        """Return the rows that are not dropped; count the others."""
        if not dropped.any():
            return rows
        self.note(fate, rows["source"].filter(dropped))
        return rows.filter(~dropped)

    def accounts(self) -> tuple[FileAccount, ...]:
        """Return where the rows of every file went, oldest night first."""
        files = [(each.run_date, file) for each in self._past for file in each.log_files]
        counts = zip(*(self._counts[fate].tolist() for fate in _FATES), strict=True)
        accounts = []
        for (run_date, file), (stored, replaced, filtered, duplicates, kept) in zip(
            files, counts, strict=True
        ):
            refused = sum(n for rule, n in file.by_rule.items() if rule not in USER_RULES)
            accounts.append(
                FileAccount(
                    path=file.path, run_date=run_date, rows=file.rows, quarantined=refused,
                    replaced=replaced, removed=file.rows - refused - stored, filtered=filtered,
                    duplicates=duplicates, history=kept,
                )
            )  # fmt: skip
        return tuple(accounts)


class _Part(NamedTuple):
    """One night's share of a shard."""

    manifest: IngestManifest
    first: int  # number of its first file among those of all nights
    replaced: list[int]  # places of its files that a later night read anew


def past_events(
    night: Night, past: Sequence[IngestManifest], name: str, tally: Tally
) -> pl.DataFrame:
    """Return a user shard's events inside the window, each once and none of a bot.

    Args:
        night: run date and configuration.
        past: ingests of the nights inside the window, oldest first.
        name: file of the shard.
        tally: counts what becomes of every row.
    """
    first = night.run_date - timedelta(days=night.config.history.window_days - 1)
    start = day_start(first, night.config.interactions.time_zone)
    parts = _parts(past)
    rows = pl.concat([_read(night, part, name, tally) for part in parts])
    rows = tally.drop(rows, rows["timestamp"] < start, "filtered")
    if len(parts) == 1:  # one night has found its own repeats and bots
        rows = tally.drop(rows, rows["rule"].is_not_null(), "filtered")
    else:
        repeated = repeats(rows)
        tally.told_again += rows.filter(repeated, pl.col("rule").is_null()).height
        rows = tally.drop(rows, repeated, "duplicates")
        rows = tally.drop(rows, of_bots(rows, night), "filtered")
    tally.note("history", rows["source"])
    return rows.select(EVENT)


def _parts(past: Sequence[IngestManifest]) -> list[_Part]:
    parts: list[_Part] = []
    later: set[str] = set()
    first = sum(len(manifest.log_files) for manifest in past)
    for manifest in reversed(past):
        paths = [file.path for file in manifest.log_files]
        first -= len(paths)
        replaced = [place for place, path in enumerate(paths) if path in later]
        parts.append(_Part(manifest, first, replaced))
        later.update(paths)
    return parts[::-1]


def _read(night: Night, part: _Part, name: str, tally: Tally) -> pl.DataFrame:
    path = night_folder(night.lake, part.manifest.run_date) / "ingest" / name
    rows = pl.read_parquet(path, columns=[*EVENT, "file", "rule"])
    rows = rows.with_columns(source=pl.col("file") + part.first).drop("file")
    tally.note("stored", rows["source"])
    if not part.replaced:
        return tally.drop(rows, rows["rule"].eq_missing("duplicate"), "duplicates")
    gone = rows["source"].is_in([place + part.first for place in part.replaced])
    return tally.drop(rows, gone, "replaced")  # what repeated a replaced row may stand alone now
