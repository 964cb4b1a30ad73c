"""How foreign data are written, what an import may refuse, and what it reports."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from data_contracts.frozen import Frozen
from data_contracts.id_type import IdType

Kept = Literal["text", "number"]

IMPORT_RULES = {
    "malformed_row": "every row has as many fields as the header, or is one JSON object",
    "invalid_text": "every text is UTF-8",
    "time_unreadable": "every time can be read as the option --time says",
    "time_too_early": "no time lies before interactions.earliest",
    "time_in_future": "no time lies after today",
    "user_id_not_integer": "every user id is a whole number of 64 bits, where that was asked",
    "item_id_not_integer": "every item id is a whole number of 64 bits, where that was asked",
    "not_a_number": "every value of a column kept as number is one",
    "item_id_missing": "every row of a catalogue has an item id",
    "item_id_repeated": "a catalogue has one row per item; the first one counts",
}


class TextTable(Frozen):
    """How rows are written in a text file; it may be compressed (.gz, .bz2, .zst)."""

    layout: Literal["csv", "jsonl"] = "csv"
    """Separated fields, or one JSON object per line."""
    separator: Annotated[str, Field(min_length=1)] = ","
    """Between fields; longer than one character only where fields are never quoted."""
    quoted: bool = True
    """Whether a field may stand in double quotes."""
    header: tuple[str, ...] = ()
    """Names of the columns; empty where the first row of the file holds them."""
    latin1: bool = False
    """Whether rows that are no UTF-8 are Latin-1; without it they are refused."""


class LogFormat(TextTable):
    """A text file of events and the meaning of its columns."""

    user_id: str = "user_id"
    """Column that says who."""
    item_id: str = "item_id"
    """Column that says what."""
    timestamp: str = "timestamp"
    """Column that says when; "" where the file does not tell."""
    time: Annotated[str, Field(min_length=1)] = "iso"
    """"iso", a unit since 1970 (s, ms, us, ns), or a pattern of strptime."""
    time_zone: str = ""
    """IANA zone of times that carry none; "" for that of the log."""
    event_column: str = ""
    """Column that says which kind of event; "" where all are of one kind."""
    event_type: str = "view"
    """The kind of all events, without such a column."""
    user_ids: IdType = "string"
    """Type of user ids in the log."""
    item_ids: IdType = "string"
    """Type of item ids in the log."""
    keep: dict[str, Kept] = Field(default={})
    """Other columns that go into the log under their own names."""

    def columns(self) -> list[str]:
        """Return the columns that are read."""
        named = (self.user_id, self.item_id, self.timestamp, self.event_column, *self.keep)
        return list(dict.fromkeys(name for name in named if name))


class CatalogueFormat(TextTable):
    """A text file of items and the meaning of its columns; "" where there is none."""

    item_id: str
    title: str = ""
    category: str = ""
    """One category; of several, split by |, the first."""
    text: str = ""
    """What the item is about; lists are joined."""
    flags: tuple[str, ...] = ()
    """Columns that are 1 where the category of their name fits."""
    item_ids: IdType = "string"

    def columns(self) -> list[str]:
        """Return the columns that are read."""
        named = (self.item_id, self.title, self.category, self.text, *self.flags)
        return list(dict.fromkeys(name for name in named if name))


class LogSource(Frozen):
    """One file of events to import."""

    name: str
    """Part of the names of the files that it becomes."""
    path: str
    format: LogFormat
    day: date | None = None
    """Day of all events of a file without times."""


class ImportedFile(Frozen):
    """What became of one file; rows = written + the sum of refused."""

    name: str
    source: str
    sha256: str
    rows: int
    written: int
    refused: dict[str, int]  # rule -> rows
    refused_file: str | None
    files: int  # of the log or of the catalogue
    files_unchanged: int  # of them, there before with the same bytes
    first_day: date | None
    last_day: date | None
    left_out: tuple[str, ...]  # columns of the file that are not kept


class ImportResult(Frozen):
    """What an import has done."""

    lake: str
    logs: tuple[ImportedFile, ...]
    catalogue: ImportedFile | None
    rules: dict[str, str]  # rule -> what it asks for
