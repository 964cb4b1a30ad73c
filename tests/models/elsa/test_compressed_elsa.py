"""Compressed ELSA: its size, its schedule, its scores, and ELSA where nothing is cut."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from models.elsa.compressed_elsa import (
    CompressedELSA,
    fit_compressed_elsa,
    kept_entries,
    largest_of_rows,
)
from models.elsa.compressed_elsa_engine import Kept, KeptEngine
from models.elsa.compressed_elsa_kernel import (
    add_gram_slope,
    gather_sparse,
    gram_rows,
    pull_of_rows,
)
from models.elsa.elsa import fit_elsa
from models.elsa.elsa_exact import derivatives
from models.elsa.elsa_form import ELSAForm
from models.elsa.elsa_start import xavier_start
from models.split.fold_in import fold_in_split
from tests.models.contract import PersonalModelContract, checkerboard
from tests.models.strategies import histories


def fitted(X, **changed):
    """Fit with small defaults."""
    how = {
        "n_factors": 16, "n_nonzeros": 3, "n_epochs": 12, "n_stages": 3, "batch_size": 8,
        "learning_rate": 0.1, "seed": 0,
    }  # fmt: skip
    return fit_compressed_elsa(X, **(how | changed))


class TestCompressedELSA(PersonalModelContract):
    """Compressed ELSA is a personal model."""

    def fit(self, X):
        """Fit three entries of sixteen."""
        return fitted(X)


def autograd(X, W):
    """Return the mean of 1 - cos(x, y) and its derivative by A, from the definition."""
    A = torch.tensor(W, requires_grad=True)
    rows = torch.tensor(X)
    output = rows @ A @ A.T - rows
    loss = (1.0 - torch.nn.functional.cosine_similarity(rows, output, eps=1e-12)).mean()
    loss.backward()
    return float(loss.detach()), A.grad.numpy()


@given(histories(), st.integers(1, 4), st.integers(0, 99))
def test_loops_give_the_gradient_of_the_entries_that_are_kept(X, k, seed):
    """In float64, held against autograd on the same factors unpacked."""
    kept = largest_of_rows(np.random.default_rng(seed).normal(size=(X.shape[1], 5)), k)
    columns, values = kept.columns, kept.values.astype(np.float64)
    A = np.zeros((X.shape[1], 5))
    np.put_along_axis(A, columns.astype(np.int64), values, axis=1)
    assume(np.linalg.norm(X @ A @ A.T - X, axis=1).min() > 1e-3)  # else there is no direction
    rows, Xt, H, G = sp.csr_array(X), sp.csr_array(X.T), np.empty((len(X), 5)), np.empty((5, 5))
    gather_sparse(rows.indptr, rows.indices, rows.data, columns, values, H)
    np.testing.assert_allclose(H, X @ A, atol=1e-12)
    places = np.argsort(columns.ravel(), kind="stable")
    starts = np.searchsorted(columns.ravel()[places], np.arange(6))
    for first, last in ((0, 2), (2, 5)):
        gram_rows(starts, places, columns, values, first, G[first:last])
    np.testing.assert_allclose(G, A.T @ A, atol=1e-12)
    squares = (X * X).sum(axis=1)
    losses, dH, dG = derivatives(
        H, G, squares, np.ones(len(X)), scale=1.0 / len(X), floor=np.finfo(float).eps
    )
    slope = np.empty_like(values)
    pull_of_rows(Xt.indptr, Xt.indices, Xt.data, dH, columns, slope)
    add_gram_slope(2.0 * dG, columns, values, slope)
    loss, gradient = autograd(X, A)
    assert losses.mean() == pytest.approx(loss, abs=1e-9)
    expected = np.take_along_axis(gradient, columns.astype(np.int64), axis=1)
    np.testing.assert_allclose(slope, expected, atol=1e-8)


def test_engine_is_elsas_where_all_entries_are_kept():
    """The same losses, epoch by epoch, as the dense engine from the same start."""
    X, seen = checkerboard(), []
    fit_elsa(
        X, n_factors=8, n_epochs=4, batch_size=5, learning_rate=0.02, seed=0,
        form=ELSAForm(loss="cosine"), on_epoch=lambda e, metrics, s: seen.append(metrics["cosine"]),
    )  # fmt: skip
    start, norm = xavier_start(16, 8, 0)
    engine = KeptEngine(X, largest_of_rows(start, 8), 8)
    engine._norm[:] = norm
    found = []
    for epoch in range(1, 5):
        order = np.random.default_rng([0, epoch]).permutation(16)
        losses = engine.run_epoch(order, batch_size=5, learning_rate=0.02)
        found.append(losses.mean())
    np.testing.assert_allclose(found, seen, rtol=1e-4)


@given(histories(), st.integers(0, 99), st.sampled_from([(0.0, 0.0), (0.5, 0.25)]))
def test_scores_are_those_of_the_same_factors_unpacked(X, seed, powers):
    """With popularity and without."""
    A = largest_of_rows(np.random.default_rng(seed).normal(size=(X.shape[1], 6)), 2).csr(6)
    rows = sp.csr_array(X.astype(np.float32))
    counts = np.bincount(rows.indices, minlength=X.shape[1])
    model = CompressedELSA(A, counts, *powers)
    np.testing.assert_allclose(model.scores(rows), model.expanded().scores(rows), atol=1e-4)
    users = model.encode(rows)
    assert sp.issparse(users)
    np.testing.assert_allclose(users.toarray(), model.expanded().encode(rows), atol=1e-5)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("schedule", ["exponential", "linear", "step"])
def test_every_item_keeps_its_entries(schedule, restart):
    """Unit rows of so many entries, and their bytes."""
    model = fitted(checkerboard(), n_epochs=2, schedule=schedule, restart=restart)
    np.testing.assert_array_equal(np.diff(model.A.indptr), 3)
    np.testing.assert_allclose(np.linalg.norm(model.A.toarray(), axis=1), 1.0, atol=1e-5)
    assert model.n_bytes == 16 * 3 * 8 + 17 * 4


def test_nothing_cut_is_elsa():
    """One stage, the same bits."""
    X = checkerboard()
    how = {"n_factors": 4, "n_epochs": 3, "batch_size": 8, "learning_rate": 0.1, "seed": 1}
    whole = fitted(X, n_nonzeros=4, n_stages=1, **how)
    np.testing.assert_array_equal(whole.A.toarray(), fit_elsa(X, **how).A)


def test_schedules_fall_from_all_to_few():
    """By a factor, by a number, or at once."""
    assert kept_entries(4096, 16, n_stages=5) == [4096, 1024, 256, 64, 16]
    assert kept_entries(100, 20, n_stages=5, schedule="linear") == [100, 80, 60, 40, 20]
    assert kept_entries(64, 8, n_stages=3, schedule="step") == [64, 64, 8]
    assert kept_entries(64, 64, n_stages=3) == [64]
    for n_nonzeros in (0, 65):
        with pytest.raises(ValueError, match=f"from 1 to 64, got {n_nonzeros}"):
            kept_entries(64, n_nonzeros, n_stages=3)
    with pytest.raises(ValueError, match="n_stages must be at least 2 to cut entries, got 1"):
        kept_entries(64, 8, n_stages=1)


@given(st.integers(0, 99), st.integers(1, 5), st.booleans())
def test_largest_entries_are_kept(seed, k, ties):
    """No entry that is left out is larger; ties go to the first columns."""
    A = np.random.default_rng(seed).normal(size=(4, 5)).round(0 if ties else 8).astype(np.float32)
    kept = largest_of_rows(A, k)
    for row, columns, values in zip(A, kept.columns, kept.values, strict=True):
        expected = sorted(np.lexsort((np.arange(5), -np.abs(row)))[:k])
        np.testing.assert_array_equal(columns, expected)
        length = max(np.linalg.norm(row[columns]), 1e-12)
        np.testing.assert_allclose(values, row[columns] / length, rtol=1e-6)


def test_restarted_entries_begin_where_they_began():
    """Among the same columns, the values of the random start."""
    seen = []
    model = fitted(
        checkerboard(), n_epochs=1, n_stages=2, restart=True, learning_rate=1e-9,
        on_epoch=lambda epoch, metrics, kept: seen.append((epoch, kept.values.copy())),
    )  # fmt: skip
    start = np.random.default_rng(0).uniform(-1.0, 1.0, (16, 16)) * np.sqrt(6.0 / 32)
    at_start = start[np.repeat(np.arange(16), 3), model.A.indices].reshape(16, 3)
    at_start /= np.linalg.norm(at_start, axis=1, keepdims=True)
    assert [epoch for epoch, _ in seen] == [2]
    np.testing.assert_allclose(seen[0][1], at_start, atol=1e-5)


def test_best_epoch_of_the_last_stage_is_kept():
    """Judged on held-out users; a rate that is far too high ends early."""
    X = checkerboard(24)
    fold_in, target = fold_in_split(X[:8], target_share=0.3, seed=0)
    seen = []
    model = fitted(
        X[8:], n_epochs=10, learning_rate=0.3, validation=(fold_in, target), patience=2,
        on_epoch=lambda epoch, metrics, kept: seen.append(metrics.get("ndcg@100")),
    )  # fmt: skip
    last = seen[10:]
    assert not any(seen[:10])
    assert model.best_epoch == 1 + int(np.argmax(last))
    assert len(last) == min(10, model.best_epoch + 2)


def test_threads_change_nothing(monkeypatch):
    """The same bits on one and on three."""
    found = []
    for n_threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n_threads: n)
        kept = largest_of_rows(np.random.default_rng(0).normal(size=(16, 8)), 4)
        KeptEngine(checkerboard(), kept, 8).run_epoch(
            np.arange(16), batch_size=5, learning_rate=0.1
        )
        found.append(kept.values)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("k", [2, 5])
def test_dense_products_give_the_same_steps(k, monkeypatch):
    """They are taken where many entries are kept."""
    found = []
    for cost in (0, 1000):
        monkeypatch.setattr("models.elsa.compressed_elsa_engine._SPARSE_COST", cost)
        kept = largest_of_rows(np.random.default_rng(0).normal(size=(16, 8)), k)
        engine = KeptEngine(checkerboard(), kept, 8)
        assert engine._unpacks == (cost > 0)
        losses = engine.run_epoch(np.arange(16), batch_size=5, learning_rate=0.01)
        found.append((losses, kept.values))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_loss_that_is_not_finite_stops():
    """With the epoch."""
    X = checkerboard()
    X.data[3] = np.inf
    with pytest.raises(ArithmeticError, match="must be finite, got"):
        fitted(X)
    kept = Kept(np.zeros((16, 1), np.int32), np.full((16, 1), np.nan, np.float32))
    with np.errstate(invalid="ignore"):
        losses = KeptEngine(checkerboard(), kept, 2).run_epoch(
            np.arange(16), batch_size=16, learning_rate=0.1
        )
    assert np.isnan(losses).all()
