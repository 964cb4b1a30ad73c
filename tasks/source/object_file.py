"""One object of a store, as it was when it was met: read by ranges, or fetched as a whole."""

import io
from dataclasses import dataclass
from pathlib import Path

from tasks.source.object_store import ObjectMeta, ObjectStore

_PART_BYTES = 16 * 2**20  # of one request; larger ones run into its time limit on slow lines


def read_range(store: ObjectStore, meta: ObjectMeta, start: int, end: int) -> bytes:
    """Return the bytes from start to before end.

    Raises:
        MovedError: the object is not the one that was met.
        ObjectStoreError: the store is out of reach or refuses.
    """
    starts = range(start, end, _PART_BYTES)
    parts = [store.part(meta, each, min(each + _PART_BYTES, end)) for each in starts]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def fetch(store: ObjectStore, meta: ObjectMeta, path: Path) -> None:
    """Write the whole object to a local file, a part at a time.

    Raises:
        MovedError: the object is not the one that was met.
        ObjectStoreError: the store is out of reach or refuses.
    """
    with path.open("wb") as file:
        for start in range(0, meta.bytes, _PART_BYTES):
            file.write(store.part(meta, start, min(start + _PART_BYTES, meta.bytes)))


@dataclass(eq=False)
class ObjectFile(io.RawIOBase):
    """A file object over an object; nothing is read before it is asked for."""

    store: ObjectStore
    meta: ObjectMeta
    position: int = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read anywhere."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to where the next read begins."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.meta.bytes}
        self.position = base[whence] + offset
        return self.position

    def read(self, size: int | None = -1) -> bytes:
        """Return so many bytes, fewer at the end."""
        left = max(self.meta.bytes - self.position, 0)
        n_bytes = left if size is None or size < 0 else min(size, left)
        if n_bytes == 0:
            return b""
        found = read_range(self.store, self.meta, self.position, self.position + n_bytes)
        self.position += n_bytes
        return found
