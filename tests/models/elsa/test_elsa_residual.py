"""Residual weights: the regression by hand, and lists of the sum of both parts."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa import ELSA, fit_elsa
from models.elsa.elsa_residual import with_residual
from models.metric.metric import evaluate
from models.ranking.audience import rank_audience
from models.ranking.ranking import rank_users
from models.split.fold_in import fold_in_split
from tests.models.contract import PersonalModelContract
from tests.models.ranking_reference import brute_force
from tests.models.strategies import histories, masks

SETTINGS = {
    "n_factors": 4, "n_epochs": 20, "batch_size": 7, "learning_rate": 0.1, "seed": 3,
    "alpha": 0.2, "beta": 0.1,
}  # fmt: skip


class TestELSAWithNeighbours(PersonalModelContract):
    """ELSA with weights beside its factors is a model."""

    def fit(self, X):
        """Fit with few factors and few neighbours."""
        return with_residual(fit_elsa(X, **SETTINGS), X, n_neighbours=5, l2=[2.0])


def clustered(seed: int, n_users: int = 200, n_items: int = 40) -> sp.csr_array:
    """Return users of ten tastes with weights of 1 and 2, and an item that nobody had."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, 10, n_users)[:, None] == np.arange(n_items) % 10
    X = (rng.random((n_users, n_items)) < np.where(taste, 0.6, 0.04)) * rng.integers(1, 3, n_items)
    X[:, 17] = 0
    return sp.csr_array(X.astype(np.float32))


def low_rank(X: sp.csr_array, n_factors: int = 3) -> ELSA:
    """Return a short fit."""
    return fit_elsa(X, **SETTINGS | {"n_factors": n_factors, "n_epochs": 5, "batch_size": 20})


def by_hand(model, X, near, l2):
    """Return W column by column from dense matrices, in float64."""
    P, X = model.scores(X).astype(np.float64), X.toarray().astype(np.float64)
    scale, m = (X * P).sum() / (P * P).sum(), (X**2).sum() / (X > 0).sum()
    W = np.zeros((X.shape[1], X.shape[1]))
    for item in range(X.shape[1]):
        with_item = near[item]
        Z = X[:, with_item]
        ridge = np.diag(l2 * m + (Z**2).sum(axis=0))
        W[with_item, item] = np.linalg.solve(
            Z.T @ Z + ridge, Z.T @ (X[:, item] - scale * P[:, item])
        )
    return W / scale


@pytest.mark.parametrize("n_neighbours", [1, 4, 39])
def test_weights_are_the_ridge_regression_of_what_is_left(n_neighbours):
    """On the items of the largest cosine, in units of the low rank's scores."""
    X = clustered(1)
    W = with_residual(low_rank(X), X, n_neighbours=n_neighbours, l2=[3.0]).W
    dense = X.toarray()
    length = np.linalg.norm(dense, axis=0)
    length = np.where(length > 0, length, 1.0)
    cosine = dense.T @ dense / length / length[:, None]
    np.fill_diagonal(cosine, 0.0)
    near = [np.flatnonzero(W.toarray()[:, item]) for item in range(X.shape[1])]
    for item, with_item in enumerate(near):  # ties between cosines may fall either way
        n = min(n_neighbours, (cosine[item] > 0).sum())
        assert len(with_item) == n
        assert (
            cosine[item, with_item] >= np.sort(cosine[item])[::-1][:n].min(initial=2) - 1e-6
        ).all()
    expected = by_hand(low_rank(X), X, near, 3.0)
    np.testing.assert_allclose(W.toarray(), expected, rtol=2e-3, atol=2e-4)
    assert not W.diagonal().any()
    assert not W.toarray()[17].any()
    assert (W.dtype, W.has_sorted_indices) == (np.float32, True)


def test_weights_do_not_depend_on_units_or_threads():
    """Events may be weighed in anything; the bits are the same on any number of cores."""
    X = clustered(2, n_items=300)
    model = low_rank(X)
    W = with_residual(model, X, n_neighbours=6, l2=[5.0]).W
    larger = with_residual(model, sp.csr_array(X * 8), n_neighbours=6, l2=[5.0]).W
    np.testing.assert_allclose(larger.toarray(), W.toarray(), rtol=1e-3, atol=1e-4)
    n_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = with_residual(model, X, n_neighbours=6, l2=[5.0]).W
        torch.set_num_threads(4)
        four = with_residual(model, X, n_neighbours=6, l2=[5.0]).W
    finally:
        torch.set_num_threads(n_threads)
    for each in (one, four):
        np.testing.assert_array_equal(each.indices, W.indices)
        np.testing.assert_array_equal(each.data, W.data)


def test_unsorted_rows_and_repeated_entries_are_what_they_sum_to():
    """The caller's matrix is left as it is."""
    X = clustered(3)
    model = low_rank(X)
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    twice = sp.coo_array(
        (np.tile(X.data / 2, 2), (np.tile(row, 2), np.tile(X.indices, 2)[::1])), shape=X.shape
    )
    order = np.argsort(twice.row, kind="stable")
    messy = sp.csr_array(
        (twice.data[order].astype(np.float32), twice.col[order], 2 * X.indptr), shape=X.shape
    )
    assert not messy.has_canonical_format
    found = with_residual(model, messy, n_neighbours=4, l2=[1.0]).W
    expected = with_residual(model, X, n_neighbours=4, l2=[1.0]).W
    np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-5, atol=1e-6)
    assert messy.nnz == 2 * X.nnz


def test_several_ridge_weights_are_judged_by_held_out_users():
    """The best one's weights are to the bit those that it has alone."""
    X = clustered(7)
    shown, asked = fold_in_split(clustered(8), target_share=0.3, seed=0)
    whole = np.flatnonzero(np.diff(asked.indptr))
    held_out = shown[whole], asked[whole]
    model, tried = low_rank(X), [1e6, 1.0, 30.0]
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0
    alone = [with_residual(model, X, n_neighbours=5, l2=[each]) for each in tried]
    figures = [
        evaluate(each, fold_in=held_out[0], target=held_out[1], eligible=known)["ndcg@100"].mean()
        for each in alone
    ]
    assert len(set(figures)) == len(tried)
    found = with_residual(model, X, n_neighbours=5, l2=tried, validation=held_out)
    best = alone[int(np.argmax(figures))]
    assert found.l2 == best.l2 == tried[int(np.argmax(figures))]
    np.testing.assert_array_equal(found.W.toarray(), best.W.toarray())
    assert found.l2 != tried[0]
    assert with_residual(model, X, n_neighbours=5, l2=tried).l2 == tried[0]
    for nearly in ([30.0, 31.0], [31.0, 30.0]):  # no user's list tells them apart for sure
        found = with_residual(model, X, n_neighbours=5, l2=nearly, validation=held_out)
        assert found.l2 == nearly[0]


def test_low_rank_that_says_nothing_leaves_the_regression():
    """Factors at right angles score nothing: the weights alone rank, and are finite."""
    X = sp.csr_array(clustered(4).toarray()[:, :10])
    W = with_residual(ELSA(np.eye(10, dtype=np.float32)), X, n_neighbours=3, l2=[1.0]).W
    assert np.isfinite(W.data).all()
    assert W.nnz


def test_neighbours_say_what_the_rank_cannot():
    """Ten tastes in two factors: with weights beside them new users are understood."""
    X = clustered(5, n_users=600)
    shown, asked = fold_in_split(clustered(6, n_users=300), target_share=0.3, seed=0)
    whole = np.flatnonzero(np.diff(asked.indptr))
    shown, asked = shown[whole], asked[whole]
    plain = fit_elsa(X, **SETTINGS | {"n_factors": 2})
    assert plain.W is None
    found = [
        evaluate(model, fold_in=shown, target=asked, eligible=np.ones(40, dtype=bool))["ndcg@100"]
        for model in (plain, with_residual(plain, X, n_neighbours=8, l2=[20.0]))
    ]
    assert found[1].mean() > found[0].mean() + 0.05


def with_weights(X: np.ndarray, seed: int) -> ELSA:
    """Return a model of random halves over the items of X: sums are exact."""
    rng = np.random.default_rng(seed)
    n_items = X.shape[1]
    A = rng.integers(-1, 2, (n_items, 3)).astype(np.float32)
    W = rng.integers(-2, 3, (n_items, n_items)) * (rng.random((n_items, n_items)) < 0.4) / 2.0
    np.fill_diagonal(W, 0.0)
    return ELSA(A, W=sp.csr_array(W.astype(np.float32)))


@given(X=histories(), data=st.data(), k=st.integers(1, 8))
def test_lists_are_sorted_sums_of_both_parts(X, data, k):
    """Whether the history is hidden or not, of users as of an audience."""
    model, n_items = with_weights(X, data.draw(st.integers(0, 99))), X.shape[1]
    X = sp.csr_array(X.astype(np.float32))
    seen = sp.csr_array(data.draw(masks(X.shape[0] * n_items)).reshape(X.shape))
    B = model.A @ model.A.T
    np.fill_diagonal(B, 0.0)  # an item is no reason for itself
    scores = X.toarray() @ (B + model.W.toarray())
    np.testing.assert_array_equal(model.scores(X)[X.toarray() == 0], scores[X.toarray() == 0])
    for hidden in (X, seen):
        expected = np.where(hidden.toarray() > 0, -np.inf, scores)
        blocks = list(rank_users(model, X, seen=hidden, eligible=np.ones(n_items, dtype=bool), k=k))
        items, values = (np.concatenate(each) for each in list(zip(*blocks, strict=True))[1:])
        np.testing.assert_array_equal(items, brute_force(expected, k)[0])
        np.testing.assert_array_equal(values, brute_force(expected, k)[1])
    expected = np.where(X.toarray() > 0, -np.inf, scores).T
    everybody = np.ones(X.shape[0], dtype=bool)
    blocks = list(rank_audience(model, X, np.arange(n_items), seen=X, eligible=everybody, k=k))
    users = np.concatenate([each[1] for each in blocks])
    np.testing.assert_array_equal(users, brute_force(expected, k)[0])
