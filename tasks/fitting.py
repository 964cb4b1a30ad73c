"""Configuration turned into a fit: which rows teach, which users stop it early."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data_contracts.config import ELSAConfig, TrainingConfig
from models.elsa import ELSA, fit_elsa, usual_batch_size, usual_rank
from models.elsa_form import ELSAForm
from models.elsa_state import TrainingState
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


def fit_model(
    data: FitData,
    config: ELSAConfig,
    *,
    n_epochs: int,
    seed: int,
    device: str,
    warm: np.ndarray | None = None,
    on_epoch: Callable[[int, dict[str, float], TrainingState], None] | None = None,
    resume: TrainingState | None = None,
) -> ELSA:
    """Turn configuration into arguments; nothing else does.

    Args:
        data: what to learn from, and what to stop by.
        config: the model.
        n_epochs: most passes.
        seed: of all that is random.
        device: torch device.
        warm: factors of an earlier model over these items, zero rows where an item is new.
        on_epoch: called after every epoch.
        resume: where to go on.
    """
    return fit_elsa(
        data.X,
        n_factors=config.n_factors or usual_rank(*data.X.shape),
        n_epochs=n_epochs,
        batch_size=config.batch_size or usual_batch_size(data.X.shape[0]),
        learning_rate=config.learning_rate,
        alpha=config.alpha,
        beta=config.beta,
        start="xavier" if config.start == "warm" else config.start,
        warm=warm,
        form=ELSAForm(
            output=config.output,
            loss=config.loss,
            gamma=config.gamma,
            max_output=config.max_output,
            step=config.step,
            products=config.products,
        ),
        patience=config.patience,
        validation=data.validation,
        seed=seed,
        device=device,
        on_epoch=on_epoch,
        resume=resume,
    )
