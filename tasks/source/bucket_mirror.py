"""Files that people put into an object store, copied beside the lake's state to be read there.

A copy is called by the tag of its content: it is fetched once, whoever asks, and never changes.
It lies in the staging folder, which is emptied when people are forgotten.
"""

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self
from uuid import uuid4

from data_contracts.bucket_pattern import bucket_and_key, known_place
from data_contracts.environment import resolve
from data_contracts.errors import ConfigError
from tasks.files import digest, explained, make_folder, move_file
from tasks.lake import Night
from tasks.source.log_pattern import LATEST
from tasks.source.object_file import fetch
from tasks.source.object_store import (
    MovedError,
    ObjectMeta,
    ObjectStore,
    ObjectStoreError,
    open_bucket,
)

logger = logging.getLogger(__name__)
_KEPT_SECONDS = 7 * 86_400  # of a copy that nobody asked for since


@dataclass(frozen=True)
class BucketMirror:
    """The objects of one pattern, and where their copies lie."""

    store: ObjectStore
    pattern: str  # of keys
    root: Path

    @classmethod
    def of(cls, night: Night, pattern: str, setting: str) -> Self:
        """Return the mirror of a pattern of s3://bucket.

        Args:
            night: whose lake holds the copies.
            pattern: as configured.
            setting: where, for sentences.

        Raises:
            ConfigError: the pattern or the environment does not fit.
        """
        try:
            uri, keys = bucket_and_key(known_place(resolve(pattern)))
        except ValueError as error:
            raise ConfigError(f"{setting}: {error}") from error
        return cls(open_bucket(uri, night.config.source, setting=setting), keys, _root(night.lake))

    def paths(self) -> list[Path]:
        """Return copies of the objects as they are now, in the order of their keys.

        Raises:
            ObjectStoreError: the store is out of reach or refuses, or an object changes all
                the time.
            StorageError: the lake may not be written.
        """
        copies = [self._copy(meta) for meta in sorted(self._listed())]
        with suppress(OSError):  # a lake that may only be read
            for copy in copies:
                os.utime(copy)
            self._drop_unused()
        return copies

    def _listed(self) -> Iterator[ObjectMeta]:
        head = re.split(r"[*?\[]", self.pattern, maxsplit=1)[0]  # plain text
        folder = head.rpartition("/")[0]
        after = head[:-1] if head == self.pattern else head
        for meta in self.store.between(folder, after, head + LATEST):
            if _means(self.pattern.split("/"), meta.key.split("/")):
                yield meta

    def _copy(self, meta: ObjectMeta) -> Path:
        folder = self.root / self.store.uri.removeprefix("s3://") / meta.key
        tag = digest({"tag": meta.e_tag or meta.modified_ns, "bytes": meta.bytes})[:32]
        copy = folder / f"{tag}.parquet"
        if copy.is_file():
            return copy
        with explained(copy):
            staged = make_folder(folder) / f".{tag}.{uuid4().hex}.new"  # others may fetch it, too
            try:
                fetch(self.store, meta, staged)
                move_file(staged, copy)
            except MovedError as error:
                raise ObjectStoreError(
                    f"{error}, a moment ago: run the night again when it stays as it is"
                ) from None
            finally:
                staged.unlink(missing_ok=True)
        logger.info("%s/%s: fetched, %d bytes", self.store.uri, meta.key, meta.bytes)
        return copy

    def _drop_unused(self) -> None:
        now = time.time()
        for path in self.root.rglob("*"):
            if path.is_file() and now - path.stat().st_mtime > _KEPT_SECONDS:
                path.unlink(missing_ok=True)


def address_of(lake: Path, copy: Path) -> str:
    """Return the address of the object that a path is a copy of."""
    return f"s3://{copy.parent.relative_to(_root(lake)).as_posix()}"


def _root(lake: Path) -> Path:
    return lake / "state" / "staging" / "given"


def _means(pattern: list[str], key: list[str]) -> bool:
    """Tell whether a pattern means a key, part by part, as glob does: ** is any folders."""
    if not pattern or not key:
        return not pattern and not key
    if pattern[0] == "**":
        deeper = not key[0].startswith(".") and _means(pattern, key[1:])
        return _means(pattern[1:], key) or deeper
    hidden = key[0].startswith(".") and not pattern[0].startswith(".")
    return not hidden and fnmatchcase(key[0], pattern[0]) and _means(pattern[1:], key[1:])
