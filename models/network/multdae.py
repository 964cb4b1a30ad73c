"""MultDAE: a denoising autoencoder with a multinomial likelihood."""

import scipy.sparse as sp

from models.network.autoencoder import Autoencoder
from models.network.likelihood import Likelihood
from models.network.multvae import fit_mult
from models.network.multvae_network import MultShape
from models.network.network_fit import OnNetworkEpoch, Training, Validation
from models.network.network_state import NetworkState


def fit_multdae(
    X: sp.csr_array,
    *,
    n_factors: int,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    n_hidden: int = 0,
    dropout: float = 0.5,
    l2: float = 0.01,
    likelihood: Likelihood = "multinomial",
    weight: float = 1.0,
    patience: int | None = None,
    validation: Validation | None = None,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> Autoencoder:
    """Return MultDAE; its code goes through tanh, and nothing is drawn.

    Reference: Liang et al., WWW 2018, arXiv:1802.05814, section 2.4.

    Args:
        X: who had what, shape (n_users, n_items); every entry counts as 1.
        n_factors: width of the code.
        n_epochs: most passes over the users.
        batch_size: users per step.
        learning_rate: step size of Adam.
        seed: of first weights, order and noise.
        n_hidden: width of the layers beside the code, 0 for none.
        dropout: share of a user's items that is left out of the input.
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
    shape = MultShape(n_factors, n_hidden, dropout, likelihood, weight, variational=False)
    training = Training(n_epochs, batch_size, seed, patience)
    return fit_mult(
        X, shape, None, training, learning_rate=learning_rate, l2=l2, validation=validation,
        device=device, on_epoch=on_epoch, resume=resume,
    )  # fmt: skip
