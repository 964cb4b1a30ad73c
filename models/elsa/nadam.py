"""NAdam's schedule: what a step multiplies gradient and momentum with.

Reference: Dozat, ICLR Workshop 2016; momentum decay as in torch.optim.NAdam.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
_MOMENTUM_DECAY = 0.004


class Coefficients(NamedTuple):
    """One step: w -= (gradient * g + momentum * m) / (sqrt(v * variance) + EPSILON)."""

    gradient: float
    momentum: float
    variance: float


@dataclass(frozen=True)
class Schedule:
    """How many steps were made, and the product of their momenta."""

    step: int = 0
    mu_product: float = 1.0

    def advance(self, learning_rate: float) -> tuple["Schedule", Coefficients]:
        """Return the schedule after one more step, and that step's coefficients."""
        step = self.step + 1
        mu, mu_next = _momentum(step), _momentum(step + 1)
        product = self.mu_product * mu
        coefficients = Coefficients(
            gradient=learning_rate * (1.0 - mu) / (1.0 - product),
            momentum=learning_rate * mu_next / (1.0 - product * mu_next),
            variance=1.0 / (1.0 - BETA2**step),
        )
        return replace(self, step=step, mu_product=product), coefficients


def _momentum(step: int) -> float:
    return BETA1 * (1.0 - 0.5 * 0.96 ** (step * _MOMENTUM_DECAY))
