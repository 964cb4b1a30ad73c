"""Matrix factorisation by the package implicit, to compare with: iALS and BPR."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from models.blas_thread import single_threaded_blas
from models.item_item.gram import Rows, row_shards

_MISSING = "iALS and BPR need the package implicit: pip install hoarfrost[baselines]"


@dataclass(frozen=True)
class IALS:
    """Implicit ALS; users are solved for from their rows, so that new ones are served too."""

    decoder: Float[np.ndarray, "n_items n_factors"]
    l2: float
    weight: float
    best_epoch: int = 0
    consumes: ClassVar[str] = "weighted matrix"

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_factors"]:
        """Return the factors u that minimise the weighted square loss of each row."""
        factors = np.zeros((X.shape[0], self.decoder.shape[1]), dtype=np.float32)
        for user in np.flatnonzero(np.diff(X.indptr)).tolist():
            A, own, trust = self._normal(X, user)
            factors[user] = np.linalg.solve(A, own.T @ trust)
        return factors

    def parts(self, X: sp.csr_array) -> Iterator[Float[np.ndarray, "n_own n_factors"]]:
        """Yield for every row what each of its entries adds to encode, float64.

        Reference: Hu, Koren and Volinsky, ICDM 2008, section 5.
        """
        for user in range(X.shape[0]):
            A, own, trust = self._normal(X, user)
            yield np.linalg.solve(A, own.T * trust).T

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return the item factors with unit rows."""
        return _unit_rows(self.decoder)

    def _normal(self, X: sp.csr_array, user: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        entries = slice(X.indptr[user], X.indptr[user + 1])
        own = self._wide[X.indices[entries]]
        trust = self.weight * X.data[entries].astype(np.float64)
        return self._common + own.T @ (own * (trust - 1.0)[:, None]), own, trust

    @cached_property
    def _wide(self) -> np.ndarray:
        return self.decoder.astype(np.float64)

    @cached_property
    def _common(self) -> np.ndarray:
        return self._wide.T @ self._wide + self.l2 * np.eye(self._wide.shape[1])


@dataclass(frozen=True)
class BPR:
    """BPR; a row is read as the users of training with such a history were fitted."""

    decoder: Float[np.ndarray, "n_items n_factors"]  # rows of zeros: items that are not known
    projection: Float[np.ndarray, "n_factors n_factors"]  # from the mean item of a row to a user
    consumes: ClassVar[str] = "binary matrix"

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_factors"]:
        """Return user factors, float32."""
        return mean_items(X, self.decoder) @ self.projection

    def parts(self, X: sp.csr_array) -> Iterator[Float[np.ndarray, "n_own n_factors"]]:
        """Yield for every row what each of its entries adds to encode."""
        for user in range(X.shape[0]):
            own = self.decoder[X.indices[X.indptr[user] : X.indptr[user + 1]]]
            yield own @ self.projection / np.float32(max(own.any(axis=1).sum(), 1))

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_directions"]:
        """Return the item factors, without the bias, with unit rows."""
        return _unit_rows(self.decoder[:, :-1])


def fit_ials(
    X: Rows, *, n_factors: int, l2: float, weight: float, n_epochs: int, seed: int
) -> IALS:
    """Return implicit ALS.

    Reference: Hu, Koren and Volinsky, ICDM 2008, doi:10.1109/ICDM.2008.22.

    Args:
        X: interaction weights, shape (n_users, n_items), or row shards of them.
        n_factors: rank.
        l2: ridge weight on both factors.
        weight: confidence of an interaction is weight times its entry; of all others 1.
        n_epochs: passes over users and items.
        seed: of the start.

    Raises:
        ImportError: implicit is not installed.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError as error:
        raise ImportError(_MISSING) from error
    with single_threaded_blas():  # implicit starts threads of its own
        model = AlternatingLeastSquares(
            factors=n_factors, regularization=l2, alpha=weight, iterations=n_epochs,
            random_state=seed,
        )  # fmt: skip
        model.fit(sp.csr_matrix(_stacked(X)), show_progress=False)
    return IALS(model.item_factors, l2, weight)


def fit_bpr(
    X: Rows, *, n_factors: int, l2: float, learning_rate: float, n_epochs: int, seed: int
) -> BPR:
    """Return BPR, with a ridge regression of its users on the mean item of their histories.

    BPR knows no user but those it was fitted on; the regression lets it score any row.

    Reference: Rendle et al., UAI 2009, arXiv:1205.2618.

    Args:
        X: interactions, shape (n_users, n_items), or row shards of them; values do not matter.
        n_factors: rank, besides the bias of an item.
        l2: ridge weight on both factors.
        learning_rate: step size.
        n_epochs: passes over the interactions.
        seed: of the start and the samples; one thread, so that it decides.

    Raises:
        ImportError: implicit is not installed.
    """
    try:
        from implicit.cpu.bpr import BayesianPersonalizedRanking
    except ImportError as error:
        raise ImportError(_MISSING) from error
    model = BayesianPersonalizedRanking(
        factors=n_factors, regularization=l2, learning_rate=learning_rate, iterations=n_epochs,
        random_state=seed, num_threads=1,
    )  # fmt: skip
    rows = _stacked(X)
    model.fit(sp.csr_matrix(rows), show_progress=False)
    mean = mean_items(rows, model.item_factors)
    A = mean.T @ mean + 1e-3 * np.eye(mean.shape[1], dtype=np.float32)
    projection = np.linalg.solve(A, mean.T @ model.user_factors)
    return BPR(model.item_factors, projection.astype(np.float32))


def mean_items(
    X: sp.csr_array, Y: Float[np.ndarray, "n_items n_factors"]
) -> Float[np.ndarray, "batch n_factors"]:
    """Return the mean factors of each row's items, zeros for an empty row.

    Items without factors are not counted.
    """
    ones = sp.csr_array((np.ones(X.nnz, np.float32), X.indices, X.indptr), shape=X.shape)
    counted: np.ndarray = np.any(Y, axis=1).astype(np.float32)
    n_own = np.maximum(np.asarray(ones @ counted), 1.0)
    return np.asarray(ones @ Y, dtype=np.float32) / n_own[:, None]


def _unit_rows(Y: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.einsum("ij,ij->i", Y, Y))[:, None]
    return np.asarray(Y / np.where(length > 0.0, length, 1.0), dtype=np.float32)


def _stacked(X: Rows) -> sp.csr_array:
    return sp.csr_array(sp.vstack(row_shards(X), format="csr")).astype(np.float32)
