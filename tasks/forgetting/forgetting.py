"""Forget people: take them out of everything a lake keeps, refuse them, and prove it.

The order makes it safe to kill: a mark that stops nights, the list that refuses their rows, the
copies one after the other, the proof, the ledger, and then the mark is taken away. The same
command again goes on, and a command without new people enforces the list again, as after a
backup was brought back.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError, ContractViolationError, HoarfrostError
from data_contracts.forgetting import Forgetting, Proof, Unfinished
from data_contracts.ledger import ForgetEntry
from data_contracts.manifests import IngestManifest
from tasks.files import explained
from tasks.forgetting.forget_parquet import Sought, sought
from tasks.forgetting.forget_remote import clean_remote, unclean_remote
from tasks.forgetting.forget_reports import clean_reports
from tasks.forgetting.forget_scan import prove
from tasks.forgetting.forget_snapshots import clean_snapshots
from tasks.forgetting.forget_state import clean_refused, clean_state, drop_unfinished
from tasks.forgetting.forgotten import (
    Forgotten,
    begin,
    finish,
    list_digest,
    read_list,
    unfinished,
    with_people,
    write_list,
)
from tasks.lake import night_folder, nights
from tasks.lock import lake_lock
from tasks.nights.replay_lake import replay_lake
from tasks.registry.ledger import append_forgetting, read_lines
from tasks.steps import read_manifest
from tasks.user_hash import drop_key

logger = logging.getLogger(__name__)
_WAIT_SECONDS = 60.0


def read_users(path: Path) -> tuple[str, ...]:
    """Return the ids in a Parquet file as texts, each once, sorted.

    Raises:
        ConfigError: there is no such file, it has no fitting column user_id, or an id is empty.
    """
    try:
        found = pl.read_parquet(path, columns=["user_id"], glob=False)["user_id"]
    except (OSError, pl.exceptions.PolarsError):
        raise ConfigError(
            f"{path} must be a Parquet file with a column user_id, got none that can be read"
        ) from None
    if not (found.dtype.is_integer() or found.dtype == pl.String):
        raise ConfigError(f"user_id in {path} must be strings or integers, got {found.dtype}")
    texts = found.cast(pl.String)
    empty = (texts.is_null() | (texts == "")).arg_true()
    if len(empty):
        raise ConfigError(
            f"every row of {path} must name somebody, got nobody in row {empty[0]} (from 0)"
        )
    return tuple(texts.unique().sort().to_list())


def forget_people(
    config: NightlyConfig,
    user_ids: tuple[str, ...] = (),
    *,
    reason: str,
    wait_seconds: float = _WAIT_SECONDS,
) -> Forgetting:
    """Take people out of history, tables and reports, refuse their rows from now on, prove it.

    Doing it again changes nothing more. Without ids, those on the list are taken out again.

    Args:
        config: which lake, registry and object store.
        user_ids: texts, as in the log.
        reason: for the ledger.
        wait_seconds: how long readers of the old tables are waited for, all together.

    Raises:
        ConfigError: nobody is given and nobody is listed, or the ids are not of the lake's type.
        ContractViolationError: a copy still names somebody, or ledger or list were damaged.
        LakeLockedError: a night or another decision is under way.
        StorageError: the disk is full, or the object store cannot be reached.
    """
    lake = Path(config.lake)
    if not lake.is_dir():
        raise HoarfrostError(f"no lake at {lake}: check 'lake' in the configuration")
    with _alone(lake), explained(lake):
        read_lines(lake)  # a damaged ledger shows before anything is done
        are_numbers = _are_numbers(lake)
        _refuse_other_type(user_ids, are_numbers=are_numbers)
        new, people = _enter(lake, user_ids, reason)
        deadline = time.monotonic() + wait_seconds
        wanted = sought(people, config.interactions.columns.user_id)
        rows, snapshots, remote = _take_out(config, wanted, deadline)
        proof = _proved(config, wanted, user_ids, are_numbers=are_numbers)
        done = Forgetting(
            people=len(user_ids), new=new, listed=len(people.hashes), rows=rows,
            snapshots=snapshots, remote=remote, proof=proof,
        )  # fmt: skip
        _close(config, done)
    return done


def check_forgotten(config: NightlyConfig, user_ids: tuple[str, ...] = ()) -> Proof:
    """Look into every file for everybody on the list, and for these people; change nothing.

    Args:
        config: which lake.
        user_ids: looked for besides, and in texts.

    Raises:
        ConfigError: nobody is given and nobody is listed.
        LakeLockedError: a night or another decision is under way.
    """
    lake = Path(config.lake)
    if not lake.is_dir():
        raise HoarfrostError(f"no lake at {lake}: check 'lake' in the configuration")
    with _alone(lake):
        listed = read_list(lake)
        key = listed.key or b"of this look only"
        looked = Forgotten(listed.hashes, key)
        people = Forgotten(listed.hashes | {looked.hash_of(each) for each in user_ids}, key)
        if not people:
            raise _nobody(lake)
        wanted = sought(people, config.interactions.columns.user_id)
        return _look(config, wanted, user_ids, are_numbers=_are_numbers(lake))


@contextmanager
def _alone(lake: Path) -> Iterator[None]:
    """Keep nights, decisions and replays out."""
    with lake_lock(lake):
        if not replay_lake(lake).is_dir():
            yield
            return
        with lake_lock(replay_lake(lake)):
            yield


def _enter(lake: Path, user_ids: tuple[str, ...], reason: str) -> tuple[int, Forgotten]:
    """Mark the lake and write the list; return how many people are new on it, and the list."""
    cut_short, before = unfinished(lake), read_list(lake)
    people = with_people(lake, user_ids)
    if not people:
        raise _nobody(lake)
    if cut_short is not None and not user_ids and list_digest(people) != cut_short.listed:
        raise ConfigError(
            "the forgetting that was cut short had not listed its people yet: give their file "
            "again with --users"
        )
    same = cut_short is not None and list_digest(people) == cut_short.listed
    if cut_short is None or not same:
        begin(lake, Unfinished(id=uuid.uuid4().hex, people=len(user_ids),
                               listed=list_digest(people), reason=reason))  # fmt: skip
    if people.hashes != before.hashes:
        write_list(lake, people)
    return len(people.hashes - before.hashes), people


def _take_out(
    config: NightlyConfig, wanted: Sought, deadline: float
) -> tuple[dict[str, int], tuple[str, ...], tuple[str, ...]]:
    """Clean every copy; return rows by place, and the snapshots that were rewritten."""
    lake = Path(config.lake)
    drop_unfinished(lake)
    rows: Counter[str] = clean_state(lake, wanted)
    rows["quarantine"] = clean_refused(lake, wanted)
    rows["reports"] = clean_reports(config, wanted.people)
    snapshots = dict(clean_snapshots(lake, wanted, deadline=deadline))
    rows["snapshots"] = sum(snapshots.values())
    remote: tuple[str, ...] = ()
    if config.publish.target is not None:
        remote = tuple(clean_remote(config, wanted, deadline=deadline))
    drop_unfinished(lake)
    return {place: n for place, n in sorted(rows.items()) if n}, tuple(snapshots), remote


def _look(
    config: NightlyConfig, wanted: Sought, user_ids: tuple[str, ...], *, are_numbers: bool
) -> Proof:
    proof = prove(Path(config.lake), wanted, user_ids, are_numbers=are_numbers)
    if config.publish.target is None:
        return proof
    return proof.model_copy(update={"found": (*proof.found, *unclean_remote(config))})


def _proved(
    config: NightlyConfig, wanted: Sought, user_ids: tuple[str, ...], *, are_numbers: bool
) -> Proof:
    proof = _look(config, wanted, user_ids, are_numbers=are_numbers)
    if proof.found:
        raise ContractViolationError(
            f"no file of the lake may name somebody forgotten, got {len(proof.found)} that do: "
            f"{', '.join(proof.found[:5])}. Nights wait until this is mended: remove them, then "
            "run the same command again"
        )
    logger.info("forget: none of %d files names anybody of %d", proof.files, proof.people)
    return proof


def _close(config: NightlyConfig, done: Forgetting) -> None:
    lake = Path(config.lake)
    drop_key(config)  # old log lines lead to nobody any more
    mark = unfinished(lake)
    if mark is not None:
        append_forgetting(lake, ForgetEntry(
            id=mark.id, people=mark.people, reason=mark.reason, rows=done.rows,
            snapshots=done.snapshots,
        ))  # fmt: skip
    finish(lake)


def _are_numbers(lake: Path) -> bool:
    for day in reversed(nights(lake)):
        ingest = read_manifest(night_folder(lake, day) / "ingest", IngestManifest)
        if ingest is not None:
            return ingest.user_id_type == "integer"
    return False


def _refuse_other_type(user_ids: tuple[str, ...], *, are_numbers: bool) -> None:
    wrong = sum(str(int(each)) != each if _is_whole(each) else True for each in user_ids)
    if are_numbers and wrong:
        raise ConfigError(
            f"users must be whole numbers as in the log of this lake, got {wrong} of "
            f"{len(user_ids)} that are none"
        )


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


def _nobody(lake: Path) -> ConfigError:
    return ConfigError(f"somebody must be forgotten, got no --users and nobody listed in {lake}")
