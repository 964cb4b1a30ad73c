"""Autoencoders over the ratings of users or of items: k-sparse or variational codes, noise, L2."""

from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.item_rows import by_item
from models.network.dense_layer import Activation
from models.network.network_fit import OnNetworkEpoch, Step, TrainedNetwork, Training
from models.network.network_state import NetworkState
from models.network.sparse_rows import SparseBatch, SparseRows
from models.rating.item_codes import ItemCodes
from models.rating.rating_fit import Optimiser, RatingData, Validation, fit_ratings, rating_data
from models.rating.rating_network import (
    Layers,
    RatingNetwork,
    check_output,
    observed_error,
    root_mean_square,
)
from models.rating.rating_network_model import RatingNetworkModel
from models.rating.rating_offset import Centre


class Form(NamedTuple):
    """Which autoencoder; the flags of the code it comes from are listed with the model's page."""

    based_on: Literal["user", "item"] = "user"
    variational: bool = False
    n_hidden: int = 512
    n_factors: int = 128  # numbers in a code
    k_sparse: int | None = None  # numbers of a code that are kept
    encoder_activation: Activation = "relu"
    code_activation: Activation = "relu"
    decoder_activation: Activation = "relu"
    output_activation: Activation = "identity"
    dropout: float = 0.0  # share of a hidden layer's outputs that a step leaves out
    l2: float = 0.001  # half of it times the squared weights is added to the loss
    row_l2: float = 5.0  # based on items: ridge weight of a row's weights
    centre: Centre = "none"


def fit_rating_autoencoder(
    R: sp.csr_array,
    form: Form,
    *,
    n_epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    optimiser: Optimiser = "rmsprop",
    patience: int | None = None,
    interruptible: bool = False,
    validation: Validation | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    fallback: float | None = None,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> RatingNetworkModel | ItemCodes:
    """Return an autoencoder of one hidden layer on each side of the code.

    The loss of a step is the rmse of its observed ratings, in stars, plus the squared weights.
    Of a variational one the code is drawn while training alone, and its divergence counts the
    more the later the epoch.

    Args:
        R: ratings, shape (n_users, n_items); every stored entry is one.
        form: which autoencoder.
        n_epochs: passes over the rows.
        learning_rate: step size.
        batch_size: rows per step.
        seed: of start, order and noise.
        optimiser: which one.
        patience: epochs without a lower validation rmse before the fit stops.
        interruptible: Ctrl-C ends the training, and the best epoch so far predicts.
        validation: rows and other ratings of the same rows; by default the last epoch is best.
        lowest: see rating_scale; likewise highest and fallback.
        highest: of the scale.
        fallback: of users and items without ratings.
        device: torch device.
        on_epoch: see fit_network; it may raise StopIteration.
        resume: likewise.

    Raises:
        ValueError: parts of the form do not fit, or as rating_scale.
        ArithmeticError: the loss is not finite.
    """
    _check(form)
    data = rating_data(R, form.centre, lowest=lowest, highest=highest, fallback=fallback)
    network = _Network(data, form, n_epochs, seed, device)
    state = fit_ratings(
        network, network.rows_with_ratings,
        Training(n_epochs, batch_size, seed, patience, interruptible=interruptible), optimiser,
        learning_rate=learning_rate, validation=validation, on_epoch=on_epoch, resume=resume,
    )  # fmt: skip
    return network.fitted(state.best_epoch)


def sampled_ratings(
    model: RatingNetworkModel, n_users: int, *, seed: int
) -> Float[np.ndarray, "n_users n_items"]:
    """Return the ratings of new users: codes drawn from a variational model's prior, decoded.

    Args:
        model: fitted with ``variational``.
        n_users: how many.
        seed: of the codes.
    """
    n_factors = model.layers[model.code].W.shape[1]
    codes = np.random.default_rng(seed).standard_normal((n_users, n_factors))
    return model.decoded(codes.astype(np.float32))


def with_sampled_users(
    R: sp.csr_array, model: RatingNetworkModel, n_users: int, *, seed: int
) -> sp.csr_array:
    """Return R with sampled users below: more to train on.

    Each has ratings of the items that some user of R has rated, drawn at random.

    Args:
        R: ratings, shape (n_rows, n_items).
        model: see sampled_ratings.
        n_users: how many are added.
        seed: of codes and users.
    """
    stars = sampled_ratings(model, n_users, seed=seed)
    like = np.random.default_rng([seed, 1]).choice(np.flatnonzero(np.diff(R.indptr)), n_users)
    shown = R[like]
    row = np.repeat(np.arange(n_users), np.diff(shown.indptr))
    drawn = sp.csr_array(
        (stars[row, shown.indices].astype(R.dtype), shown.indices, shown.indptr), shape=shown.shape
    )
    return sp.csr_array(sp.vstack([R, drawn], format="csr"))


class _Network(RatingNetwork, TrainedNetwork):
    def __init__(self, data: RatingData, form: Form, n_epochs: int, seed: int, device: str) -> None:
        vectors = data.left
        if form.based_on == "item":
            vectors = by_item(vectors)
        super().__init__(int(vectors.shape[1]), _layers(form), seed=seed)
        if form.variational:
            drawn = torch.Generator().manual_seed(seed + 1)
            spread = 0.01 * torch.randn(form.n_hidden, form.n_factors, generator=drawn)
            self.spread, self.spread_bias = (
                nn.Parameter(spread),
                nn.Parameter(torch.full((form.n_factors,), -2.0)),
            )
        self.rows_with_ratings = np.flatnonzero(np.diff(vectors.indptr))
        self._data, self._form, self._n_epochs = data, form, n_epochs
        self._n_rows = int(vectors.shape[0])
        self._unit = max(abs(data.scale.highest), abs(data.scale.lowest))
        self._rows = SparseRows(vectors * np.float32(1.0 / self._unit), device)
        self.to(device)

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return rmse in stars, half of l2 times the squared weights, and the divergence."""
        batch = self._rows.take(rows)
        code, divergence = self._drawn(batch, step.noise)
        errors = self._unit * observed_error(self.decoded(code, step.noise), batch)
        weights = 0.5 * self._form.l2 * self.squared_weights()
        return root_mean_square(errors) + weights + (step.epoch - 1) / self._n_epochs * divergence

    def fitted(self, best_epoch: int = 0) -> RatingNetworkModel | ItemCodes:
        """Return the fitted model, without noise."""
        _, offset, scale, rated = self._data
        if self._form.based_on == "user":
            return RatingNetworkModel(
                self.dense_layers(), offset, scale, rated, unit=self._unit, code=self.layers.code,
                k_sparse=self._form.k_sparse, best_epoch=best_epoch,
            )  # fmt: skip
        codes, before_last = self._of_items()
        return ItemCodes(
            before_last, self._form.row_l2, offset, scale, rated, best_epoch, embedding=codes
        )

    def _drawn(self, batch: SparseBatch, noise: torch.Generator) -> tuple[Tensor, Tensor | float]:
        if not self._form.variational:
            return self.encoded(batch, noise), 0.0
        h = self._after(batch.product(self.W[0]) + self.b[0], 0, noise)
        mean = self._after(h @ self.weights(1) + self.b[1], 1, None)
        log_variance = h @ self.spread + self.spread_bias
        drawn = torch.randn(mean.shape, generator=noise, device=mean.device)
        terms = mean.square() + log_variance.exp() - 1.0 - log_variance
        code = mean + drawn * (0.5 * log_variance).exp()
        return code, 0.5 * terms.sum(dim=1).mean()

    @torch.no_grad()
    def _of_items(self) -> tuple[np.ndarray, np.ndarray]:
        codes, before_last = [], []
        for start in range(0, self._n_rows, 1024):
            rows = np.arange(start, min(start + 1024, self._n_rows))
            codes.append(self.encoded(self._rows.take(rows), None))
            before_last.append(self._after(codes[-1] @ self.weights(2) + self.b[2], 2, None))
        return torch.cat(codes).cpu().numpy(), torch.cat(before_last).cpu().numpy()


def _layers(form: Form) -> Layers:
    return Layers(
        (form.n_hidden, form.n_factors, form.n_hidden),
        (form.encoder_activation, form.code_activation, form.decoder_activation,
         form.output_activation),
        dropout=(form.dropout, 0.0, form.dropout),
        k_sparse=form.k_sparse,
    )  # fmt: skip


def _check(form: Form) -> None:
    if form.k_sparse is not None and not 1 <= form.k_sparse <= form.n_factors:
        raise ValueError(
            f"k_sparse must be at least 1 and at most n_factors ({form.n_factors}), got "
            f"{form.k_sparse}"
        )
    if form.variational and form.k_sparse is not None:
        raise ValueError(
            f"a variational code must not be k-sparse, as its prior is not, got {form.k_sparse}"
        )
    check_output(form.based_on, form.output_activation)
