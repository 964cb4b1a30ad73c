"""The network of CDAE while it is trained: outputs of the items that a step draws, no others."""

from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network.autoencoder import Autoencoder, prepared
from models.network.dense_layer import Dense
from models.network.negative_sample import unobserved_items
from models.network.network_fit import Step, TrainedNetwork
from models.network.sparse_rows import SparseRows


class CDAEShape(NamedTuple):
    """Layers, noise and objective."""

    n_factors: int
    activation: Literal["identity", "sigmoid"]  # of the code
    loss: Literal["square", "logistic"]
    dropout: float
    n_negatives: int
    l2: float
    tied: bool
    user_vectors: bool


class CDAENetwork(TrainedNetwork):
    """One layer to a code, to which a user's vector is added, and one layer to the items."""

    def __init__(self, X: sp.csr_array, shape: CDAEShape, *, seed: int, device: str) -> None:
        """Draw the first weights evenly in +-4 sqrt(6 / (n_items + n_factors)); the rest is 0."""
        super().__init__()
        self.shape = shape
        rows = prepared(X, unit_rows=False, binary=True)
        rows.sort_indices()
        self.rows = SparseRows(rows, device)
        n_users, n_items, k = *X.shape, shape.n_factors
        generator = torch.Generator().manual_seed(seed)
        most = 4.0 * np.sqrt(6.0 / (n_items + k))

        def drawn() -> nn.Parameter:
            return nn.Parameter(torch.empty(n_items, k).uniform_(-most, most, generator=generator))

        self.W_in = drawn()
        self.W_out = self.W_in if shape.tied else drawn()
        self.b_code = nn.Parameter(torch.zeros(k))
        self.b_out = nn.Parameter(torch.zeros(n_items))
        self.V = nn.Parameter(torch.zeros(n_users, k)) if shape.user_vectors else None
        self.to(device)

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters for the optimiser; the loss itself holds the vectors back."""
        common = [each for name, each in self.named_parameters() if name != "V"]
        decayed = {"params": common, "weight_decay": self.shape.l2}
        own = [] if self.V is None else [{"params": [self.V], "weight_decay": 0.0}]
        return [decayed, *own]

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the loss of some users, added up."""
        batch = self.rows.take(rows)
        corrupted = batch.dropped(1.0 - self.shape.dropout, step.noise)
        h = corrupted.product(self.W_in) + self.b_code
        held_back: Tensor | float = 0.0
        if self.V is not None:
            user = torch.from_numpy(rows).to(h.device)
            own = functional.embedding(user, self.V, sparse=True)
            h, held_back = h + own, 0.5 * self.shape.l2 * own.square().sum()
        z = torch.sigmoid(h) if self.shape.activation == "sigmoid" else h
        row, item = unobserved_items(batch, self.shape.n_negatives, step.noise)
        had = self._outputs(z, batch.row, batch.column)
        not_had = self._outputs(z, row, item)
        if self.shape.loss == "square":
            missed = 0.5 * ((had - 1.0).square().sum() + not_had.square().sum())
        else:
            missed = functional.softplus(-had).sum() + functional.softplus(not_had).sum()
        return missed + held_back

    def _outputs(self, z: Tensor, row: Tensor, item: Tensor) -> Tensor:
        # by embeddings: their gradients are summed in one order, unlike those of indexing
        products = functional.embedding(row, z) * functional.embedding(item, self.W_out)
        return products.sum(1) + functional.embedding(item, self.b_out[:, None])[:, 0]

    def fitted(self, best_epoch: int = 0) -> Autoencoder:
        """Return the layers as a new user has them."""
        parts = (self.W_in, self.b_code, self.W_out, self.b_out)
        W_in, b_code, W_out, b_out = (each.detach().cpu().numpy().copy() for each in parts)
        layers = (Dense(W_in, b_code, self.shape.activation), Dense(W_out.T, b_out))
        return Autoencoder(layers, unit_rows=False, binary=True, best_epoch=best_epoch)

    def user_vectors(self) -> np.ndarray:
        """Return the vectors of the users, without columns if they have none."""
        if self.V is None:
            return np.zeros((self.rows.shape[0], 0), np.float32)
        return np.asarray(self.V.detach().cpu().numpy().copy())
