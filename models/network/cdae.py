"""CDAE: a denoising autoencoder with a vector of each user's own, on sampled items."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int

from models.network.autoencoder import Autoencoder, prepared
from models.network.cdae_network import CDAENetwork, CDAEShape
from models.network.dense_layer import activated
from models.network.network_check import check_network
from models.network.network_fit import (
    OnNetworkEpoch,
    Training,
    Validation,
    fit_network,
    ranking_figures,
)
from models.network.network_state import NetworkState

Variant = Literal["M1", "M2", "M3", "M4"]
_LAYERS: dict[Variant, tuple[Literal["identity", "sigmoid"], Literal["square", "logistic"]]] = {
    "M1": ("identity", "square"),
    "M2": ("identity", "logistic"),
    "M3": ("sigmoid", "square"),
    "M4": ("sigmoid", "logistic"),
}
ADAGRAD_BETA = 1.0


@dataclass(frozen=True)
class CDAE:
    """Fitted CDAE: an autoencoder, which is all there is for new users, and known users' vectors.

    Scores are those before the output's activation: it is increasing, so they rank alike.
    """

    for_new_users: Autoencoder
    V: Float[np.ndarray, "n_users n_factors"]  # no columns if it was fitted without
    consumes: ClassVar[str] = "binary or weighted matrix"

    def encode(
        self, X: sp.csr_array, user: Int[np.ndarray, " batch"] | None = None
    ) -> Float[np.ndarray, "batch n_columns"]:
        """Return the code of every row and a 1, float32.

        Args:
            X: histories, shape (batch, n_items).
            user: row of each in the matrix of the fit, -1 for a new one; by default all are new.
        """
        if user is None or not self.V.shape[1]:
            return self.for_new_users.encode(X)
        first = self.for_new_users.layers[0]
        own = np.where((user >= 0)[:, None], self.V[np.maximum(user, 0)], 0.0)
        rows = prepared(X, unit_rows=False, binary=True).astype(np.float64)
        h = activated(np.asarray(rows @ first.W.astype(np.float64)) + first.b + own,
                      first.activation)  # fmt: skip
        return np.hstack([h, np.ones((X.shape[0], 1))]).astype(np.float32)

    @property
    def decoder(self) -> Float[np.ndarray, "n_items n_columns"]:
        """Return the weights and the bias of every item's output."""
        return self.for_new_users.decoder

    @property
    def best_epoch(self) -> int:
        """Return the epoch that is kept."""
        return self.for_new_users.best_epoch


def fit_cdae(
    X: sp.csr_array,
    *,
    n_factors: int,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    variant: Variant = "M4",
    dropout: float = 0.5,
    n_negatives: int = 5,
    l2: float = 0.0,
    tied: bool = False,
    user_vectors: bool = True,
    patience: int | None = None,
    validation: Validation | None = None,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> CDAE:
    """Return CDAE, trained by AdaGrad on what users had and on as many draws of what they had not.

    Reference: Wu et al., WSDM 2016, doi:10.1145/2835776.2835837 (n_factors is its K, dropout its
    q, l2 its lambda). As there every user's slope counts in full: losses of a batch are added.

    Args:
        X: who had what, shape (n_users, n_items); every entry counts as 1.
        n_factors: width of the code.
        n_epochs: most passes over the users.
        batch_size: users per step.
        learning_rate: eta of a step eta g / (1 + sqrt(sum of g^2)).
        seed: of first weights, order, corruption and draws.
        variant: M1, M3 squared errors, M2, M4 logistic losses; M3, M4 a sigmoid of the code.
        dropout: share of a user's items that is left out of the input.
        n_negatives: items not had that are drawn for each item had, anew in every epoch.
        l2: ridge weight, halved, on all weights, biases and a batch's vectors.
        tied: one matrix for input and output.
        user_vectors: whether users of X have vectors.
        patience: epochs without a better figure before training stops, if it does.
        validation: fold-in and target of held-out users, who are new to the model.
        device: torch device to train on.
        on_epoch: called with number, figures and state after every epoch.
        resume: a state that on_epoch was given, where to go on.

    Raises:
        ValueError: as check_network.
        ArithmeticError: the loss is not finite.
    """
    check_network(X, n_factors, dropout=dropout, learning_rate=learning_rate, l2=l2,
                  n_negatives=n_negatives)  # fmt: skip
    shape = CDAEShape(n_factors, *_LAYERS[variant], dropout, n_negatives, l2, tied, user_vectors)
    network = CDAENetwork(X, shape, seed=seed, device=device)
    with torch.sparse.check_sparse_tensor_invariants(enable=False):  # slopes of users' vectors
        state = fit_network(
            network, np.flatnonzero(np.diff(X.indptr)),
            Training(n_epochs, batch_size, seed, patience),
            torch.optim.Adagrad(network.groups(), lr=learning_rate, eps=ADAGRAD_BETA),
            validate=ranking_figures(validation, X), on_epoch=on_epoch, resume=resume,
        )  # fmt: skip
    return CDAE(network.fitted(state.best_epoch), network.user_vectors())
