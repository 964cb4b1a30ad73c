"""Small matrices of ratings, and what every model of ratings must do; test classes inherit it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
import torch

from models.rating.rating_model import RatingModel


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread: several only wait for each other over such small arrays."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def ratings_of(cells: np.ndarray) -> sp.csr_array:
    """Return a matrix of ratings from an array in which nan is none; a 0 is stored."""
    row, item = np.nonzero(~np.isnan(cells))
    indptr = np.searchsorted(row, np.arange(len(cells) + 1))
    return sp.csr_array((cells[row, item].astype(np.float32), item, indptr), shape=cells.shape)


def taste(n: int = 24, share: float = 0.7, seed: int = 0) -> np.ndarray:
    """Return ratings 5 and 1 of two camps, some unknown (nan)."""
    rng = np.random.default_rng(seed)
    alike = np.add.outer(np.arange(n), np.arange(n)) % 2 == 0
    cells = np.where(alike, 5.0, 1.0)
    cells[rng.random((n, n)) > share] = np.nan
    return cells


class RatingContract:
    """Predictions on the scale for every pair, the same bits twice, nothing read but the rows."""

    def fit(self, R: sp.csr_array) -> RatingModel:
        """Return the fitted model; each test class says how."""
        raise NotImplementedError

    def test_every_pair_has_a_rating(self):
        """Also of a user and an item without ratings, who get the fallback."""
        cells = taste()
        cells[3], cells[:, 5] = np.nan, np.nan
        R = ratings_of(cells)
        model = self.fit(R)
        row, item = (each.ravel() for each in np.indices(R.shape))
        predicted = model.predict_ratings(R, row, item).reshape(R.shape)
        assert predicted.dtype == np.float32
        assert ((predicted >= 1.0) & (predicted <= 5.0)).all()
        np.testing.assert_array_equal(predicted[3], np.float32(model.scale.fallback))
        np.testing.assert_array_equal(predicted[:, 5], np.float32(model.scale.fallback))

    def test_unknown_ratings_are_found(self):
        """Two camps are told apart, with an error far below that of the mean, which is 2."""
        whole, cells = taste(share=1.0), taste()
        R, asked = ratings_of(cells), np.nonzero(np.isnan(cells))
        error = self.fit(R).predict_ratings(R, *asked) - whole[asked]
        assert np.sqrt(np.mean(error**2)) < 0.8

    def test_same_bits_twice(self):
        """Nothing depends on a global generator or on the order of threads."""
        R = ratings_of(taste())
        pairs = [each.ravel() for each in np.indices(R.shape)]
        first, again = (self.fit(R).predict_ratings(R, *pairs) for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_input_is_unchanged(self):
        """The caller's matrix is only read."""
        R = ratings_of(taste())
        before = R.copy()
        self.fit(R).predict_ratings(R, np.zeros(1, np.int64), np.ones(1, np.int64))
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(R, name), getattr(before, name))

    def test_new_rows_are_served(self):
        """A row that was not in training is told apart by its own ratings alone."""
        whole, cells = taste(share=1.0), taste()
        model = self.fit(ratings_of(cells[:-2]))
        few = cells[-2:].copy()
        few[:, 1::3] = np.nan
        row, item = np.nonzero(np.isnan(few))
        error = model.predict_ratings(ratings_of(few), row, item) - whole[-2:][row, item]
        assert np.sqrt(np.mean(error**2)) < 1.0

    def test_pairs_do_not_depend_on_their_company(self):
        """In another order, or alone, a pair gets the same rating."""
        R = ratings_of(taste())
        model = self.fit(R)
        row, item = (each.ravel() for each in np.indices(R.shape))
        all_of_them = model.predict_ratings(R, row, item)
        order = np.random.default_rng(0).permutation(len(row))[:50]
        some = model.predict_ratings(R, row[order], item[order])
        np.testing.assert_allclose(some, all_of_them[order], rtol=1e-6)
