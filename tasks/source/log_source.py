"""What the pipeline needs of a file of the log, and of the place where such files lie."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl
import pyarrow.parquet as pq

from data_contracts.manifests import LogFile

Known = Mapping[tuple[str, int, int], str]  # name, bytes, modified -> digest of the content


class FileStat(Protocol):
    """What a place says of a file without reading it; os.stat_result is one."""

    @property
    def st_size(self) -> int:
        """Bytes."""

    @property
    def st_mtime_ns(self) -> int:
        """When it was written."""


class LogSource(Protocol):
    """One file of the log; OSError and MovedError tell that it cannot be read."""

    @property
    def name(self) -> str:
        """Its name in manifests."""

    def is_file(self) -> bool:
        """Tell whether it can be read at all: a folder or a pipe cannot."""

    def stat(self) -> FileStat:
        """Return its size and when it was written."""

    def fingerprint(self, stat: FileStat, known: Known) -> str:
        """Return what changes with its content.

        Args:
            stat: of the file.
            known: what was found before, for places where the same size and time are enough.
        """

    def opened(self) -> AbstractContextManager[pq.ParquetFile]:
        """Open it; only what is asked for is read."""

    def first_rows(self, columns: Sequence[str], n: int) -> pl.LazyFrame:
        """Return some columns of its first rows."""

    def at_hand(self, folder: Path) -> AbstractContextManager[Path]:
        """Give a local path to the whole file; a copy lies in that folder, and not for longer."""


class Met(NamedTuple):
    """A file that lies in the log, and its day."""

    source: LogSource
    partition: date


class LogPlace(Protocol):
    """Where the files of the log lie."""

    @property
    def n_at_once(self) -> int:
        """How many files are best looked at together."""

    def find(self, first: date, last: date) -> Iterator[Met]:
        """Yield the files of the days from first to last, in the order of their names."""

    def source(self, name: str, file: LogFile | None = None) -> LogSource:
        """Return a file by its name in a manifest.

        Args:
            name: its path in a manifest.
            file: as it was listed; where it has changed since, reading it raises MovedError.
        """
