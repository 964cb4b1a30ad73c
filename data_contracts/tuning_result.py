"""What a search of hyper-parameters found."""

from typing import Literal

from data_contracts.frozen import Frozen
from data_contracts.tuning import Value


class Trial(Frozen):
    """One model that was tried."""

    number: int  # from 1
    state: Literal["complete", "pruned"]
    value: float | None  # best validation nDCG@100; none where the trial was pruned
    best_epoch: int | None
    epochs: int  # run in all
    seconds: float
    params: dict[str, Value | None]  # that were tried, and that the fit chose itself
    configured: bool  # the model as it was configured
    problem: str | None  # why it was given up, if not for its figures


class Tuning(Frozen):
    """A search and its best model."""

    study: str
    storage: str
    kind: str
    metric: str
    validation_users: int
    n_new_trials: int  # of this call
    configured_value: float | None
    best_value: float
    best_epoch: int
    best_params: dict[str, Value | None]
    seconds: float  # of this call
    device: str
    trials: tuple[Trial, ...]
    model_file: str  # TOML that evaluate reads
    out: str | None  # where it was written
