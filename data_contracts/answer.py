"""What the reporting commands answer, for people and for scripts."""

from datetime import date
from typing import Any, Literal

from data_contracts.frozen import Frozen
from data_contracts.ledger import LedgerLine
from data_contracts.manifests import RefusedFile
from data_contracts.table_rules import RuleOutcome
from data_contracts.vocabulary import VocabularyStatus


class QueryResult(Frozen):
    """Column names and rows of a query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


Sink = Literal["csv", "duckdb", "delta", "postgres"]


class ExportResult(Frozen):
    """What was copied where."""

    sink: Sink
    into: str  # never a secret
    snapshot_id: str
    rows: dict[str, int]  # table -> rows
    seconds: float


class LogCheck(Frozen):
    """What a night would take and refuse, and whether it would stop."""

    lake: str
    run_date: date
    files: int
    rows: int
    accepted: int
    quarantined: dict[str, int]
    refused_files: tuple[RefusedFile, ...]
    rules: dict[str, str]  # rule -> what it asks for
    table_rules: dict[str, str]  # the same, of rules for a whole day
    outcomes: tuple[RuleOutcome, ...]  # of every rule, on the days that would be judged
    problem: str | None  # why the night would stop
    exit_code: int


class NightStatus(Frozen):
    """How far one night came."""

    run_date: date
    finished: tuple[str, ...]
    next_step: str | None


class RegistryStatus(Frozen):
    """The aliases as MLflow has them: versions, None where one is not set."""

    model: str
    challenger: str | None
    champion: str | None
    previous: str | None


class LakeStatus(Frozen):
    """What a lake holds, and whether tables, registry and ledger agree."""

    lake: str
    latest: str | None
    model_version: str | None  # that the tables come from
    snapshots: tuple[str, ...]
    nights: tuple[NightStatus, ...]
    promotions: tuple[LedgerLine, ...]  # lines of the ledger, up to the first that was changed
    whole: bool  # every line of the ledger fits its seal
    registry: RegistryStatus | None  # None: it could not be asked
    vocabulary: VocabularyStatus | None  # None: no night has built one, or see problems
    problems: tuple[str, ...]  # what disagrees, and the command that mends it
    notes: tuple[str, ...]  # what will follow by itself, or could not be seen
