"""Whether tonight's challenger is a model again that somebody rolled back."""

import functools
import logging
from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl
import scipy.sparse as sp

from data_contracts.ledger import LedgerEntry
from data_contracts.model_config import Consumed
from models.metric.list_overlap import shared_items
from models.metric.metric import rank_lists
from tasks.config_digest import whole_config_digest
from tasks.judging import contender
from tasks.judging.contender import Contender
from tasks.lake import Night
from tasks.registry.registry import fetch_model
from tasks.registry.registry_state import has_version
from tasks.registry.tracking import connect

logger = logging.getLogger(__name__)
SAME_LISTS = 0.9  # share of items in common that makes two models twins
_N_USERS, _N_TOP = 2000, 20


class BadVersion(NamedTuple):
    """A version that was rolled back, and why."""

    version: str
    reason: str
    config_digest: str  # of the night that made it
    config_is_bad: bool = False  # the version gone back to was made under another one


def bad_versions(entries: Sequence[LedgerEntry], run_date: date) -> list[BadVersion]:
    """Return the versions that were rolled back before a night and are still marked."""
    return marked([entry for entry in entries if entry.run_date < run_date])


def marked(entries: Sequence[LedgerEntry]) -> list[BadVersion]:
    """Return the versions that were rolled back, oldest mark first.

    A mark goes when a person makes the version champion again, or one that a night held as its
    twin: somebody has looked at it. Any other version leaves it, however good.
    """
    bad: dict[str, BadVersion] = {}
    nights: dict[str, LedgerEntry] = {}  # version -> its night's last decision
    for entry in entries:
        if entry.action == "night":
            nights[entry.challenger] = entry
            continue
        held = nights[entry.champion].reason if entry.champion in nights else ""
        for version in list(bad):
            if version == entry.champion or _twin_of(version) in held:
                del bad[version]
        if (gone := entry.bad_version) is not None:
            made_with, good = (
                nights[version].config_digest if version in nights else ""
                for version in (gone, entry.champion)
            )
            bad[gone] = BadVersion(
                gone, entry.reason, made_with, bool(made_with) and made_with != good
            )
    return list(bad.values())


def _twin_of(version: str) -> str:
    return f"of its lists are those of version {version}, which was rolled back"


def find_twin(
    night: Night,
    challenger: Contender,
    champion: Contender,
    item_ids: pl.Series,
    fold_in: sp.csr_array,
    bad: Sequence[BadVersion],
    shown: Callable[[Consumed], sp.csr_array],
) -> str | None:
    """Return a sentence if the challenger is a bad version again, None if it is not.

    A twin has nearly the same lists, or it comes from the same configuration. If that has made
    good versions too, it is not to blame, and the lists must be nearer to those of the bad
    version than to the champion's.

    Args:
        night: of the challenger.
        challenger: of tonight.
        champion: that it would follow.
        item_ids: the vocabulary.
        fold_in: what some users have seen.
        bad: versions that were rolled back.
        shown: the same as a sort of models consumes it.
    """
    name = night.config.mlflow.registered_model
    same = functools.partial(_same, fold_in[:_N_USERS], shown)
    client = connect(night.config)
    for version, reason, config_digest, config_is_bad in bad:
        if not has_version(client, name, version):
            logger.warning("judge: version %s, once rolled back, is gone: no twins of it", version)
            continue
        other = contender.from_registry(fetch_model(night.config, version), item_ids, night.lake)
        share, of_champion = same(challenger, other), same(challenger, champion)
        unchanged = config_digest == whole_config_digest(night)
        if share >= SAME_LISTS or (unchanged and (config_is_bad or share > of_champion)):
            return (
                f"{share:.0%} {_twin_of(version)} ({reason}), {of_champion:.0%} the champion's, "
                f"and the configuration is {'the same' if unchanged else 'another'}; mend it, or "
                "promote it by hand"
            )
    return None


def _same(
    seen: sp.csr_array,
    shown: Callable[[Consumed], sp.csr_array],
    one: Contender,
    other: Contender,
) -> float:
    """Return the share of the one's lists that stands in the other's too."""
    lists, others = (
        rank_lists(
            each.judged, fold_in=shown(each.consumes)[: seen.shape[0]], seen=seen,
            eligible=each.comparable, k=_N_TOP,
        )
        for each in (one, other)
    )  # fmt: skip
    shared = shared_items(lists, others, seen.shape[1]).sum()
    return float(shared / max(int((lists >= 0).sum()), 1))
