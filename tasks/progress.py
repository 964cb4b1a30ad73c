"""Progress bars on a terminal, silence elsewhere."""

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")


def track(values: Sequence[T], description: str) -> Iterator[T]:
    """Yield the values, with a progress bar on standard error if that is a terminal."""
    quiet = not sys.stderr.isatty()
    console = Console(stderr=True)
    yield from rich_track(
        values, description=description, console=console, transient=True, disable=quiet
    )
