"""Likeness by content: profiles, cosines, and nothing where nothing is known."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.content.content import ContentModel, unit_or_zero
from models.ranking.ranking import rank_users
from tests.models.contract import PersonalModelContract
from tests.models.strategies import histories


class TestContentModel(PersonalModelContract):
    """Items of the two camps say which camp they are of."""

    def fit(self, X):
        """Know the camps by the texts alone."""
        return ContentModel(np.eye(2, dtype=np.float32)[np.arange(X.shape[1]) % 2])


@given(X=histories(), data=st.data())
def test_scores_are_cosines_with_the_mean_of_the_history(X, data):
    """Against float64; a user or an item of whom nothing is known has 0."""
    wanted = arrays(np.float32, (X.shape[1], 3), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0]))
    V = unit_or_zero(data.draw(wanted))
    model = ContentModel(V)
    scores = model.encode(sp.csr_array(X)).astype(np.float64) @ model.decoder.T
    profile = X @ V.astype(np.float64)
    length = np.linalg.norm(profile, axis=1, keepdims=True)
    told = length[:, 0] > 1e-6  # likes and dislikes may cancel out
    expected = (profile / np.where(length > 0, length, 1.0)) @ V.T
    np.testing.assert_allclose(scores[told], expected[told], atol=2e-6)
    assert (scores[(X == 0).all(axis=1)] == 0).all()


@given(arrays(np.float32, (4, 5), elements=st.floats(-1e3, 1e3, width=32)))
def test_no_cosine_leaves_its_range(V):
    """Rounded rows may be longer than 1; the table must not say 1.0000001."""
    unit = unit_or_zero(V).astype(np.float64)
    assert np.abs(unit @ unit.T).max() <= 1.0
    length = np.linalg.norm(unit, axis=1)
    told = np.linalg.norm(V.astype(np.float64), axis=1) > 1e-30
    np.testing.assert_allclose(length[told], 1.0, atol=1e-6)


def test_items_nobody_met_are_ranked_by_likeness():
    """The user met a teapot: the new teapot comes before the new lamp, the old ones do not come."""
    V = np.array(
        [[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6], [0, 0]], np.float32
    )  # the last is unknown
    X = sp.csr_array(np.array([[2, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], np.float32))
    new = np.array([False, False, True, True, False])
    ((_, items, scores),) = rank_users(
        ContentModel(V), X, seen=X, eligible=new, k=3, min_score=1e-6
    )
    assert items.tolist() == [[3, 2, -1], [-1, -1, -1], [-1, -1, -1]]
    np.testing.assert_allclose(scores[0, :2], [0.8, 0.6], atol=1e-6)
