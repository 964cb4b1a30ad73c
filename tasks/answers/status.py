"""What a lake holds, and whether its tables, the registry and the ledger agree."""

from datetime import date
from pathlib import Path

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from data_contracts.answer import LakeStatus, NightStatus, RegistryStatus
from data_contracts.config import NightlyConfig
from data_contracts.errors import ContractViolationError, HoarfrostError
from data_contracts.ledger import LedgerEntry
from data_contracts.manifests import SnapshotManifest
from data_contracts.vocabulary import VocabularyStatus
from tasks.lake import night_folder, nights
from tasks.registry.ledger import decisions, whole_lines
from tasks.registry.registry_state import compare, read_aliases, ruling
from tasks.registry.tracking import connect
from tasks.snapshot.snapshot import (
    DamagedSnapshotError,
    NoSnapshotError,
    latest_snapshot,
    snapshots,
)
from tasks.vocabulary.vocabulary import last_vocabulary, refuse_other_meaning

STEPS = (
    "ingest",
    "table_rules",
    "log_drift",
    "history",
    "matrices",
    "train",
    "judge",
    "promote",
    "materialise",
    "check",
    "compare",
    "publish",
)


def lake_status(config: NightlyConfig) -> LakeStatus:
    """Return the state of a lake, read from its manifests, its ledger and the registry.

    Nothing is written and nothing is mended.

    Raises:
        HoarfrostError: there is no lake.
    """
    lake = Path(config.lake)
    if not lake.is_dir():
        raise HoarfrostError(f"no lake at {lake}: check 'lake' in the configuration")
    shown, damage = _shown(lake)
    lines, broken = whole_lines(lake)
    entries = decisions(lines)
    registry, unanswered = _registry(config, decided=bool(entries))
    vocabulary, mixed_up = _vocabulary(lake)
    found = [broken, damage, mixed_up]
    if broken is None and registry is not None:
        found += [_aliases_disagree(registry, entries), _tables_disagree(shown, entries)]
    notes = [unanswered, _tables_follow(shown, entries)]
    return LakeStatus(
        lake=str(lake),
        latest=shown and shown.snapshot_id,
        model_version=shown and shown.model_version,
        snapshots=tuple(each.snapshot_id for each in snapshots(lake)),
        nights=tuple(_night_status(lake, run_date) for run_date in nights(lake)),
        promotions=tuple(lines),
        whole=broken is None,
        registry=registry,
        vocabulary=vocabulary,
        problems=tuple(each for each in found if each is not None),
        notes=tuple(each for each in notes if each is not None),
    )


def _shown(lake: Path) -> tuple[SnapshotManifest | None, str | None]:
    try:
        return latest_snapshot(lake)[1], None
    except NoSnapshotError:
        return None, None
    except DamagedSnapshotError as error:
        return None, str(error)


def _registry(config: NightlyConfig, *, decided: bool) -> tuple[RegistryStatus | None, str | None]:
    own = Path(config.lake) / "mlflow" / "mlflow.db"
    if config.mlflow.tracking_uri is None and not own.is_file() and not decided:
        return None, None  # no night has run, and looking makes no database
    name = config.mlflow.registered_model
    try:
        return RegistryStatus(model=name, **read_aliases(connect(config), name)), None
    except (MlflowException, OSError, SQLAlchemyError) as error:
        kind = type(error).__name__  # its message holds the address, maybe with a password
        return None, f"the registry could not be asked ({kind}): the aliases are not known"


def _vocabulary(lake: Path) -> tuple[VocabularyStatus | None, str | None]:
    """Return the counts of the newest night, and what is wrong with the ids themselves."""
    last = last_vocabulary(lake)
    if last is None:
        return None, None
    try:
        refuse_other_meaning(lake, last)
    except ContractViolationError as error:
        return None, str(error)
    return VocabularyStatus(items=last.n_items, retired=last.retired), None


def _aliases_disagree(registry: RegistryStatus, entries: list[LedgerEntry]) -> str | None:
    shown = registry.model_dump(exclude={"model"})
    return compare(shown, registry.model, entries).sentence or None


def _tables_disagree(shown: SnapshotManifest | None, entries: list[LedgerEntry]) -> str | None:
    now = ruling(entries)
    if now is None or now.action != "rollback" or _version(shown) == now.champion:
        return None
    return (
        f"the rollback to {now.snapshot} is in the ledger and the tables are not there: the next "
        f"night publishes from version {now.champion}, or run: "
        f"hoarfrost rollback --to {now.snapshot}"
    )


def _tables_follow(shown: SnapshotManifest | None, entries: list[LedgerEntry]) -> str | None:
    now = ruling(entries)
    if now is None or now.action == "rollback" or _version(shown) == now.champion:
        return None
    return (
        f"champion is version {now.champion}, the tables are of "
        f"{'no version' if shown is None else f'version {shown.model_version}'}: they follow with "
        f"the next night, or run: hoarfrost run --date {now.run_date}"
    )


def _version(shown: SnapshotManifest | None) -> str | None:
    return None if shown is None else shown.model_version


def _night_status(lake: Path, run_date: date) -> NightStatus:
    folder = night_folder(lake, run_date)
    finished = tuple(step for step in STEPS if (folder / step / "manifest.json").is_file())
    missing = [step for step in STEPS if step not in finished]
    return NightStatus(run_date=run_date, finished=finished, next_step=next(iter(missing), None))
