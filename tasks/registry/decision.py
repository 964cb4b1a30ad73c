"""What a person decides: promote a version, or roll back to one, tables and aliases together."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient

from data_contracts.config import NightlyConfig
from data_contracts.decision import Decision
from data_contracts.errors import (
    ConfigError,
    ContractViolationError,
    GateRejectedError,
    HoarfrostError,
)
from data_contracts.ledger import LedgerEntry
from data_contracts.manifests import SnapshotManifest, Verdict
from tasks.lock import lake_lock
from tasks.registry.amended_report import amend_report
from tasks.registry.ledger import append, read_ledger
from tasks.registry.registry import fetch_model
from tasks.registry.registry_state import has_version, read_aliases, reconcile, ruling, show
from tasks.registry.tracking import connect
from tasks.registry.twin import marked
from tasks.snapshot.remote_snapshot import point_latest_remote
from tasks.snapshot.snapshot import (
    DamagedSnapshotError,
    NoSnapshotError,
    latest_snapshot,
    point_latest,
    snapshots,
    verify_snapshot,
)
from tasks.source.object_store import open_store

logger = logging.getLogger(__name__)


def promote_version(
    config: NightlyConfig, version: str, reason: str, *, force: bool = False
) -> Decision:
    """Make a registered version champion, if the gate let it pass, or by force.

    The tables follow with the next night, or when the last one is run again.

    Args:
        config: which lake and registry.
        version: of the registered model.
        reason: for the ledger.
        force: also against the gate, and where the aliases were moved by somebody else.

    Raises:
        GateRejectedError: the gate did not let it pass and force is not given.
        ConfigError: no night has decided anything yet.
        ContractViolationError: the registry has no such version, or contradicts the ledger.
        LakeLockedError: a night or another decision is under way.
    """
    lake, name = Path(config.lake), config.mlflow.registered_model
    with lake_lock(lake):
        entries, client = read_ledger(lake), connect(config)
        now = _ruling(entries, lake)
        seized = _settle(client, name, entries, force=force)
        fetch_model(config, version)
        verdict, told = gate_verdict(entries, version, now)
        if verdict != "promote" and not force:
            raise GateRejectedError(
                f"the gate does not let version {version} pass: {verdict}, {told}. To promote it "
                "all the same, add --force: the ledger will say so"
            )
        forced = seized or verdict != "promote"
        entry = _promoted(now, version, reason, verdict=verdict, forced=forced)
        entry = _present(client, name, entry)
        with _finished_by_the_same("promotion"):
            _decide(lake, client, name, entry)
            amend_report(config, entry)
    return Decision(action="promote", champion=version, before=_before(now, entry), entry=entry)


def _settle(client: MlflowClient, name: str, entries: list[LedgerEntry], *, force: bool) -> bool:
    """Finish what a kill left; return whether aliases that somebody moved are taken by force."""
    try:
        reconcile(client, name, entries)
    except ContractViolationError:
        if not force:
            raise
        return True
    return False


def _promoted(
    now: LedgerEntry, version: str, reason: str, *, verdict: Verdict, forced: bool
) -> LedgerEntry:
    if (now.action, now.champion, now.reason) == ("promote", version, reason):
        return now  # the same command again: finish it
    return now.model_copy(
        update={
            "action": "promote", "verdict": verdict, "reason": reason, "champion": version,
            "previous": now.previous if version == now.champion else now.champion,
            "forced": forced, "figures": {}, "snapshot": None, "bad_version": None,
        }
    )  # fmt: skip


def _present(client: MlflowClient, name: str, entry: LedgerEntry) -> LedgerEntry:
    """Return the decision without aliases for versions that somebody deleted."""
    gone = {
        version for version in (entry.challenger, entry.previous)
        if version is not None and not has_version(client, name, version)
    }  # fmt: skip
    update = {"challenger": entry.champion} if entry.challenger in gone else {}
    return entry.model_copy(update=update | ({"previous": None} if entry.previous in gone else {}))


def _before(now: LedgerEntry, entry: LedgerEntry) -> str:
    """Return who was champion before a decision, also if the same command has made it before."""
    return now.champion if entry != now else (entry.bad_version or entry.previous or now.champion)


def gate_verdict(entries: list[LedgerEntry], version: str, now: LedgerEntry) -> tuple[Verdict, str]:
    """Return what the gate has said of a version against the champion of today."""
    for bad in marked(entries):
        if bad.version == version:
            return "reject", f"it was rolled back ({bad.reason})"
    if now.champion == version and now.action == "promote":
        return now.verdict, now.reason  # the gate has said no more since
    judged = [each for each in entries if each.challenger == version and each.action == "night"]
    if not judged:
        return "cannot judge", "no night has judged it"
    last = judged[-1]
    against = last.previous if last.champion == version else last.champion
    if now.champion not in (version, against):
        return "cannot judge", f"it was judged against version {against}, not {now.champion}"
    return last.verdict, f"{last.reason} (night of {last.run_date})"


def roll_back(config: NightlyConfig, to: str | None, reason: str) -> Decision:
    """Point champion and latest back together, read both again, and mark what was bad.

    Everything that can be seen to beforehand is seen to before anything is changed. Then the
    decision is written to the ledger, and champion and latest follow. A command that is cut
    short is finished by the same command, and by the next night; given twice it does no more
    than once.

    Args:
        config: which lake and registry.
        to: a version or a snapshot; by default the newest snapshot of another version that is
            not marked as bad. Going back to a marked version takes its mark away.
        reason: for the ledger.

    Raises:
        ConfigError: there is nothing to go back to.
        ContractViolationError: the snapshot or the version is damaged or gone.
        HoarfrostError: the object store cannot be reached; reading back found another state
            than was written.
        LakeLockedError: a night or another decision is under way.
    """
    lake, name = Path(config.lake), config.mlflow.registered_model
    with lake_lock(lake):
        entries, client = read_ledger(lake), connect(config)
        now = _ruling(entries, lake)
        reconcile(client, name, entries)
        target = _target(lake, to, entries, now)
        _check_target(config, target)
        entry = _present(client, name, _rolled_back(entries, now, target, reason, to=to))
        with _finished_by_the_same("rollback"):
            _decide(lake, client, name, entry)
            _point_back(config, target)
            _read_back(lake, client, name, target)
            amend_report(config, entry)
    return Decision(
        action="rollback", champion=entry.champion, before=_before(now, entry),
        snapshot=target.snapshot_id, entry=entry,
    )  # fmt: skip


def _check_target(config: NightlyConfig, target: SnapshotManifest) -> None:
    """See that tables and model are whole, in every place that will point to them."""
    verify_snapshot(Path(config.lake) / "snapshots" / target.snapshot_id)
    fetch_model(config, target.model_version)
    if config.publish.target is None:
        return
    sizes = open_store(config.publish).sizes(f"snapshots/{target.snapshot_id}")
    wrong = [entry.path for entry in target.files if sizes.get(entry.path) != entry.bytes]
    if wrong:
        raise DamagedSnapshotError(
            f"{config.publish.target}/snapshots/{target.snapshot_id} must be whole to go back to, "
            f"got no or another {wrong[0]}; nothing was changed: name another snapshot with --to"
        )


def _point_back(config: NightlyConfig, target: SnapshotManifest) -> None:
    if config.publish.target is not None:
        point_latest_remote(config.publish, target)
    point_latest(Path(config.lake), target, backwards=True)


def _ruling(entries: list[LedgerEntry], lake: Path) -> LedgerEntry:
    now = ruling(entries)
    if now is None:
        raise ConfigError(f"no night has decided anything in {lake}: run one with 'hoarfrost run'")
    return now


@contextmanager
def _finished_by_the_same(what: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.error("%s: not finished, run the same command again", what)
        raise


def _decide(lake: Path, client: MlflowClient, name: str, entry: LedgerEntry) -> None:
    append(lake, entry)
    show(client, name, entry)
    logger.info("%s: champion is version %s (%s)", entry.action, entry.champion, entry.reason)


def _rolled_back(
    entries: list[LedgerEntry],
    now: LedgerEntry,
    target: SnapshotManifest,
    reason: str,
    *,
    to: str | None,
) -> LedgerEntry:
    version = target.model_version
    same = target.snapshot_id == now.snapshot or (to is None and version == now.champion)
    if now.action == "rollback" and same:
        return now  # the same command again: finish it
    stood = [entry for entry in entries if entry.champion == version]
    return now.model_copy(
        update={
            "action": "rollback", "verdict": "reject", "reason": reason, "champion": version,
            "previous": stood[-1].previous if stood else None, "forced": False, "figures": {},
            "snapshot": target.snapshot_id,
            "bad_version": now.champion if now.champion != version else None,
        }
    )  # fmt: skip


def _target(
    lake: Path, to: str | None, entries: list[LedgerEntry], now: LedgerEntry
) -> SnapshotManifest:
    kept = snapshots(lake)
    if to is None and now.action == "rollback":  # it stands, or was cut short
        shown = _shown(lake)
        if shown is not None and shown.model_version == now.champion:
            return shown
        to = now.snapshot
    if to is None:
        unfit = {now.champion, *(bad.version for bad in marked(entries))}
        fitting = [each for each in kept if each.model_version not in unfit]
    else:
        fitting = [each for each in kept if to in (each.snapshot_id, each.model_version)]
    if not fitting:
        raise ConfigError(_nothing_to_go_back_to(kept, to, now))
    return fitting[-1]


def _nothing_to_go_back_to(kept: list[SnapshotManifest], to: str | None, now: LedgerEntry) -> str:
    have = ", ".join(f"{each.snapshot_id} (version {each.model_version})" for each in kept)
    wanted = (
        f"snapshot or version {to}"
        if to
        else f"snapshot of another version than {now.champion} that is not marked as bad"
    )
    return (
        f"there must be a {wanted} to go back to, got {have or 'none'}: promote another version "
        f"by hand (hoarfrost promote --version V --reason '...' --force), then run the night "
        f"again (hoarfrost run --date {now.run_date})"
    )


def _shown(lake: Path) -> SnapshotManifest | None:
    try:
        return latest_snapshot(lake)[1]
    except (NoSnapshotError, DamagedSnapshotError):
        return None


def _read_back(lake: Path, client: MlflowClient, name: str, target: SnapshotManifest) -> None:
    champion, shown = read_aliases(client, name)["champion"], _shown(lake)
    latest = shown and shown.snapshot_id
    if (champion, latest) != (target.model_version, target.snapshot_id):
        raise HoarfrostError(
            f"after the rollback champion must be version {target.model_version} and latest "
            f"{target.snapshot_id}, got {champion} and {latest}: run the same command again"
        )
