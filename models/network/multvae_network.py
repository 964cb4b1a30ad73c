"""The network of MultVAE and MultDAE while it is trained; its step touches one batch x items."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.network.autoencoder import Autoencoder, prepared
from models.network.dense_layer import Dense
from models.network.likelihood import Entries, Likelihood, negative_log_likelihood
from models.network.network_fit import Step, TrainedNetwork
from models.network.sparse_rows import SparseRows

BIAS_SPREAD = 0.001


class MultShape(NamedTuple):
    """Layers, noise and objective of a network."""

    n_factors: int  # width of the code
    n_hidden: int  # width of the layers on both sides of it, 0 for none
    dropout: float  # share of the input that is left out while training
    likelihood: Likelihood = "multinomial"
    weight: float = 1.0  # of a one, likelihood "gaussian"
    variational: bool = True


class Annealing(NamedTuple):
    """The weight of the divergence grows with every update, over the whole run, up to a cap."""

    cap: float
    n_steps: int  # updates after which it would be 1

    def weight(self, n_updates: int) -> float:
        """Return the weight of the step after so many updates."""
        return min(self.cap, n_updates / self.n_steps)


class MultNetwork(TrainedNetwork):
    """Unit rows, dropout, tanh layers, a code, tanh layers and one output per item."""

    def __init__(
        self, X: sp.csr_array, shape: MultShape, annealing: Annealing | None, *,
        batch_size: int, seed: int, device: str,
    ) -> None:  # fmt: skip
        """Draw the first weights: Xavier; biases from a truncated normal of spread 0.001."""
        super().__init__()
        self.shape, self.annealing = shape, annealing
        self.rows = SparseRows(prepared(X, unit_rows=True, binary=True), device)
        generator = torch.Generator().manual_seed(seed)
        sizes = layer_sizes(X.shape[1], shape)
        self.weights = nn.ParameterList(_first_weights(size, generator) for size in sizes)
        self.biases = nn.ParameterList(_first_biases(size[1], generator) for size in sizes)
        self.to(device)
        self._place = torch.empty(min(batch_size, X.shape[0]), X.shape[1], device=device)

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the negative evidence lower bound of some users, a mean over them."""
        batch = self.rows.take(rows)
        noisy = batch.dropped(1.0 - self.shape.dropout, step.noise)
        h = noisy.product(self.weights[0]) + self.biases[0]
        divergence: Tensor | None = None
        for layer in range(1, len(self.weights)):
            h = torch.tanh(h) if layer != self._n_encoding or not self.shape.variational else h
            if layer == self._n_encoding and self.shape.variational:
                mean, log_variance = h.chunk(2, dim=1)
                divergence = kl_divergence(mean, log_variance).mean()
                h = _drawn(mean, log_variance, step.noise)
            if layer < len(self.weights) - 1:
                h = torch.addmm(self.biases[layer], h, self.weights[layer])
        loss = negative_log_likelihood(
            h, self.weights[-1], self.biases[-1], Entries(batch.row, batch.column),
            likelihood=self.shape.likelihood, weight=self.shape.weight, buffer=self._place,
        )  # fmt: skip
        if divergence is None or self.annealing is None:
            return loss
        return loss + self.annealing.weight(step.number) * divergence

    def fitted(self) -> Autoencoder:
        """Return the layers as they are; of a variational code the mean."""
        arrays = [each.detach().cpu().numpy().copy() for each in self.weights]
        biases = [each.detach().cpu().numpy().copy() for each in self.biases]
        layers = [Dense(W, b, "tanh") for W, b in zip(arrays, biases, strict=True)]
        layers[-1] = layers[-1]._replace(activation="identity")
        if self.shape.variational:
            code, k = layers[self._n_encoding - 1], self.shape.n_factors
            mean = Dense(code.W[:, :k].copy(), code.b[:k].copy(), "identity")
            layers[self._n_encoding - 1] = mean
        return Autoencoder(tuple(layers), unit_rows=True, binary=True)

    @property
    def _n_encoding(self) -> int:
        return len(self.weights) // 2


def layer_sizes(n_items: int, shape: MultShape) -> list[tuple[int, int]]:
    """Return what every layer takes and gives; a variational code is given as mean and spread."""
    hidden = [shape.n_hidden] if shape.n_hidden else []
    down = [n_items, *hidden, shape.n_factors]
    sizes = list(pairwise(down))
    up = [(n_out, n_in) for n_in, n_out in reversed(sizes)]
    if shape.variational:
        sizes[-1] = (sizes[-1][0], 2 * shape.n_factors)
    return sizes + up


def kl_divergence(
    mean: Float[Tensor, "batch n_factors"], log_variance: Float[Tensor, "batch n_factors"]
) -> Float[Tensor, " batch"]:
    """Return how far normal distributions are from the standard one, per row."""
    return 0.5 * (log_variance.exp() - log_variance + mean.square() - 1.0).sum(1)


def _drawn(mean: Tensor, log_variance: Tensor, noise: torch.Generator) -> Tensor:
    epsilon = torch.empty_like(mean).normal_(generator=noise)
    return mean + epsilon * torch.exp(0.5 * log_variance)


def _first_weights(size: tuple[int, int], generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(size), generator=generator))


def _first_biases(n: int, generator: torch.Generator) -> nn.Parameter:
    most = 2.0 * BIAS_SPREAD
    first = nn.init.trunc_normal_(
        torch.empty(n), std=BIAS_SPREAD, a=-most, b=most, generator=generator
    )
    return nn.Parameter(first)
