"""DeepRec: a deep autoencoder over users' ratings, its dense output fed back to it."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from models.network.dense_layer import Activation
from models.network.network_fit import OnNetworkEpoch, Step, TrainedNetwork, Training
from models.network.network_state import NetworkState
from models.network.sparse_rows import SparseRows
from models.rating.rating_fit import Optimiser, RatingData, Validation, fit_ratings, rating_data
from models.rating.rating_network import Layers, RatingNetwork, observed_error
from models.rating.rating_network_model import RatingNetworkModel
from models.rating.rating_offset import Centre


class DeepRecForm(NamedTuple):
    """Which DeepRec."""

    hidden: tuple[int, ...]  # widths of the encoder, the code last; the decoder mirrors it
    dropout: float  # share of the code that a step leaves out
    n_refeeds: int  # steps on the output after each step on ratings; 0 for none
    l2: float = 0.0  # half of it times the squared weights is added to the loss of ratings
    tied: bool = False  # whether the decoder has the encoder's weights, transposed
    output_selu: bool = True  # whether SELU follows the last layer too: never below -1.76
    centre: Centre = "none"  # what is taken off ratings first; the paper takes nothing


def fit_deeprec(
    R: sp.csr_array,
    form: DeepRecForm,
    *,
    n_epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    optimiser: Optimiser = "momentum",
    milestones: tuple[int, ...] = (24, 36, 48, 66, 72),
    max_gradient: float | None = 1.0,
    patience: int | None = None,
    validation: Validation | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    fallback: float | None = None,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> RatingNetworkModel:
    """Return DeepRec.

    Reference: Kuchaiev and Ginsburg, 2017, arXiv:1708.01715. The squared error is meant over the
    observed ratings of a batch. After its step the output becomes input and target of another
    one, as an ideal autoencoder would leave it as it is.

    Args:
        R: ratings, shape (n_users, n_items); every stored entry is one.
        form: which DeepRec.
        n_epochs: passes over the users.
        learning_rate: step size.
        batch_size: users per step.
        seed: of start, order and dropout.
        optimiser: "momentum" is the paper's.
        milestones: epochs after which the step size is halved.
        max_gradient: longer gradients are brought to this length; without it the paper's step
            size may end in nan.
        patience: epochs without a lower validation rmse before the fit stops.
        validation: rows and other ratings of the same rows; by default the last epoch is best.
        lowest: see rating_scale; likewise highest and fallback.
        highest: of the scale.
        fallback: of users and items without ratings.
        device: torch device.
        on_epoch: see fit_network.
        resume: likewise.

    Raises:
        ValueError: a layer or dropout does not fit, or as rating_scale.
        ArithmeticError: the loss is not finite.
    """
    data = rating_data(R, form.centre, lowest=lowest, highest=highest, fallback=fallback)
    network = _DeepRec(data, _layers(form), form.n_refeeds, form.l2, seed, device)
    training = Training(
        n_epochs, batch_size, seed, patience, milestones=milestones, max_gradient=max_gradient
    )
    state = fit_ratings(
        network, np.flatnonzero(np.diff(R.indptr)), training, optimiser,
        learning_rate=learning_rate, validation=validation, on_epoch=on_epoch, resume=resume,
    )  # fmt: skip
    return network.fitted(state.best_epoch)


class _DeepRec(RatingNetwork, TrainedNetwork):
    def __init__(
        self, data: RatingData, layers: Layers, n_refeeds: int, l2: float, seed: int, device: str
    ) -> None:
        super().__init__(int(data.left.shape[1]), layers, seed=seed)
        self._data, self._n_refeeds, self._l2 = data, n_refeeds, l2
        self._rows = SparseRows(data.left, device)
        self.to(device)

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the mean squared error of the ratings of some rows."""
        return next(self.losses(rows, step))

    def losses(self, rows: np.ndarray, step: Step) -> Iterator[Tensor]:
        """Yield the loss of ratings, then what is left of each output that is fed back."""
        batch = self._rows.take(rows)
        out = self(batch, step.noise)
        errors = observed_error(out, batch).square().mean()
        yield errors + 0.5 * self._l2 * self.squared_weights() if self._l2 else errors
        for _ in range(self._n_refeeds):
            fed = out.detach()
            out = self(fed, step.noise)
            yield (out - fed).square().mean()

    def fitted(self, best_epoch: int = 0) -> RatingNetworkModel:
        """Return the fitted model."""
        _, offset, scale, rated = self._data
        return RatingNetworkModel(
            self.dense_layers(), offset, scale, rated, code=self.layers.code, best_epoch=best_epoch
        )


def _layers(form: DeepRecForm) -> Layers:
    widths = (*form.hidden, *form.hidden[-2::-1])
    inner: Activation = "selu"
    last: Activation = inner if form.output_selu else "identity"
    noise = (*(0.0,) * (len(form.hidden) - 1), form.dropout)
    return Layers(widths, (*(inner,) * len(widths), last), dropout=noise, tied=form.tied)
