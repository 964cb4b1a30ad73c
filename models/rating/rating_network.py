"""Networks over rows of ratings: layers, noise, and errors on what was rated alone."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.network.dense_layer import Activation, Dense
from models.network.sparse_rows import SparseBatch


class Layers(NamedTuple):
    """What a network is made of; the last layer gives as many numbers as the first takes."""

    widths: tuple[int, ...]  # of the hidden layers
    activations: tuple[Activation, ...]  # of the hidden layers and the last one
    dropout: tuple[float, ...] = ()  # chance that an output of each hidden layer is left out
    tied: bool = False  # the second half of the weights are the first half's, transposed
    k_sparse: int | None = None  # outputs of the code that are kept

    @property
    def code(self) -> int:
        """Return which hidden layer is the code, the one in the middle."""
        return (len(self.widths) - 1) // 2


class RatingNetwork(nn.Module):
    """Dense layers that take sparse or dense rows."""

    def __init__(self, n_columns: int, layers: Layers, *, seed: int) -> None:
        """Draw the weights, uniform by Xavier's rule; biases are 0.

        Raises:
            ValueError: tied layers do not mirror each other.
        """
        super().__init__()
        _check(layers)
        self.layers = layers
        sizes = (n_columns, *layers.widths, n_columns)
        drawn = torch.Generator().manual_seed(seed)
        n_own = len(sizes) // 2 if layers.tied else len(sizes) - 1
        self.W = nn.ParameterList(_xavier(sizes[i], sizes[i + 1], drawn) for i in range(n_own))
        self.b = nn.ParameterList(torch.zeros(size) for size in sizes[1:])

    def weights(self, i: int) -> Tensor:
        """Return the weights of a layer, shape (n_in, n_out)."""
        return self.W[i] if i < len(self.W) else self.W[len(self.b) - 1 - i].T

    def forward(
        self, rows: SparseBatch | Tensor, noise: torch.Generator | None = None
    ) -> Float[Tensor, "batch n_columns"]:
        """Return the output; units are dropped where a generator is given."""
        return self.decoded(self.encoded(rows, noise), noise)

    def encoded(
        self, rows: SparseBatch | Tensor, noise: torch.Generator | None
    ) -> Float[Tensor, "batch n_code"]:
        """Return the code."""
        first = rows.product(self.W[0]) if isinstance(rows, SparseBatch) else rows @ self.W[0]
        h = self._after(first + self.b[0], 0, noise)
        for i in range(1, self.layers.code + 1):
            h = self._after(h @ self.weights(i) + self.b[i], i, noise)
        return h

    def decoded(
        self, h: Float[Tensor, "batch n_code"], noise: torch.Generator | None
    ) -> Float[Tensor, "batch n_columns"]:
        """Return the output of some codes."""
        for i in range(self.layers.code + 1, len(self.b)):
            h = self._after(h @ self.weights(i) + self.b[i], i, noise)
        return h

    def squared_weights(self) -> Tensor:
        """Return the sum of all weights squared, without biases."""
        return torch.stack([each.square().sum() for each in self.W]).sum()

    def dense_layers(self) -> tuple[Dense, ...]:
        """Return the layers in numpy."""
        return tuple(
            Dense(array_of(self.weights(i)), array_of(b), self.layers.activations[i])
            for i, b in enumerate(self.b)
        )

    def _after(self, h: Tensor, i: int, noise: torch.Generator | None) -> Tensor:
        h = torch_activated(h, self.layers.activations[i])
        if i == self.layers.code and self.layers.k_sparse is not None:
            h = largest(h, self.layers.k_sparse)
        if noise is None or i >= len(self.layers.dropout) or not self.layers.dropout[i]:
            return h
        keep = 1.0 - self.layers.dropout[i]
        drawn = torch.rand(h.shape, generator=noise, device=h.device)
        return torch.where(drawn < keep, h / keep, 0.0)


def torch_activated(h: Tensor, activation: Activation) -> Tensor:
    """Return an activation of every number, as models.network.dense_layer.activated."""
    return h if activation == "identity" else _ACTIVATIONS[activation](h)


def largest(h: Tensor, k: int) -> Tensor:
    """Return codes with all but the k largest of each set to 0; ties with the k-th are kept."""
    least = torch.topk(h, min(k, h.shape[1]), dim=1).values[:, -1:]
    return torch.where(h >= least, h, 0.0)


def observed_error(
    out: Float[Tensor, "batch n_columns"], rows: SparseBatch
) -> Float[Tensor, " n_ratings"]:
    """Return outputs less ratings where there is one: nothing else is learnt from."""
    return out[rows.row, rows.column] - rows.value


def root_mean_square(error: Float[Tensor, " n_ratings"]) -> Tensor:
    """Return the root of the mean of squares, with a slope also where nothing is wrong."""
    return (error.square().mean() + 1e-12).sqrt()


def check_output(based_on: Literal["item", "user"], activation: Activation) -> None:
    """Refuse an item-based network whose output is not linear in its last layer.

    Raises:
        ValueError: it is not.
    """
    if based_on == "item" and activation != "identity":
        raise ValueError(
            "an item-based autoencoder must have the output activation identity, as the weights "
            f"of a row are solved for, got {activation}"
        )


def array_of(values: Tensor) -> np.ndarray:
    """Return the numbers of a tensor in an array of their own layout."""
    return np.ascontiguousarray(values.detach().cpu().numpy())


_ACTIVATIONS = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "selu": functional.selu,
}


def _check(layers: Layers) -> None:
    widths = layers.widths
    if len(layers.activations) != len(widths) + 1:
        raise ValueError(
            f"{len(widths)} hidden layers must have {len(widths) + 1} activations, the last one's "
            f"too, got {len(layers.activations)}"
        )
    if layers.tied and (widths != widths[::-1] or len(widths) % 2 == 0):
        raise ValueError(f"tied layers must mirror each other around a code, got widths {widths}")
    if not all(0.0 <= each < 1.0 for each in layers.dropout):
        raise ValueError(f"dropout must be at least 0 and below 1, got {layers.dropout}")


def _xavier(n_in: int, n_out: int, drawn: torch.Generator) -> nn.Parameter:
    bound = float(np.sqrt(6.0 / (n_in + n_out)))
    return nn.Parameter((2.0 * torch.rand(n_in, n_out, generator=drawn) - 1.0) * bound)
