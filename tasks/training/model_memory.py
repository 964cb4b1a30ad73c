"""What a model of items x items takes, held against what there is, before anything is allocated."""

import logging
from pathlib import Path

import numpy as np
import psutil

from data_contracts.config import TrainingConfig
from data_contracts.errors import ConfigError
from data_contracts.model_config import (
    EASEConfig,
    EDLAEConfig,
    ModelConfig,
    MRFConfig,
    SANSAConfig,
)
from models.item_item.dense_inverse import dense_bytes

logger = logging.getLogger(__name__)
_CGROUP = Path("/sys/fs/cgroup")
_LAPACK_COPIES = 2.5  # of one float64 matrix: see models.item_item.cholesky_factor.dense_factor


def dense_model_bytes(config: ModelConfig, n_items: int) -> int:
    """Return the bytes of the items x items array that a fit holds at its peak, 0 if none."""
    match config:
        case EASEConfig() | MRFConfig() | EDLAEConfig():
            return dense_bytes(n_items)
        case SANSAConfig(factorizer="dense"):
            return int(_LAPACK_COPIES * dense_bytes(n_items, np.float64))
        case _:
            return 0


def refuse_large_model(config: ModelConfig, n_items: int, training: TrainingConfig) -> None:
    """Say what a dense model takes, and refuse one that does not fit.

    Raises:
        ConfigError: it takes more than training.max_memory_gb, or than is free.
    """
    needed = dense_model_bytes(config, n_items)
    if not needed:
        return
    given = training.max_memory_gb
    limit = free_memory() if given is None else int(given * 1e9)
    what = "free memory" if given is None else "training.max_memory_gb"
    if needed > limit:
        raise ConfigError(
            f"a model of kind {config.kind} over {n_items:,} items must fit into the "
            f"{limit / 1e9:.3g} GB of {what}, got {needed / 1e9:.3g} GB: choose a kind without an "
            "array of items x items (elsa, sansa, item_knn), or a machine with more memory"
        )
    logger.info(
        "train: %s over %d items takes %.3g GB of %.3g GB (%s)",
        config.kind, n_items, needed / 1e9, limit / 1e9, what,
    )  # fmt: skip


def free_memory() -> int:
    """Return the bytes that this process may still take, those of its container if it has one."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        rows = (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = dict(row.split() for row in rows).get("inactive_file", "0")
    except (OSError, ValueError):
        return free
    return free if limit == "max" else min(free, max(int(limit) - used + int(cached), 0))
