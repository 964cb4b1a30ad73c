"""Bytes of a text file, decompressed and made UTF-8, with a mark where they were not."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from data_contracts.errors import ConfigError, ContractViolationError
from tasks.plain_error import told

MARK = "\ufdd0"  # before a byte that is no UTF-8; Unicode keeps it out of texts
_BLOCK_BYTES = 2**20
_ESCAPED = re.compile("[\udc80-\udcff]")


class MarkedStream(io.RawIOBase):
    """A stream whose bytes are all UTF-8: a wrong one is a mark and the character of Latin-1.

    Readers of text can then tell which row is at fault, where else the file would be.
    """

    def __init__(self, raw: pa.NativeFile) -> None:
        super().__init__()
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._ready = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, target: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the target as far as bytes are there; return how many."""
        while not self._ready and not self._ended:
            block = self._raw.read(_BLOCK_BYTES)
            self._ended = not block
            self._ready = memoryview(_marked(self._decoder.decode(block, final=self._ended)))
        n_bytes = min(len(target), len(self._ready))
        target[:n_bytes] = self._ready[:n_bytes]
        self._ready = self._ready[n_bytes:]
        return n_bytes


def unmarked(text: str) -> str:
    """Return a text with wrong bytes as Latin-1 has them."""
    return text.replace(MARK, "")


@contextmanager
def open_text(path: Path) -> Iterator[io.BufferedReader]:
    """Open a text file, plain or compressed (.gz, .bz2, .zst, .lz4).

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: it cannot be read to its end, or is not what was named.
    """
    if not path.is_file():
        raise ConfigError(f"{path} must be a file, got none there: mend the path")
    try:
        with pa.input_stream(str(path), compression="detect") as raw:
            yield io.BufferedReader(MarkedStream(raw), _BLOCK_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise ContractViolationError(
            f"{path} must be a readable text file, whole and of the named layout, got: "
            f"{told(error)}; nothing was imported"
        ) from error


def _marked(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _ESCAPED.sub(lambda found: MARK + chr(ord(found[0]) - 0xDC00), text).encode()
