"""One dense layer of a fitted network, in numpy: what a model keeps and serves."""

from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float
from scipy.special import expit

from models.item_rows import over_items

Activation = Literal["identity", "tanh", "sigmoid", "relu", "selu"]
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


class Dense(NamedTuple):
    """Computes ``activation(h W + b)``; float32 arrays."""

    W: Float[np.ndarray, "n_in n_out"]
    b: Float[np.ndarray, " n_out"]
    activation: Activation = "identity"

    def __call__(self, h: np.ndarray | sp.csr_array) -> Float[np.ndarray, "batch n_out"]:
        """Return the layer's output, float64: rounded once, rows do not depend on their batch."""
        wide = h.astype(np.float64) @ self.W.astype(np.float64) + self.b
        return activated(np.asarray(wide), self.activation)

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "Dense":
        """Return the layer with an output for each of more items, 0 for unknown ones."""
        W = np.ascontiguousarray(over_items(self.W.T, known).T)
        return self._replace(W=W, b=over_items(self.b, known))


def activated(
    h: Float[np.ndarray, "*shape"], activation: Activation
) -> Float[np.ndarray, "*shape"]:
    """Return an activation of every number.

    Reference of SELU: Klambauer et al., NeurIPS 2017, arXiv:1706.02515.
    """
    match activation:
        case "tanh":
            return np.tanh(h)
        case "sigmoid":
            return np.asarray(expit(h))
        case "relu":
            return np.maximum(h, 0.0)
        case "selu":
            below = SELU_ALPHA * np.expm1(np.minimum(h, 0.0))
            return SELU_SCALE * np.where(h > 0.0, h, below)
        case "identity":
            return h
