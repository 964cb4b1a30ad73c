"""Random scores: uniform, and a function of seed and history alone."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given

from models.random_model import RandomModel
from tests.models.contract import ModelContract
from tests.models.strategies import histories


class TestRandomModel(ModelContract):
    """Random is a model, if not a good one."""

    def fit(self, X):
        """There is nothing to fit."""
        return RandomModel(X.shape[1], seed=3)


@given(histories())
def test_a_row_scores_the_same_in_any_batch(X):
    """So that shards and resumed nights give the same lists."""
    rows, model = sp.csr_array(X), RandomModel(X.shape[1], seed=0)
    together = model.scores(rows)
    for user in range(len(X)):
        np.testing.assert_array_equal(model.scores(rows[[user]])[0], together[user])


def test_scores_are_uniform_and_differ_by_seed_user_and_item():
    """Mean and spread of a million, and no correlation between users or seeds."""
    X = sp.csr_array(np.eye(1000, dtype=np.float32))
    S, other = (RandomModel(1000, seed=seed).scores(X) for seed in (0, 1))
    assert abs(S.mean() - 0.5) < 0.002
    assert abs(S.var() - 1 / 12) < 0.001
    assert 0.0 <= S.min() <= S.max() < 1.0
    users = np.corrcoef(S[:200])
    assert np.abs(users - np.eye(200)).max() < 0.2
    assert abs(np.corrcoef(S.ravel(), other.ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(S[0], S[:, 0])[0, 1]) < 0.15
