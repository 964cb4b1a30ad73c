"""MultVAE: a variational autoencoder with a multinomial likelihood, as a fitted autoencoder."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch

from models.network.autoencoder import Autoencoder
from models.network.likelihood import Likelihood
from models.network.multvae_network import Annealing, MultNetwork, MultShape
from models.network.network_check import check_network
from models.network.network_fit import (
    OnNetworkEpoch,
    Training,
    Validation,
    fit_network,
    ranking_figures,
)
from models.network.network_state import NetworkState

PAPER_STEPS = 200_000  # updates in which the weight of the divergence would grow to 1
SHARE_OF_GROWTH = 0.85  # of a run's updates, after which the weight stays: as in the paper


def fit_multvae(
    X: sp.csr_array,
    *,
    n_factors: int,
    n_hidden: int,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    dropout: float = 0.5,
    cap: float = 0.2,
    anneal_steps: int | None = None,
    l2: float = 0.0,
    likelihood: Likelihood = "multinomial",
    weight: float = 1.0,
    patience: int | None = None,
    validation: Validation | None = None,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> Autoencoder:
    """Return MultVAE, scored by the mean of its code.

    Reference: Liang et al., WWW 2018, arXiv:1802.05814 (cap and 1 / anneal_steps make its beta).

    Args:
        X: who had what, shape (n_users, n_items); every entry counts as 1.
        n_factors: width of the code.
        n_hidden: width of the layers beside it, 0 for none.
        n_epochs: most passes over the users.
        batch_size: users per step.
        learning_rate: step size of Adam.
        seed: of first weights, order and noise.
        dropout: share of a user's items that is left out of the input.
        cap: largest weight of the divergence.
        anneal_steps: updates after which the weight would be 1, see usual_anneal_steps.
        l2: ridge weight on all weights, held against a batch's sum of losses.
        likelihood: of a user's items.
        weight: of an item that a user had against one not had, likelihood "gaussian".
        patience: epochs without a better figure before training stops, if it does.
        validation: fold-in and target of held-out users, who say which epoch is best.
        device: torch device to train on.
        on_epoch: called with number, figures and state after every epoch.
        resume: a state that on_epoch was given, where to go on.

    Raises:
        ValueError: X has no entries, or a number is out of its bounds.
        ArithmeticError: the loss is not finite.
    """
    shape = MultShape(n_factors, n_hidden, dropout, likelihood, weight)
    steps = anneal_steps or usual_anneal_steps(
        X.shape[0], n_epochs=n_epochs, batch_size=batch_size, cap=cap
    )
    training = Training(n_epochs, batch_size, seed, patience)
    return fit_mult(
        X, shape, Annealing(cap, steps), training, learning_rate=learning_rate, l2=l2,
        validation=validation, device=device, on_epoch=on_epoch, resume=resume,
    )  # fmt: skip


def usual_anneal_steps(n_users: int, *, n_epochs: int, batch_size: int, cap: float) -> int:
    """Return the updates after which the weight of the divergence would be 1.

    In the paper 200,000; but never so many that a shorter run ends before 0.85 of its updates
    have brought the weight to its cap, which is where the paper's runs stand when they get there.
    """
    n_updates = -(-n_users // batch_size) * n_epochs
    own = SHARE_OF_GROWTH * n_updates / max(cap, 1e-9)
    return max(1, min(PAPER_STEPS, round(own)))


def find_cap(X: sp.csr_array, *, anneal_steps: int, validation: Validation, **how: object) -> float:
    """Return the weight of the divergence at which a fit annealed to 1 ranked best.

    A fit with this cap comes next: the search of the paper, section 4.

    Args:
        X: as of fit_multvae.
        anneal_steps: updates after which the weight is 1; the run should have as many.
        validation: fold-in and target of held-out users.
        how: the other arguments of fit_multvae, without cap and on_epoch.
    """
    growth, best = Annealing(1.0, anneal_steps), (-np.inf, 0.0)

    def on_epoch(_epoch: int, figures: dict[str, float], state: NetworkState) -> None:
        nonlocal best
        best = max(best, (figures["ndcg@100"], growth.weight(state.step)))

    fit_multvae(
        X, cap=1.0, anneal_steps=anneal_steps, validation=validation, on_epoch=on_epoch, **how,  # type: ignore[arg-type]
    )  # fmt: skip
    return best[1]


def fit_mult(
    X: sp.csr_array,
    shape: MultShape,
    annealing: Annealing | None,
    training: Training,
    *,
    learning_rate: float,
    l2: float,
    validation: Validation | None,
    device: str,
    on_epoch: OnNetworkEpoch | None,
    resume: NetworkState | None,
) -> Autoencoder:
    """Return MultVAE or MultDAE of a shape; see fit_multvae."""
    check_network(
        X, shape.n_factors, dropout=shape.dropout, learning_rate=learning_rate, l2=l2,
        n_hidden=shape.n_hidden,
    )  # fmt: skip
    network = MultNetwork(
        X, shape, annealing, batch_size=training.batch_size, seed=training.seed, device=device
    )
    decayed = [
        {"params": list(network.weights), "weight_decay": 2.0 * l2 / training.batch_size},
        {"params": list(network.biases), "weight_decay": 0.0},
    ]
    state = fit_network(
        network, np.flatnonzero(np.diff(X.indptr)), training,
        torch.optim.Adam(decayed, lr=learning_rate, fused=True),
        validate=ranking_figures(validation, X), on_epoch=on_epoch, resume=resume,
    )  # fmt: skip
    return replace(network.fitted(), best_epoch=state.best_epoch)
