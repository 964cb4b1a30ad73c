"""ELSA with item information: its two modes, its diagonal, items that nobody has met."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.content.content import ContentModel, unit_or_zero
from models.elsa.elsa import ELSA
from models.elsa.elsa_content import ContentELSA, fit_elsa_content
from models.elsa.elsa_content_split import draw_items, hold_out_items
from models.metric.metric import evaluate
from models.ranking.ranking import rank_users
from tests.models.contract import PersonalModelContract, checkerboard
from tests.models.strategies import histories

MODES = pytest.mark.parametrize("mode", ["decoder", "encoder"])
OUTPUTS = pytest.mark.parametrize("output", ["linear", "relu"])


def content_of_checkerboard(n=16):
    """Return what tells the two camps apart, and each item from the others of its camp."""
    camp = np.arange(n) % 2
    rng = np.random.default_rng(0)
    own = 0.3 * rng.normal(size=(n, 6))
    return np.hstack([camp[:, None], 1 - camp[:, None], own]).astype(np.float32)


def fitted(X, content, **changed):
    """Fit with small defaults."""
    how = {
        "mode": "decoder", "n_epochs": 10, "batch_size": 16, "learning_rate": 0.03, "seed": 0,
    }  # fmt: skip
    return fit_elsa_content(X, content, **(how | changed))


class TestDecoder(PersonalModelContract):
    """Content is the decoder."""

    def fit(self, X):
        """Fit from the content."""
        return fitted(X, content_of_checkerboard())


class TestEncoder(PersonalModelContract):
    """Content is the encoder."""

    def fit(self, X):
        """Fit with unit rows and a linear output."""
        return fitted(
            X, content_of_checkerboard(), mode="encoder", unit_rows=True, output="linear",
        )  # fmt: skip


@MODES
@OUTPUTS
def test_content_stays_to_the_bit_and_the_other_side_learns(mode, output):
    """The loss falls, too."""
    content, losses = content_of_checkerboard(), []
    before = content.copy()
    model = fitted(
        checkerboard(), content, mode=mode, output=output,
        on_epoch=lambda epoch, metrics, state: losses.append(metrics["cosine"]),
    )  # fmt: skip
    np.testing.assert_array_equal(content, before)
    fixed, learnt = (model.D, model.E) if mode == "decoder" else (model.E, model.D)
    np.testing.assert_array_equal(fixed, unit_or_zero(content))
    assert np.abs(learnt - fixed).max() > 0.01
    assert losses[-1] < losses[0]
    assert model.best_epoch == len(losses) == 10


@given(histories(), st.integers(0, 99))
def test_diagonal_is_zero(X, seed):
    """An item says nothing of itself, whichever way scores are made."""
    n_items = X.shape[1]
    E, D = np.random.default_rng(seed).normal(size=(2, n_items, 3)).astype(np.float32)
    model = ContentELSA(E, D, "decoder")
    B = model.scores(sp.csr_array(np.eye(n_items)))
    np.testing.assert_allclose(np.diag(B), 0.0, atol=1e-6)
    rows = sp.csr_array(X)
    products = model.encode(rows) @ model.decoder.T
    user = np.repeat(np.arange(len(X)), np.diff(rows.indptr))
    products[user, rows.indices] -= model.own(rows)
    np.testing.assert_allclose(products, model.scores(rows), atol=1e-4)
    np.testing.assert_allclose(model.scores(rows), X @ B, atol=1e-4)


@given(histories(), st.integers(0, 99))
def test_both_sides_alike_are_elsa(X, seed):
    """With F = V = A, rows at unit length, scores are those of ELSA."""
    A = unit_or_zero(np.random.default_rng(seed).normal(size=(X.shape[1], 3)).astype(np.float32))
    rows = sp.csr_array(X.astype(np.float32))
    np.testing.assert_allclose(
        ContentELSA(A, A, "encoder").scores(rows), ELSA(A).scores(rows), atol=1e-4
    )


@MODES
@given(st.integers(0, 99), st.integers(1, 4))
def test_further_items_leave_what_was_said(mode, seed, n_new):
    """Scores, lists and users' factors of the old items stay, to the bit."""
    rng = np.random.default_rng(seed)
    E, D = rng.normal(size=(2, 12, 5)).astype(np.float32)
    model, X = ContentELSA(E, D, mode), (rng.random((6, 12)) < 0.4).astype(np.float32)
    wider = model.append(rng.normal(size=(n_new, 5)).astype(np.float32))
    old, new = sp.csr_array(X), sp.csr_array(np.hstack([X, np.zeros((6, n_new), np.float32)]))
    np.testing.assert_array_equal(wider.encode(new), model.encode(old))
    np.testing.assert_array_equal(wider.scores(new)[:, :12], model.scores(old))
    lists = [
        next(rank_users(each, rows, seen=rows, eligible=np.arange(width) < 12, k=4))
        for each, rows, width in ((model, old, 12), (wider, new, 12 + n_new))
    ]
    for one, other in zip(lists[0][1:], lists[1][1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_twin_of_a_known_item_scores_as_it_does():
    """Same content, same score, for everybody who has not met the known one."""
    content, X = content_of_checkerboard(), checkerboard()
    model = fitted(X, content)
    twin = model.append(content[[4]])
    rows = sp.csr_array(np.insert(X.toarray(), 16, 0.0, axis=1))
    scores = twin.scores(rows)
    unmet = X.toarray()[:, 4] == 0.0
    assert unmet.sum() > 2
    np.testing.assert_array_equal(scores[unmet, 16], scores[unmet, 4])
    assert (twin.listable == [True] * 17).all()


def test_new_item_is_read_from_a_history():
    """In mode encoder it stands for its camp; it is never listed itself."""
    content = content_of_checkerboard()
    model = fitted(checkerboard(), content, mode="encoder").append(content[[3]])
    alone = sp.csr_array(([1.0], ([0], [16])), shape=(1, 17), dtype=np.float32)
    scores = model.scores(alone)[0]
    odd = np.arange(16) % 2 == 1
    assert scores[:16][odd].min() > scores[:16][~odd].max()
    np.testing.assert_array_equal(model.listable, [True] * 16 + [False])


def test_item_without_content_is_not_listed_and_harms_nobody():
    """Its row of zeros says so, in both modes finite."""
    content = content_of_checkerboard()
    content[5] = 0.0
    model = fitted(checkerboard(), content)
    np.testing.assert_array_equal(np.flatnonzero(~model.listable), [5])
    assert not model.scores(checkerboard())[:, 5].any()
    assert np.isfinite(fitted(checkerboard(), content, mode="encoder").D).all()


def test_long_histories_may_count_more():
    """Weighting a user with gamma is as weighting a copy of them, up to the mean."""
    X = sp.csr_array(np.array([[1, 1, 0, 0], [0, 1, 1, 1]] + [[0, 1, 1, 1]] * 2, np.float32))
    content = content_of_checkerboard(4)
    how = {"n_epochs": 1, "batch_size": 4, "gamma": 0.0}
    alike = {"learning_rate": 1e-3, "output": "linear"}
    three = fitted(X, content, **how, **alike).E
    gamma = 2.0 * np.log(3.0) / np.log(1.5)  # |x|^gamma is 3 times as much for 3 items as for 2
    weighted = fitted(X[:2], content, **(how | {"gamma": gamma}), **alike).E
    np.testing.assert_allclose(weighted, three, atol=1e-6)
    assert np.abs(weighted - fitted(X[:2], content, **how, **alike).E).max() > 1e-5


@given(histories(), st.integers(0, 99))
def test_parts_add_up_to_the_user(X, seed):
    """Entry by entry; vectors have unit rows in the directions of the decoder."""
    E, D = np.random.default_rng(seed).normal(size=(2, X.shape[1], 3)).astype(np.float32)
    model, rows = ContentELSA(E, D, "decoder"), sp.csr_array(X)
    sums = [part.sum(axis=0) for part in model.parts(rows)]
    np.testing.assert_allclose(sums, model.encode(rows), atol=1e-4)
    assert [len(part) for part in model.parts(rows)] == np.diff(rows.indptr).tolist()
    np.testing.assert_allclose(
        model.vectors, D / np.linalg.norm(D, axis=1, keepdims=True), atol=1e-5
    )


@MODES
def test_unit_rows_are_kept(mode):
    """Of the learnt side, as in ELSA."""
    content = content_of_checkerboard()
    content[5] = 0.0
    model = fitted(checkerboard(), content, mode=mode, unit_rows=True, start="xavier")
    learnt = model.E if mode == "decoder" else model.D
    np.testing.assert_allclose(np.linalg.norm(learnt, axis=1), 1.0, atol=1e-5)


def misleading_shop(n_users=300, n_items=60):
    """Return rows whose taste is one hidden trait, and content that tells it beside much else."""
    rng = np.random.default_rng(3)
    trait, taste = rng.integers(0, 3, n_items), rng.integers(0, 3, n_users)
    X = rng.random((n_users, n_items)) < np.where(taste[:, None] == trait, 0.3, 0.02)
    content = np.hstack([0.7 * np.eye(3)[trait], rng.normal(size=(n_items, 12))])
    return sp.csr_array(X.astype(np.float32)), content.astype(np.float32)


def ndcg_of(model, question):
    """Return the mean ndcg@100 of what is asked."""
    values = evaluate(
        model, fold_in=question.fold_in, target=question.target, eligible=question.eligible
    )
    return values["ndcg@100"].mean()


def test_interactions_teach_more_than_content_about_items_nobody_has_met():
    """Stopped on held-out items; those that are asked in the end are others."""
    X, content = misleading_shop()
    unmet = draw_items(X, share=0.25, seed=0)
    known, question = hold_out_items(X, unmet)
    held_out = draw_items(known, share=0.25, seed=1)
    training, validation = hold_out_items(known, held_out)
    seen = []
    model = fitted(
        training, content, n_epochs=30, batch_size=64, validation=validation, patience=5,
        output="linear", on_epoch=lambda epoch, metrics, state: seen.append(metrics["ndcg@100"]),
    )  # fmt: skip
    plain = ContentModel(unit_or_zero(content))
    assert ndcg_of(model, question) > 1.1 * ndcg_of(plain, question)
    assert 0 < model.best_epoch < len(seen) <= model.best_epoch + 6
    assert model.best_epoch == int(np.argmax(seen))  # the start is epoch 0


def test_start_is_kept_where_training_only_harms():
    """Epoch 0 is the content itself: here pairs are taken across the camps that it tells."""
    pairs = sp.csr_array(np.repeat(np.eye(8), 2, axis=1).astype(np.float32))
    _, validation = hold_out_items(checkerboard(), np.arange(4))
    model = fitted(
        pairs, content_of_checkerboard(), n_epochs=4, learning_rate=0.3, validation=validation,
        patience=2,
    )  # fmt: skip
    assert model.best_epoch == 0
    np.testing.assert_array_equal(model.E, model.D)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.ones((3, 2), np.float32), "content must have 16 rows, one an item, got 3"),
        (np.full((16, 2), np.nan, np.float32), "content must be finite"),
    ],
)
def test_content_must_fit(content, message):
    """One finite row an item."""
    with pytest.raises(ValueError, match=message):
        fitted(checkerboard(), content)


def test_what_cannot_be_learnt_from_is_refused():
    """No interaction; weights that are not finite."""
    content = content_of_checkerboard()
    with pytest.raises(ValueError, match="X must hold an interaction"):
        fitted(sp.csr_array((4, 16), dtype=np.float32), content)
    X = checkerboard()
    X.data[0] = np.inf
    with pytest.raises(ArithmeticError, match="the loss must be finite"):
        fitted(X, content)


def test_popularity_lifts_known_items_and_new_ones_as_the_average():
    """Scores are those without beta, times a power; what is appended changes none of them."""
    rng = np.random.default_rng(0)
    E, D = rng.normal(size=(2, 12, 5)).astype(np.float32)
    counts = np.array([0, 4, 2, 2, 1, 1, 8, 1, 1, 3, 1, 12])
    X = sp.csr_array((rng.random((6, 12)) < 0.4).astype(np.float32))
    plain, lifted = (ContentELSA(E, D, "decoder", counts=counts, beta=beta) for beta in (0.0, 0.5))
    power = np.sqrt(np.where(counts > 0, counts, counts.sum() / 11))
    np.testing.assert_allclose(lifted.scores(X), plain.scores(X) * power, rtol=1e-5, atol=1e-6)
    wider = lifted.append(D[[0]])
    rows = sp.csr_array(np.insert(X.toarray(), 12, 0.0, axis=1))
    np.testing.assert_array_equal(wider.scores(rows)[:, :12], lifted.scores(X))
    unmet = X.toarray()[:, 0] == 0.0
    length = np.linalg.norm(D[0])
    np.testing.assert_allclose(
        wider.scores(rows)[unmet, 12] * length, lifted.scores(X)[unmet, 0], rtol=1e-4
    )
    products = lifted.encode(X) @ lifted.decoder.T
    user = np.repeat(np.arange(6), np.diff(X.indptr))
    products[user, X.indices] -= lifted.own(X)
    np.testing.assert_allclose(products, lifted.scores(X), atol=1e-4)
