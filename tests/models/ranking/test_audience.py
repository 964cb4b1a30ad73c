"""Lists of users are those of sorted scores and cosines."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa import ELSA
from models.ranking.audience import rank_audience, rank_similar_users
from tests.models.ranking_reference import brute_force
from tests.models.strategies import histories, integer_factors, masks


def joined(blocks) -> tuple[np.ndarray, np.ndarray]:
    """Return users and scores of all blocks."""
    return tuple(np.concatenate(each) for each in list(zip(*blocks, strict=True))[1:])


@given(X=histories(), data=st.data(), k=st.integers(1, 8))
def test_audience_is_the_sorted_column(X, data, k):
    """Users who have the item and users who are not eligible are left out; ties by row."""
    n_users, n_items = X.shape
    model, eligible = ELSA(data.draw(integer_factors(n_items, 3))), data.draw(masks(n_users))
    items = data.draw(st.permutations(range(n_items)))[: n_items - 1]
    scores = ((X.astype(np.float32) @ model.A) @ model.A.T).T
    scores[(X.T > 0) | ~eligible] = -np.inf
    seen = sp.csr_array(X)
    users, values = joined(
        rank_audience(model, seen, np.array(items), seen=seen, eligible=eligible, k=k, block_size=2)
    )
    expected_users, expected_values = brute_force(scores[items], k)
    np.testing.assert_array_equal(users, expected_users)
    np.testing.assert_array_equal(values, expected_values)


def test_similar_users_are_nearest_by_cosine():
    """Never the user themself, and never somebody without history unless asked."""
    rng = np.random.default_rng(1)
    X = sp.csr_array(((rng.random((40, 12)) < 0.3) * 1.0).astype(np.float32))
    X = sp.vstack([X, sp.csr_array((1, 12), dtype=np.float32)], format="csr")
    H = X @ rng.normal(size=(12, 4)).astype(np.float32)
    model = ELSA(np.linalg.lstsq(X.toarray(), H, rcond=None)[0].astype(np.float32))
    H = model.encode(X).astype(np.float64)
    H /= np.maximum(np.linalg.norm(H, axis=1, keepdims=True), 1e-30)
    cosine = (H @ H.T).astype(np.float32)
    np.fill_diagonal(cosine, -np.inf)
    cosine[:, 40] = -np.inf
    users, scores = joined(rank_similar_users(model, X, k=5, sources=np.array([3, 40, 17])))
    expected = np.sort(cosine[[3, 17]], axis=1)[:, :-6:-1]
    np.testing.assert_allclose(scores[[0, 2]], expected, atol=1e-6)
    np.testing.assert_allclose(
        np.take_along_axis(cosine[[3, 40, 17]], users, axis=1), scores, atol=1e-6
    )
    assert (users != 40).all()
    everybody = np.ones(41, dtype=bool)
    items, _ = joined(rank_similar_users(model, X, k=41, eligible=everybody))
    assert (np.sort(items[:, :40], axis=1) == np.array(
        [[u for u in range(41) if u != me] for me in range(41)])).all()  # fmt: skip
