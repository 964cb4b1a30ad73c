"""The learnt side of ELSA with item information, on any torch device, and its steps."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from models.elsa.elsa_content_gradient import Mode, Output, content_gradient
from models.elsa.elsa_torch import DeviceRows, descend
from models.elsa.nadam import BETA1, BETA2, EPSILON, Coefficients, Schedule

Start = Literal["content", "xavier"]


class ContentEngine:
    """Holds both sides; epochs change the learnt one and never the content."""

    def __init__(
        self,
        rows: DeviceRows,
        content: Float[np.ndarray, "n_items n_factors"],
        *,
        mode: Mode,
        start: Start,
        unit_rows: bool,
        seed: int,
    ) -> None:
        """Begin at the content or at random.

        Args:
            rows: what to learn from, at least one item in each.
            content: unit rows, or rows of zeros, float32.
            mode: the side that content is.
            start: of the other side.
            unit_rows: whether its rows are kept at unit length.
            seed: of the random start.
        """
        self._rows, self._mode, self._unit = rows, mode, unit_rows
        self._content = torch.tensor(content, device=rows.device)
        first = content if start == "content" else _random(content.shape, seed)
        norm = np.maximum(np.linalg.norm(first, axis=1), 1e-12)
        self._norm = torch.tensor(norm, device=rows.device)
        self._learnt = torch.tensor(first, device=rows.device)
        if unit_rows:
            self._learnt /= self._norm[:, None]
        self._moments = torch.zeros_like(self._learnt), torch.zeros_like(self._learnt)
        self._schedule = Schedule()

    @property
    def learnt(self) -> Float[np.ndarray, "n_items n_factors"]:
        """A copy of the learnt side in main memory, float32."""
        return self._learnt.cpu().numpy().copy()

    def run_epoch(
        self, order: np.ndarray, *, batch_size: int, learning_rate: float, output: Output
    ) -> np.ndarray:
        """Visit the rows in an order; return the loss of every batch."""
        losses = []
        for first in range(0, len(order), batch_size):
            batch = self._rows.take(order[first : first + batch_size])
            sides = self._learnt, self._content
            E, D = sides if self._mode == "decoder" else sides[::-1]
            loss, gradient = content_gradient(E, D, batch, mode=self._mode, output=output)
            self._schedule, coefficients = self._schedule.advance(learning_rate)
            self._update(gradient, coefficients)
            losses.append(loss)
        return torch.stack(losses).cpu().numpy()

    def _update(self, gradient: torch.Tensor, coefficients: Coefficients) -> None:
        first, second = self._moments
        if self._unit:
            descend(self._learnt, self._norm, first, second, gradient, coefficients)
            return
        first.mul_(BETA1).add_(gradient, alpha=1.0 - BETA1)
        second.mul_(BETA2).addcmul_(gradient, gradient, value=1.0 - BETA2)
        step = gradient.mul_(coefficients.gradient).add_(first, alpha=coefficients.momentum)
        self._learnt.sub_(step.div_((second * coefficients.variance).sqrt_().add_(EPSILON)))


def _random(shape: tuple[int, ...], seed: int) -> Float[np.ndarray, "n_items n_factors"]:
    bound = np.sqrt(6.0 / sum(shape))  # Xavier's
    return np.random.default_rng(seed).uniform(-bound, bound, shape).astype(np.float32)
