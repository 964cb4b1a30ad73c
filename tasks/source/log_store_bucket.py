"""The log in an object store: only the days wanted are listed, files are read by ranges."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.bucket_pattern import bucket_and_key
from data_contracts.environment import resolve
from data_contracts.manifests import LogFile
from tasks.files import empty_folder
from tasks.lake import Night
from tasks.source.log_pattern import key_range, shape_of
from tasks.source.log_source import FileStat, Known, LogSource, Met
from tasks.source.object_file import ObjectFile, fetch
from tasks.source.object_store import ObjectMeta, ObjectStore, open_bucket

_TAG = "etag:"
_AT_ONCE = 16


class _Stat(NamedTuple):
    """What the store says of an object."""

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True)
class BucketFile:
    """An object that holds a part of the log, as it was when it was met."""

    store: ObjectStore
    meta: ObjectMeta

    @property
    def name(self) -> str:
        """Its address."""
        return f"{self.store.uri}/{self.meta.key}"

    def is_file(self) -> bool:
        """Tell that it can be read: a store has nothing else."""
        return True

    def stat(self) -> FileStat:
        """Return what the listing said."""
        return _Stat(self.meta.bytes, self.meta.modified_ns)

    def fingerprint(self, stat: FileStat, known: Known) -> str:  # noqa: ARG002
        """Return the tag of the content; a store without tags has size and time."""
        if self.meta.e_tag is None:
            return f"written:{stat.st_mtime_ns}:{stat.st_size}"
        return _TAG + self.meta.e_tag

    @contextmanager
    def opened(self) -> Iterator[pq.ParquetFile]:
        """Open it; a footer is one request, and so is a column of a row group."""
        with pq.ParquetFile(ObjectFile(self.store, self.meta)) as file:
            yield file

    def first_rows(self, columns: Sequence[str], n: int) -> pl.LazyFrame:
        """Return some columns of its first rows."""
        parts: list[pa.RecordBatch] = []
        with self.opened() as file:
            schema = pa.schema([file.schema_arrow.field(name) for name in columns])
            for batch in file.iter_batches(columns=list(columns)):
                parts.append(batch.select(columns))
                if sum(part.num_rows for part in parts) >= n:
                    break
        table = pa.Table.from_batches(parts, schema=schema if not parts else None)
        return pl.DataFrame(table).lazy().head(n)

    @contextmanager
    def at_hand(self, folder: Path) -> Iterator[Path]:
        """Fetch it, and remove the folder with the copy afterwards."""
        copy = empty_folder(folder) / "fetched.parquet"
        try:
            fetch(self.store, self.meta, copy)
            yield copy
        finally:
            shutil.rmtree(folder)


@dataclass(frozen=True)
class BucketLog:
    """The objects that a pattern of the configuration names."""

    store: ObjectStore
    pattern: str  # of keys

    @classmethod
    def of(cls, night: Night) -> Self:
        """Return the log of a night.

        Raises:
            ConfigError: the configuration or the environment does not fit.
        """
        uri, pattern = bucket_and_key(resolve(night.config.interactions.files))
        return cls(open_bucket(uri, night.config.source, setting="interactions.files"), pattern)

    @property
    def n_at_once(self) -> int:
        """Many: an answer is some hundredths of a second away."""
        return _AT_ONCE

    def find(self, first: date, last: date) -> Iterator[Met]:
        """Yield the objects of the days from first to last, in the order of their keys."""
        shape = shape_of(self.pattern)
        for meta in self.store.between(*key_range(self.pattern, first, last)):
            partition = shape.day(meta.key)
            if partition is not None and first <= partition <= last:
                yield Met(BucketFile(self.store, meta), partition)

    def source(self, name: str, file: LogFile | None = None) -> LogSource:
        """Return an object by its address; without a listing the store is asked for it."""
        key = name.removeprefix(f"{self.store.uri}/")
        if file is None:
            return BucketFile(self.store, self.store.meta(key))
        tag = file.sha256.removeprefix(_TAG) if file.sha256.startswith(_TAG) else None
        return BucketFile(self.store, ObjectMeta(key, file.bytes, file.modified_ns, tag))
