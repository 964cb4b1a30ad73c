"""Which form ELSA's step takes, and which engine makes it: the cheapest that does what is asked."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch

from models.elsa.elsa_cpu import CpuEngine
from models.elsa.elsa_dense import Loss, Output, dense_form
from models.elsa.elsa_sampled import sampled_form
from models.elsa.elsa_state import Parameter
from models.elsa.elsa_torch import DeviceRows, Form, TorchEngine, exact_form

_PRODUCTS = {"float32": None, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class ELSAForm:
    """What a step computes, and how."""

    output: Output = "linear"
    """Whether y is x A Aᵀ - x or its positive part."""
    loss: Loss = "nmse"
    """Mean of (y/|y| - x/|x|)² over batch and items, or of 1 - cos(x, y) over the batch."""
    gamma: float = 0.0
    """A user's loss counts as |x|^gamma, so that long histories count more."""
    max_output: int | None = None
    """Items a step makes y for: the batch's and others drawn at random; by default all."""
    step: Literal["auto", "exact", "dense"] = "auto"
    """Whether the linear output of all items is formed; auto picks the cheaper."""
    products: Literal["float32", "bfloat16"] = "float32"
    """Precision of the exact form's largest products; the parameter is float32."""

    def engine(
        self,
        X: sp.csr_array,
        parameter: Parameter,
        *,
        batch_size: int,
        seed: int,
        device: str,
    ) -> CpuEngine | TorchEngine:
        """Return what runs the epochs over rows of X, shape (n_users, n_items).

        Args:
            X: rows with at least one item each.
            parameter: where to start.
            batch_size: rows per step.
            seed: of the items drawn at random.
            device: torch device.

        Raises:
            ValueError: the exact step is asked for where y is not linear or not of all items.
        """
        exact = self.is_exact(n_factors=parameter.A.shape[1], batch_size=batch_size)
        weight = _weight(X, self.gamma)
        scale = 2.0 / X.shape[1] if self.loss == "nmse" else 1.0
        if exact and device == "cpu" and self.products == "float32":
            return CpuEngine(X, parameter, scale=scale, weight=weight)

        def form_of_epoch(step: int) -> Form:
            if exact:
                return exact_form(scale=scale, product=_PRODUCTS[self.products])
            if self.max_output is None:
                return dense_form(output=self.output, loss=self.loss)
            return sampled_form(
                output=self.output, loss=self.loss, max_output=self.max_output,
                generator=np.random.default_rng([seed, step]),
            )  # fmt: skip

        rows = DeviceRows.from_csr(X, device, weight)
        return TorchEngine(rows, parameter, form_of_epoch=form_of_epoch)

    def is_exact(self, *, n_factors: int, batch_size: int) -> bool:
        """Tell whether steps are exact; auto compares floating-point operations.

        Per item and factor the dense form takes 6 batch_size of them (y, and twice its
        derivative), the exact one 3 n_factors (half of AᵀA, and A dG).

        Raises:
            ValueError: as engine.
        """
        possible = self.output == "linear" and self.max_output is None
        if self.step == "exact" and not possible:
            raise ValueError("the exact step needs a linear output of all items")
        cheaper = 3 * n_factors <= 6 * batch_size
        return possible and (self.step == "exact" or (self.step == "auto" and cheaper))


def _weight(X: sp.csr_array, gamma: float) -> np.ndarray:
    """Return |x|^gamma of every row, 1 on average."""
    user = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    squares = np.bincount(user, weights=np.square(X.data, dtype=np.float64))
    weight = squares ** (0.5 * gamma)
    return (weight / weight.mean()).astype(np.float32)


AS_PUBLISHED = ELSAForm()
