"""The champion's factors as tonight's start."""

import logging

import numpy as np

from data_contracts.manifests import MatrixManifest
from data_contracts.model_config import ELSAConfig
from tasks.judging.contender import from_registry
from tasks.lake import Night
from tasks.registry.ledger import read_ledger, standing_before
from tasks.registry.registry import fetch_model
from tasks.vocabulary.vocabulary import items_of

logger = logging.getLogger(__name__)


def warm_version(night: Night) -> str | None:
    """Return the version that tonight's training starts from, none if it starts cold."""
    model = night.config.model
    if not isinstance(model, ELSAConfig) or model.start != "warm":
        return None
    standing = standing_before(read_ledger(night.lake), night.run_date)
    return None if standing is None else standing.champion


def warm_factors(night: Night, matrices: MatrixManifest) -> np.ndarray | None:
    """Return the champion's factors over tonight's items, zero where an item is new to it.

    None where there is no champion yet, where it is of another kind, or where it has learned from
    the days that tonight's model is judged on.
    """
    version = warm_version(night)
    if version is None:
        return None
    registered = fetch_model(night.config, version)
    if registered.trained_until >= night.cut:
        logger.info("train: the champion has seen the held-out days, so the start is cold")
        return None
    if registered.kind != "elsa":
        logger.info("train: the champion is of kind %s, so the start is cold", registered.kind)
        return None
    item_ids = items_of(night.lake, matrices)
    logger.info("train: starts from version %s", version)
    return from_registry(registered, item_ids, night.lake).vectors
