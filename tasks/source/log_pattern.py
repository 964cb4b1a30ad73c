"""Which names a pattern of the log means, and of which day each is."""

import logging
import re
from datetime import date, timedelta
from typing import NamedTuple

logger = logging.getLogger(__name__)
LATEST = "\U0010ffff"  # sorts behind everything that may follow a day
_MEANING = {"{date}": r"(?P<date>\d{4}-\d{2}-\d{2})", "*": "[^/]*", "?": "[^/]"}


class LogShape(NamedTuple):
    """The names of log files."""

    names: re.Pattern[str]

    def day(self, name: str) -> date | None:
        """Return the day of a file, None for a name of another form or a day that never was."""
        found = self.names.fullmatch(name)
        if found is None:
            return None
        try:
            return date.fromisoformat(found["date"])
        except ValueError:
            logger.warning("%s is left out: the calendar has no day %s", name, found["date"])
            return None


def shape_of(pattern: str, root: str = "") -> LogShape:
    """Return the names that a pattern means: {date}, * and ? stand for text within a folder.

    A name that starts with a dot is meant only by a pattern that has that dot.

    Args:
        pattern: holds {date} once.
        root: plain text before it.
    """
    parts = re.split(r"(\{date\}|\*|\?|/)", pattern)
    shape, starts = [re.escape(root)], True
    for part in (part for part in parts if part):
        meaning = _MEANING.get(part, re.escape(part))
        shape.append(rf"(?!\.){meaning}" if starts and part in ("*", "?") else meaning)
        starts = part == "/"
    return LogShape(re.compile("".join(shape)))


class KeyRange(NamedTuple):
    """Where in the order of keys the files of some days stand."""

    folder: str
    after: str
    until: str


def key_range(pattern: str, first: date, last: date) -> KeyRange:
    """Return a part of all keys that holds those of a pattern from first to last day.

    Where plain text stands before {date}, other days are hardly in it; else whole folders are.
    """
    head = re.split(r"[*?]|\{date\}", pattern, maxsplit=1)[0]
    folder = head.rpartition("/")[0]
    if not pattern.startswith(head + "{date}"):
        return KeyRange(folder, head, head + LATEST)
    return KeyRange(folder, f"{head}{first - timedelta(days=1)}", f"{head}{last}{LATEST}")
