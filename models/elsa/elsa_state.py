"""What ELSA's training changes, and what it needs to go on after an epoch."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from models.elsa.nadam import Schedule


class Parameter(NamedTuple):
    """W as unit rows and their lengths (W = norm A), with NAdam's two moments; float32."""

    A: np.ndarray  # (n_items, n_factors)
    norm: np.ndarray  # (n_items,)
    exp_avg: np.ndarray  # (n_items, n_factors)
    exp_avg_sq: np.ndarray  # (n_items, n_factors)


@dataclass(frozen=True)
class TrainingState:
    """A training after an epoch; a fit resumed from it ends as if never stopped, to the bit."""

    factors: np.ndarray  # as Parameter, but for the names
    norm: np.ndarray
    exp_avg: np.ndarray
    exp_avg_sq: np.ndarray
    best_factors: np.ndarray  # (n_items, n_factors)
    mu_product: float
    step: int
    epoch: int
    best_epoch: int
    best_metric: float

    @property
    def parameter(self) -> Parameter:
        """The arrays that a step changes."""
        return Parameter(self.factors, self.norm, self.exp_avg, self.exp_avg_sq)

    def holding(self, parameter: Parameter) -> "TrainingState":
        """Return the state with another parameter."""
        A, norm, exp_avg, exp_avg_sq = parameter
        return replace(self, factors=A, norm=norm, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)

    @property
    def schedule(self) -> Schedule:
        """The optimiser's place."""
        return Schedule(self.step, self.mu_product)


def fresh_state(A: np.ndarray, norm: np.ndarray) -> TrainingState:
    """Return the state before the first epoch of a training that starts at W = norm A."""
    return TrainingState(
        factors=A, norm=norm, exp_avg=np.zeros_like(A), exp_avg_sq=np.zeros_like(A),
        best_factors=A, mu_product=1.0, step=0, epoch=0, best_epoch=0, best_metric=-1.0,
    )  # fmt: skip
