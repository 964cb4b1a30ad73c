"""The log in local folders."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from data_contracts.manifests import LogFile
from tasks.files import sha256_of
from tasks.lake import Night
from tasks.source.log_pattern import shape_of
from tasks.source.log_source import FileStat, Known, LogSource, Met


@dataclass(frozen=True)
class LocalFile:
    """A file of the log on a disk; without a lake it is called by its path."""

    path: Path
    lake: Path | None = None

    @property
    def name(self) -> str:
        """Its path, relative to the lake where it lies inside."""
        inside = self.lake is not None and self.path.is_relative_to(self.lake)
        return str(self.path.relative_to(self.lake)) if inside and self.lake else str(self.path)

    def is_file(self) -> bool:
        """Tell whether it is no folder, pipe, device or link to nowhere."""
        return self.path.is_file()

    def stat(self) -> FileStat:
        """Return what the file system says."""
        return self.path.stat()

    def fingerprint(self, stat: FileStat, known: Known) -> str:
        """Return the digest of its bytes; the same size and time mean the same bytes."""
        return known.get((self.name, stat.st_size, stat.st_mtime_ns)) or sha256_of(self.path)

    def opened(self) -> AbstractContextManager[pq.ParquetFile]:
        """Open it."""
        return pq.ParquetFile(self.path)

    def first_rows(self, columns: Sequence[str], n: int) -> pl.LazyFrame:
        """Return some columns of its first rows."""
        found = pl.scan_parquet(self.path, glob=False, hive_partitioning=False)
        return found.select(columns).head(n)

    def at_hand(self, folder: Path) -> AbstractContextManager[Path]:  # noqa: ARG002
        """Give its path; nothing is copied."""
        return nullcontext(self.path)


@dataclass(frozen=True)
class LocalLog:
    """The files that a pattern of the configuration names, relative to the lake or absolute."""

    night: Night

    @property
    def n_at_once(self) -> int:
        """One: a disk answers at once."""
        return 1

    def find(self, first: date, last: date) -> Iterator[Met]:
        """Yield the files of the days from first to last, in the order of their paths."""
        lake = self.night.lake
        files = Path(self.night.config.interactions.files)
        root = "" if files.is_absolute() else f"{lake}/"  # plain text, whatever stands in it
        shape = shape_of(str(files), root)
        wanted = glob.escape(root) + str(files).replace("[", "[[]").replace("{date}", "????-??-??")
        for path in sorted(glob.glob(wanted)):  # noqa: PTH207
            partition = shape.day(path)
            if partition is not None and first <= partition <= last:
                yield Met(LocalFile(Path(path), lake), partition)

    def source(self, name: str, file: LogFile | None = None) -> LogSource:  # noqa: ARG002
        """Return a file by its name in a manifest."""
        return LocalFile(self.night.lake / name, self.night.lake)
