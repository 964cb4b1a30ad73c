"""What a fit learns from, and what stops it early."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data_contracts.config import TrainingConfig
from models.fold_in import fold_in_split


class FitData(NamedTuple):
    """Rows to fit, and held-out users as (fold-in, target) for early stopping."""

    X: sp.csr_array
    validation: tuple[sp.csr_array, sp.csr_array] | None


def hold_out_users(
    X: sp.csr_array, training: TrainingConfig, *, fold_in_share: float, seed: int
) -> FitData:
    """Return the rows to fit and the users held out for early stopping, none if X is tiny.

    Held-out users that count as known leave what is shown of them among the rows to fit.
    """
    candidates = np.flatnonzero(np.diff(X.indptr) > 1)
    n_held_out = min(
        training.max_validation_users, int(training.validation_share * len(candidates))
    )
    if n_held_out < 1:
        return FitData(X, None)
    rng = np.random.default_rng(seed)
    held_out = np.sort(rng.choice(candidates, n_held_out, replace=False))
    kept = np.setdiff1d(np.arange(X.shape[0]), held_out)
    validation = fold_in_split(X[held_out], target_share=1.0 - fold_in_share, seed=seed)
    if training.validation_users == "unseen":
        return FitData(X[kept], validation)
    rows = sp.csr_array(sp.vstack([X[kept], validation[0]], format="csr"))
    return FitData(rows, validation)
