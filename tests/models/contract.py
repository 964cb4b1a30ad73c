"""What every model must do, whatever its theory; test classes inherit it."""

import numpy as np
import scipy.sparse as sp

from models.ranking.ranking import FactorModel, ScoreModel, rank_users


def checkerboard(n: int = 16) -> sp.csr_array:
    """Return n users and n items in two camps, the diagonal held out."""
    taste = np.add.outer(np.arange(n), np.arange(n)) % 2 == 0
    return sp.csr_array((taste & ~np.eye(n, dtype=bool)).astype(np.float32))


def first_choices(model: FactorModel | ScoreModel, X: sp.csr_array) -> np.ndarray:
    """Return the best unseen item of every row."""
    everything = np.ones(X.shape[1], dtype=bool)
    ((_, items, _),) = rank_users(model, X, seen=X, eligible=everything, k=1)
    return items[:, 0]


class ModelContract:
    """Finite scores, the same bits twice, input unchanged."""

    def fit(self, X: sp.csr_array) -> FactorModel | ScoreModel:
        """Return the fitted model; each test class says how."""
        raise NotImplementedError

    def scores(self, X: sp.csr_array) -> np.ndarray:
        """Return what the fitted model says of the rows it was fitted on."""
        model = self.fit(X)
        if isinstance(model, FactorModel):
            return model.encode(X) @ model.decoder.T
        scores = model.scores(X)
        return scores.toarray() if sp.issparse(scores) else scores

    def test_scores_are_finite(self):
        """Also for a user without history and an item nobody took."""
        X = checkerboard().toarray()
        X[3], X[:, 5] = 0.0, 0.0
        scores = self.scores(sp.csr_array(X))
        assert scores.shape == X.shape
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_same_bits_twice(self):
        """Nothing depends on a global generator or on the order of threads."""
        first, again = (self.scores(checkerboard()) for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_input_is_unchanged(self):
        """The caller's matrix is only read."""
        X = checkerboard()
        before = X.copy()
        self.scores(X)
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(X, name), getattr(before, name))


class PersonalModelContract(ModelContract):
    """A model that looks at the user: it also finds the camp a user belongs to."""

    def test_held_out_item_ranks_first(self):
        """The one unseen item of a user's own camp comes before the other camp."""
        X = checkerboard()
        np.testing.assert_array_equal(first_choices(self.fit(X), X), np.arange(X.shape[0]))
