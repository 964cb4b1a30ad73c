"""What forgetting people leaves behind: numbers and places, never an id."""

from data_contracts.frozen import Frozen

FORGOTTEN = "forgotten"  # the rule
FORGOTTEN_RULES = {FORGOTTEN: "no row is of a person who asked to be forgotten (hoarfrost forget)"}


class Unfinished(Frozen):
    """A forgetting under way; it stands in the lake until every copy is clean."""

    id: str
    people: int  # that were asked for
    listed: str  # digest of the list with them on it
    reason: str


class Proof(Frozen):
    """What a look at every file of a lake has found."""

    files: int
    tables: int  # of them, Parquet: columns of users read value by value
    texts: int  # of them, everything else: read byte by byte
    bytes: int
    people: int  # on the list, looked for in the tables
    ids: int  # known from the file of users, looked for in texts as well
    ids_too_short: int  # of them: a few letters stand everywhere, so only marked places count
    found: tuple[str, ...]  # files of ours that name somebody
    yours: tuple[str, ...]  # your own files that do: the log, segments, lists


class Forgetting(Frozen):
    """What was taken out, and the proof."""

    people: int  # asked for
    new: int  # of them, not on the list before
    listed: int  # on the list now
    rows: dict[str, int]  # place -> rows taken out
    snapshots: tuple[str, ...]  # rewritten
    remote: tuple[str, ...]  # rewritten in the object store
    proof: Proof
