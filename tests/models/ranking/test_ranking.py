"""Ranking: the brute-force list, masks, ties, blocks, and no more memory than a block."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.elsa.elsa import ELSA
from models.ranking.ranking import rank_items, rank_users, top_k
from tests.models.ranking_reference import brute_force
from tests.models.strategies import histories, integer_factors, masks

SCORES = st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 1.0, 2.0])  # many ties


def joined(blocks) -> tuple[np.ndarray, np.ndarray]:
    """Return items and scores of all blocks, which must follow each other."""
    rows, items, scores = zip(*blocks, strict=True)
    assert [each.start for each in rows] == [0, *(each.stop for each in rows[:-1])]
    return np.concatenate(items), np.concatenate(scores)


@given(
    scores=arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=SCORES),
    k=st.integers(1, 14),
)
def test_top_k_is_the_sorted_row(scores, k):
    """Ties are in the order of the items, also where k cuts them; -inf is never listed."""
    items, values = top_k(scores, k)
    expected_items, expected_values = brute_force(scores, k)
    assert items.dtype == np.int32
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(values, expected_values)


def test_tie_across_a_large_row_is_cut_by_index():
    """Where half of a thousand items tie for the last places, the first of them get in."""
    scores = np.zeros((3, 1000), np.float32)
    scores[:, ::2] = 1.0
    scores[1, 999], scores[2, 501] = 2.0, 1.0
    items, _ = top_k(scores, 5)
    assert items[0].tolist() == [0, 2, 4, 6, 8]
    assert items[1].tolist() == [999, 0, 2, 4, 6]
    assert items[2].tolist() == [0, 2, 4, 6, 8]


def test_long_lists_of_ties_are_sorted_rows():
    """Sorting is stable at every length, not only where a short sort happens to be."""
    scores = np.random.default_rng(0).integers(0, 3, (4, 3000)).astype(np.float32)
    items, _ = top_k(scores, 1500)
    np.testing.assert_array_equal(items, brute_force(scores, 1500)[0])


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_score_that_is_not_finite_is_refused(score):
    """A diverged model ranks nothing."""
    scores = np.zeros((2, 6), np.float32)
    scores[1, 4] = score
    with pytest.raises(ValueError, match="scores must be finite or -inf, got nan or inf"):
        top_k(scores, 2)


@given(data=st.data(), X=histories(), k=st.integers(1, 9), block_size=st.integers(1, 4))
def test_rank_users_is_brute_force(data, X, k, block_size):
    """Every user gets the best items that are eligible and unseen, whatever the blocks."""
    n_items = X.shape[1]
    model = ELSA(data.draw(integer_factors(n_items, 3)))
    also_seen, eligible = data.draw(masks(X.size)).reshape(X.shape), data.draw(masks(n_items))
    scores = (X.astype(np.float32) @ model.A) @ model.A.T
    scores[(X > 0) | also_seen | ~eligible] = -np.inf
    seen = sp.csr_array(((X > 0) | also_seen).astype(np.int8))
    blocks = rank_users(
        model, sp.csr_array(X), seen=seen, eligible=eligible, k=k, block_size=block_size
    )
    items, values = joined(blocks)
    expected_items, expected_values = brute_force(scores, k)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(values, expected_values)


@given(data=st.data(), n_items=st.integers(1, 9), k=st.integers(1, 9), block=st.integers(1, 4))
def test_rank_items_is_brute_force(data, n_items, k, block):
    """Every source gets its best eligible neighbours, never itself."""
    A, eligible = data.draw(integer_factors(n_items, 3)), data.draw(masks(n_items))
    sources = np.flatnonzero(data.draw(masks(n_items)))
    sources = np.arange(n_items) if not len(sources) else sources
    scores = A @ A.T
    scores[:, ~eligible], scores[np.arange(n_items), np.arange(n_items)] = -np.inf, -np.inf
    given_sources = None if len(sources) == n_items else sources
    items, values = joined(
        rank_items(A, k=k, eligible=eligible, block_size=block, sources=given_sources)
    )
    expected_items, expected_values = brute_force(scores[sources], k)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(values, expected_values)


def test_seen_items_do_not_outrank_negative_scores():
    """Masking by zero would list what the user has: here all else scores below zero."""
    model = ELSA(np.array([[1.0], [-1.0], [-1.0]], np.float32))
    X = sp.csr_array(np.array([[1.0, 0.0, 0.0]], np.float32))
    everything = np.ones(3, dtype=bool)
    ((_, items, scores),) = rank_users(model, X, seen=X, eligible=everything, k=3)
    assert items.tolist() == [[1, 2, -1]]
    np.testing.assert_array_equal(scores, [[-1.0, -1.0, np.nan]])


def test_no_users_no_lists():
    """An empty shard has no blocks."""
    nobody = sp.csr_array((0, 3), dtype=np.float32)
    model = ELSA(np.ones((3, 2), np.float32))
    everything = np.ones(3, dtype=bool)
    assert list(rank_users(model, nobody, seen=nobody, eligible=everything, k=2)) == []


def test_factors_may_lie_in_a_file(tmp_path, recwarn):
    """Memory-mapped factors are read, and nothing warns of writing to them."""
    np.save(tmp_path / "A.npy", np.eye(3, dtype=np.float32))
    A = np.load(tmp_path / "A.npy", mmap_mode="r")
    X = sp.csr_array(np.eye(3, dtype=np.float32))
    everything = np.ones(3, dtype=bool)
    blocks = rank_users(ELSA(A), X, seen=X, eligible=everything, k=1)
    neighbours = rank_items(A, k=1, eligible=everything)
    assert joined(blocks)[0].tolist() == joined(neighbours)[0].tolist() == [[1], [0], [0]]
    assert not recwarn.list


@pytest.mark.parametrize("wrong", ["X", "seen", "eligible"])
def test_wrong_number_of_items_is_refused(wrong):
    """A model and a matrix of different vocabularies are not ranked."""
    n_items = {"X": 3, "seen": 3, "eligible": 3} | {wrong: 4}
    X, seen = (sp.csr_array((2, n_items[name]), dtype=np.float32) for name in ("X", "seen"))
    model = ELSA(np.ones((3, 2), np.float32))
    eligible = np.ones(n_items["eligible"], dtype=bool)
    with pytest.raises(ValueError, match=r"must agree on n_items, got \{3, 4\}"):
        next(rank_users(model, X, seen=seen, eligible=eligible, k=1))


def test_items_that_are_not_hidden_score_without_themselves():
    """What users may see again ranks by the rest of their history, as the model's scores do."""
    rng = np.random.default_rng(3)
    A = rng.normal(size=(30, 5)).astype(np.float32)
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    model = ELSA(A, rng.integers(1, 50, 30), alpha=0.4, beta=0.3)
    X = sp.csr_array(((rng.random((12, 30)) < 0.3) * rng.random((12, 30))).astype(np.float32))
    nothing, everything = sp.csr_array(X.shape, dtype=np.int8), np.ones(30, dtype=bool)
    items, scores = joined(rank_users(model, X, seen=nothing, eligible=everything, k=30))
    expected = np.take_along_axis(model.scores(X), items, axis=1)
    assert (np.sort(items, axis=1) == np.arange(30)).all()
    np.testing.assert_allclose(scores, expected, atol=1e-5)


class Told:
    """An item-item model; its scores are told, dense or sparse."""

    def __init__(self, B: np.ndarray, *, sparse: bool) -> None:
        self.B, self.sparse = B, sparse

    def scores(self, X: sp.csr_array) -> np.ndarray | sp.csr_array:
        return sp.csr_array(X @ sp.csr_array(self.B)) if self.sparse else X @ self.B


@pytest.mark.parametrize("sparse", [False, True])
@given(X=histories(), data=st.data(), k=st.integers(1, 9))
def test_models_that_tell_scores_are_ranked_alike(sparse, X, data, k):
    """Also where a sparse model says nothing: that is a score of zero."""
    n_items = X.shape[1]
    B = data.draw(integer_factors(n_items, n_items))
    eligible = data.draw(masks(n_items))
    scores = (X @ B).astype(np.float32)
    scores[(X > 0) | ~eligible] = -np.inf
    histories_ = sp.csr_array(X.astype(np.float32))
    items, values = joined(
        rank_users(Told(B, sparse=sparse), histories_, seen=histories_, eligible=eligible, k=k)
    )
    expected_items, expected_values = brute_force(scores, k)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(values, expected_values)


def test_every_rule_can_be_given():
    """Groups, allow lists, boosts and a lowest score, on one night by hand."""
    model = ELSA(np.array([[1.0], [0.5], [0.25], [2.0]], np.float32))
    X = sp.csr_array(np.array([[2.0, 0, 0, 0], [2.0, 0, 0, 0], [2.0, 0, 0, 0]], np.float32))
    eligible = np.array([[True, True, True, False], [True, True, True, True]])
    allowed = sp.csr_array(np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]))
    blocks = rank_users(
        model, X, seen=X, eligible=eligible, k=3, group=np.array([0, 1, 1], np.int32),
        allowed=allowed, boost=np.array([1.0, 1.0, 6.0, 0.5]), min_score=1.5,
    )  # fmt: skip
    items, scores = joined(blocks)  # without rules 2, 1, 0.5 and 4
    assert items.tolist() == [[2, -1, -1], [2, -1, -1], [2, 3, -1]]
    np.testing.assert_array_equal(scores[2], [3.0, 2.0, np.nan])


def test_rows_of_any_order_are_read():
    """Neither histories nor what is seen need sorted indices."""
    model = ELSA(np.array([[3.0], [2.0], [1.0], [0.5]], np.float32))
    indices, indptr = np.array([2, 0], np.int32), np.array([0, 2])
    X = sp.csr_array((np.ones(2, np.float32), indices, indptr), shape=(1, 4))
    seen = sp.csr_array((np.ones(2, np.float32), np.array([3, 1], np.int32), indptr), shape=(1, 4))
    for hidden, expected in ((X, [1, 3, -1]), (seen, [0, 2, -1])):
        blocks = rank_users(model, X, seen=hidden, eligible=np.ones(4, bool), k=3)
        assert joined(blocks)[0].tolist() == [expected]


def test_scores_of_another_shape_are_refused():
    """A model of another vocabulary is not ranked."""
    X = sp.csr_array(np.eye(3, dtype=np.float32))
    model = Told(np.ones((3, 4), np.float32), sparse=False)
    with pytest.raises(ValueError, match=r"scores must be \(2, 3\), got \(2, 4\)"):
        joined(rank_users(model, X, seen=X, eligible=np.ones(3, bool), k=1, block_size=2))
