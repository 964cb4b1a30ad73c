"""Progress bars on a terminal, silence elsewhere."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")


def track(values: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield the values, with a progress bar on standard error if that is a terminal.

    Args:
        values: what is worked on.
        description: in words.
        total: number of values, where they do not know it.
    """
    quiet = not sys.stderr.isatty()
    console = Console(stderr=True)
    yield from rich_track(
        values, description=description, total=total, console=console, transient=True, disable=quiet
    )
