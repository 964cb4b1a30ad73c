"""An S3 bucket, for snapshots and for logs: opened, written and read with errors in plain words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from data_contracts.environment import resolve
from data_contracts.errors import ConfigError
from data_contracts.publishing import PublishConfig
from data_contracts.source import SourceConfig
from tasks.files import StorageError
from tasks.source.object_access import opened, reason_of

if TYPE_CHECKING:
    from obstore.store import S3Store

_PART_BYTES = 8 * 2**20  # 10,000 parts of it make the largest file, 80 GB
_PARTS_AT_ONCE = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TARGET = "publish.target"
_UNTOUCHED = "the lake and what was published there before are untouched"


class ObjectStoreError(StorageError):
    """The object store cannot be reached or refuses; what was published before is untouched."""


class PointerMovedError(Exception):
    """Somebody else wrote the object meanwhile."""


class MovedError(Exception):
    """An object is gone, or was written anew, since it was listed."""


class ObjectMeta(NamedTuple):
    """An object as it was listed."""

    key: str
    bytes: int
    modified_ns: int
    e_tag: str | None
    """Without the quotes, which not all stores list."""

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Self:
        """Return what the store said."""
        micros = (meta["last_modified"] - _EPOCH) // _MICROSECOND
        return cls(meta["path"], meta["size"], micros * 1000, _bare(meta["e_tag"]))


@dataclass(frozen=True)
class ObjectStore:
    """A bucket and a prefix in it; keys below are relative to that prefix."""

    store: "S3Store"
    uri: str
    setting: str = _TARGET
    """Where the configuration names it."""
    solace: str = _UNTOUCHED
    """What is true however it fails."""

    def put(self, key: str, body: bytes) -> None:
        """Replace a small object."""
        with self._told(key):
            _obstore().put(self.store, key, body)

    def swap(self, key: str, body: bytes, e_tag: str | None) -> None:
        """Replace an object only if it still has this tag, or make it if the tag is None.

        Raises:
            PointerMovedError: it has another tag, or there is one.
        """
        mode: Any = "create" if e_tag is None else {"e_tag": e_tag}
        with self._told(key):
            try:
                _obstore().put(self.store, key, body, mode=mode)
            except (_errors().AlreadyExistsError, _errors().PreconditionError):
                raise PointerMovedError(key) from None

    def get(self, key: str) -> tuple[bytes, str | None] | None:
        """Return an object with its tag, or None where there is none."""
        with self._told(key):
            try:
                found = _obstore().get(self.store, key)
            except FileNotFoundError:
                return None
            return bytes(found.bytes()), found.meta["e_tag"]

    def upload(self, key: str, path: Path, sha256: str) -> None:
        """Write a file, large ones in parts; the store compares a digest of what it received."""
        with self._told(key):
            _obstore().put(
                self.store, key, path, attributes={"sha256": sha256}, chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )  # fmt: skip

    def uploaded(self, key: str) -> tuple[int, str | None] | None:
        """Return size and stated digest of an uploaded file, or None where there is none."""
        with self._told(key):
            try:
                found = _obstore().get(self.store, key, options={"head": True})
            except FileNotFoundError:
                return None
            return found.meta["size"], found.attributes.get("sha256")

    def meta(self, key: str) -> ObjectMeta:
        """Return an object as it is now.

        Raises:
            MovedError: there is none.
        """
        with self._told(key), self._moved(key):
            return ObjectMeta.of(_obstore().head(self.store, key))

    def part(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        """Return the bytes of an object from start to before end.

        Raises:
            MovedError: it is not the one that was listed.
        """
        asked: dict[str, Any] = {"range": (start, end)}
        if meta.e_tag is not None and not meta.e_tag.startswith("W/"):  # weak ones match nothing
            asked["if_match"] = f'"{meta.e_tag}"'
        with self._told(meta.key), self._moved(meta.key):
            found = _obstore().get(self.store, meta.key, options=asked)
            body = bytes(found.bytes())
        is_same = meta.e_tag in (None, _bare(found.meta["e_tag"]))  # if the store heeds no tags
        if not is_same or len(body) != end - start:
            raise MovedError(f"{self.uri}/{meta.key} was written anew since it was listed")
        return body

    def between(self, folder: str, after: str, until: str) -> Iterator[ObjectMeta]:
        """Yield the objects of a folder with keys behind one and before another, in that order.

        A store lists its keys in their order, a thousand at a time; no more is asked for than
        lies in between.
        """
        offset = folder if after.rpartition("/")[2] in (".", "..") else after  # no key is so called
        with self._told(folder):
            pages = _obstore().list(self.store, folder or None, offset=offset or None)
            for meta in (meta for page in pages for meta in page):
                if meta["path"] >= until:
                    return
                if meta["path"] > after:
                    yield ObjectMeta.of(meta)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the size of every object below a prefix, by its key relative to that."""
        return {
            meta["path"].removeprefix(f"{prefix}/"): meta["size"] for meta in self._list(prefix)
        }

    def stamps(self, prefix: str) -> dict[str, float]:
        """Return when the store wrote every object below a prefix, in its own seconds."""
        return {
            meta["path"].removeprefix(f"{prefix}/"): meta["last_modified"].timestamp()
            for meta in self._list(prefix)
        }

    def folders(self, prefix: str) -> list[str]:
        """Return the names right below a prefix that hold objects."""
        with self._told(prefix):
            found = _obstore().list_with_delimiter(self.store, prefix)
            return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

    def delete(self, keys: list[str]) -> None:
        """Remove objects; one that is gone already is no error."""
        if keys:
            with self._told(keys[0]):
                _obstore().delete(self.store, keys)

    def _list(self, prefix: str) -> list[Any]:
        with self._told(prefix):
            return [meta for page in _obstore().list(self.store, prefix) for meta in page]

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Say what is wrong in our own words: those of the store may hold secrets."""
        try:
            yield
        except (_errors().BaseError, OSError, ValueError) as error:
            reason, advice = reason_of(error)
            raise ObjectStoreError(
                f"{self.uri}/{key} must be within reach, got: {reason}; {self.solace}: "
                f"{advice.format(setting=self.setting)}, and run the night again"
            ) from None

    @contextmanager
    def _moved(self, key: str) -> Iterator[None]:
        try:
            yield
        except _errors().PreconditionError:
            raise MovedError(f"{self.uri}/{key} was written anew since it was listed") from None
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            raise MovedError(f"{self.uri}/{key} is gone since it was listed") from None


def open_store(config: PublishConfig) -> ObjectStore:
    """Return the place that the configuration names; endpoint and keys come from the environment.

    Raises:
        ConfigError: there is no target, it is no bucket, or the extra s3 is not installed.
    """
    if config.target is None:
        raise ConfigError("publish.target must name a bucket such as s3://tables, got none")
    uri = resolve(config.target).rstrip("/")
    return ObjectStore(opened(uri, SourceConfig(give_up_seconds=config.give_up_seconds)), uri)


def open_bucket(uri: str, source: SourceConfig, *, setting: str) -> ObjectStore:
    """Return a bucket to read from.

    Args:
        uri: s3://bucket.
        source: endpoint and keys; what it leaves open says the environment.
        setting: where the configuration names the bucket, for sentences.

    Raises:
        ConfigError: a variable is missing or does not fit, or the extra s3 is not installed.
    """
    return ObjectStore(opened(uri, source), uri, setting, "the last snapshot stays as it is")


def _bare(e_tag: str | None) -> str | None:
    return e_tag and e_tag.strip('"')


def _obstore() -> Any:
    import obstore  # an extra

    return obstore


def _errors() -> Any:
    import obstore.exceptions

    return obstore.exceptions
