"""What a person decides: promote a version, or roll back to one, tables and aliases together."""

import logging
from pathlib import Path

from mlflow import MlflowClient

from data_contracts.config import NightlyConfig
from data_contracts.decision import Decision
from data_contracts.errors import ConfigError, GateRejectedError, HoarfrostError
from data_contracts.ledger import LedgerEntry
from data_contracts.manifests import SnapshotManifest, Verdict
from tasks.ledger import append, read_ledger
from tasks.lock import lake_lock
from tasks.registry import fetch_model
from tasks.registry_state import read_aliases, reconcile, ruling, show
from tasks.remote_snapshot import point_latest_remote
from tasks.snapshot import latest_snapshot, point_latest, snapshots, verify_snapshot
from tasks.tracking import connect

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
        if not force:
            reconcile(client, name, entries)
        fetch_model(config, version)
        verdict, told = gate_verdict(entries, version, now)
        if verdict != "promote" and not force:
            raise GateRejectedError(
                f"the gate does not let version {version} pass: {verdict}, {told}. To promote it "
                "all the same, add --force: the ledger will say so"
            )
        entry = now.model_copy(
            update={
                "action": "promote", "verdict": verdict, "reason": reason, "champion": version,
                "previous": now.previous if version == now.champion else now.champion,
                "forced": verdict != "promote", "figures": {}, "snapshot": None,
                "bad_version": None,
            }
        )  # fmt: skip
        _decide(lake, client, name, entry)
    return Decision(action="promote", champion=version, before=now.champion, entry=entry)


def gate_verdict(entries: list[LedgerEntry], version: str, now: LedgerEntry) -> tuple[Verdict, str]:
    """Return what the gate has said of a version against the champion of today."""
    rolled_back = [entry for entry in entries if entry.bad_version == version]
    if rolled_back:
        return "reject", f"it was rolled back ({rolled_back[-1].reason})"
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

    The decision is written to the ledger first. A command that is cut short is finished by
    the same command, and by the next night.

    Args:
        config: which lake and registry.
        to: a version or a snapshot; by default the newest snapshot of another version.
        reason: for the ledger.

    Raises:
        ConfigError: there is nothing to go back to.
        ContractViolationError: the snapshot or the version is damaged or gone.
        HoarfrostError: reading back found another state than was written.
        LakeLockedError: a night or another decision is under way.
    """
    lake, name = Path(config.lake), config.mlflow.registered_model
    with lake_lock(lake):
        entries, client = read_ledger(lake), connect(config)
        now = _ruling(entries, lake)
        reconcile(client, name, entries)
        target = _target(lake, to, now)
        verify_snapshot(lake / "snapshots" / target.snapshot_id)
        fetch_model(config, target.model_version)
        entry = _rolled_back(entries, now, target, reason)
        _decide(lake, client, name, entry)
        if config.publish.target is not None:
            point_latest_remote(config.publish, target)
        point_latest(lake, target, backwards=True)
        _read_back(lake, client, name, entry)
    return Decision(
        action="rollback", champion=entry.champion, before=now.champion,
        snapshot=target.snapshot_id, entry=entry,
    )  # fmt: skip


def _ruling(entries: list[LedgerEntry], lake: Path) -> LedgerEntry:
    now = ruling(entries)
    if now is None:
        raise ConfigError(f"no night has decided anything in {lake}: run one with 'hoarfrost run'")
    return now


def _decide(lake: Path, client: MlflowClient, name: str, entry: LedgerEntry) -> None:
    append(lake, entry)
    show(client, name, entry)
    logger.info("%s: champion is version %s (%s)", entry.action, entry.champion, entry.reason)


def _rolled_back(
    entries: list[LedgerEntry], now: LedgerEntry, target: SnapshotManifest, reason: str
) -> LedgerEntry:
    version = target.model_version
    if now.action == "rollback" and now.snapshot == target.snapshot_id:
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


def _target(lake: Path, to: str | None, now: LedgerEntry) -> SnapshotManifest:
    kept = snapshots(lake)
    if now.action == "rollback" and to is None and now.snapshot != _shown(lake):
        to = now.snapshot  # the command before was cut short
    if to is None:
        fitting = [each for each in kept if each.model_version != now.champion]
    else:
        fitting = [each for each in kept if to in (each.snapshot_id, each.model_version)]
    if not fitting:
        have = ", ".join(f"{each.snapshot_id} (version {each.model_version})" for each in kept)
        wanted = (
            f"snapshot or version {to}"
            if to
            else f"snapshot of another version than {now.champion}"
        )
        raise ConfigError(f"there must be a {wanted} to go back to, got {have or 'none'}")
    return fitting[-1]


def _shown(lake: Path) -> str:
    return latest_snapshot(lake)[1].snapshot_id


def _read_back(lake: Path, client: MlflowClient, name: str, entry: LedgerEntry) -> None:
    champion, latest = read_aliases(client, name)["champion"], _shown(lake)
    if (champion, latest) != (entry.champion, entry.snapshot):
        raise HoarfrostError(
            f"after the rollback champion must be version {entry.champion} and latest "
            f"{entry.snapshot}, got {champion} and {latest}: run the same command again"
        )
