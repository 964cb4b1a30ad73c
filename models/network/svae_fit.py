"""Fit of SVAE, stopped by held-out users whose last items are asked."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch

from models.network.multvae_network import Annealing
from models.network.network_fit import (
    OnNetworkEpoch,
    Training,
    Validation,
    fit_network,
    ranking_figures,
)
from models.network.network_state import NetworkState
from models.network.sequence import by_length
from models.network.svae import SVAE
from models.network.svae_network import SVAENetwork, SVAEShape


def fit_svae(
    X: sp.csr_array,
    shape: SVAEShape,
    *,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    annealing: Annealing,
    patience: int,
    seed: int,
    validation: Validation | None = None,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> SVAE:
    """Return SVAE of the best epoch.

    Reference: Sachdeva et al., WSDM 2019, arXiv:1811.09975. Unlike its authors' code: rows of
    like length make a batch, the weight of the divergence grows over the whole run, the spread of
    the code is that of its log variance, a fitted model has no noise and reads the last item too.

    A step holds the states of batch_size x max_length places, and logits of a few places at a
    time: memory grows with items only by the two tables and what Adam keeps of them.

    Args:
        X: an entry's value says when it happened, a larger one being later; shape (n_users,
            n_items). Rows of one item teach nothing.
        shape: layers, what is guessed, and how much of a row is read.
        n_epochs: most passes over the rows.
        batch_size: rows per step.
        learning_rate: step size of Adam.
        weight_decay: ridge weight on all parameters.
        annealing: weight of the divergence.
        patience: epochs without a better validation nDCG@100 before the end.
        seed: of start, order and noise.
        validation: fold-in and target of held-out users, with values as in X.
        device: torch device.
        on_epoch: called after every epoch, see fit_network.
        resume: the state that on_epoch was given, where to go on.

    Raises:
        ValueError: no row has two items.
        ArithmeticError: the loss is not finite.
    """
    rows = np.flatnonzero(np.diff(X.indptr) > 1)
    if not len(rows):
        raise ValueError("a row of X must have two items, one to follow the other, got none")
    network = SVAENetwork(X, shape, annealing, seed=seed, device=device)
    adam = torch.optim.Adam(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    lengths = network.sequences.lengths
    state = fit_network(
        network, rows, Training(n_epochs, batch_size, seed, patience), adam,
        validate=ranking_figures(validation, X), on_epoch=on_epoch,
        resume=resume, arrange=lambda rng, some: by_length(lengths, rng, some, batch_size),
    )  # fmt: skip
    return replace(network.fitted(), best_epoch=state.best_epoch)
