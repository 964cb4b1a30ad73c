"""Bring a vocabulary back from the registry: every version there holds the ids it was made with."""

import logging
from pathlib import Path

import polars as pl

from data_contracts.config import NightlyConfig
from data_contracts.errors import ContractViolationError
from data_contracts.vocabulary import VocabularyManifest, VocabularyStatus
from tasks.files import explained
from tasks.lake_id import lake_id, lake_id_path
from tasks.lock import lake_lock
from tasks.registry.registry import fetch_model
from tasks.registry.tracking import connect
from tasks.vocabulary.id_digest import id_digest
from tasks.vocabulary.vocabulary import last_vocabulary, refuse_other_meaning, replace_vocabulary

logger = logging.getLogger(__name__)


def vocabulary_status(lake: Path) -> VocabularyStatus:
    """Return the counts of the newest night, its ids checked one by one.

    Raises:
        ContractViolationError: no night has left a vocabulary, or the file is another.
    """
    last = _last(lake)
    refuse_other_meaning(lake, last)
    return VocabularyStatus(items=last.n_items, retired=last.retired)


def restore_vocabulary(config: NightlyConfig, version: str | None = None) -> VocabularyStatus:
    """Write the ids of a registered version as the vocabulary, proven by the last night's digest.

    Args:
        config: which lake and registry.
        version: of the registered model; by default the newest.

    Raises:
        ContractViolationError: no night has left a digest, or the version has other ids or fewer.
        LakeLockedError: a night or a decision is under way.
        StorageError: the disk is full or may not be written.
    """
    lake = Path(config.lake)
    with lake_lock(lake), explained(lake):
        last = _last(lake)
        version = version or _newest(config)
        ids = pl.Series(fetch_model(config, version).item_ids)
        found = id_digest(ids.head(last.n_items)) if len(ids) >= last.n_items else None
        if found != last.sha256:
            raise ContractViolationError(
                f"version {version} must hold the {last.n_items} items of the night of "
                f"{last.run_date}, got {len(ids)} that are not these: name the version that this "
                "lake's last night registered with --version"
            )
        _drop_damaged_id(lake)
        replace_vocabulary(lake, ids)
        logger.info("vocabulary: %d items brought back from version %s", len(ids), version)
    return vocabulary_status(lake)


def _last(lake: Path) -> VocabularyManifest:
    last = last_vocabulary(lake)
    if last is None:
        raise ContractViolationError(
            f"a night must have left a vocabulary in {lake}, got none: run a night first"
        )
    return last


def _newest(config: NightlyConfig) -> str:
    name = config.mlflow.registered_model
    versions = connect(config).search_model_versions(f"name = '{name}'")
    if not versions:
        raise ContractViolationError(f"the registry must have a version of {name}, got none")
    return str(max(int(each.version) for each in versions))


def _drop_damaged_id(lake: Path) -> None:
    try:
        lake_id(lake)
    except ContractViolationError:
        lake_id_path(lake).unlink()
