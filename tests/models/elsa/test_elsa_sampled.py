"""ELSA on a sample of the items: which are drawn, and the gradient of what is left."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa_sampled import draw_columns, sampled_form, sampled_gradient
from models.elsa.elsa_torch import DeviceRows, TorchEngine
from tests.models.elsa.test_elsa_dense import FORMS, assert_same, by_autograd, dense, through_rows
from tests.models.elsa.test_elsa_gradient import batch_of, make_steps, parameter_at, random_weights
from tests.models.largest_tensor import LargestTensor
from tests.models.strategies import histories


def sampled(
    W: torch.Tensor, X: np.ndarray, columns: np.ndarray, output: str, loss: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return loss and gradient by W on some columns, by the code under test."""

    def form(A, batch):
        return sampled_gradient(A, batch, torch.from_numpy(columns), output=output, loss=loss)

    return through_rows(form, W, batch_of(X))


def columns_of(X: np.ndarray, max_output: int, seed: int) -> np.ndarray:
    """Draw columns for rows."""
    held, generator = np.flatnonzero(X.any(axis=0)), np.random.default_rng(seed)
    return draw_columns(held, X.shape[1], max_output=max_output, generator=generator)


@given(X=histories(max_items=30), max_output=st.integers(1, 40), seed=st.integers(0, 9999))
def test_columns_hold_the_batch_and_others_once(X, max_output, seed):
    """All items of the batch, then others until the sample or the catalogue is full."""
    held, columns = np.flatnonzero(X.any(axis=0)), columns_of(X, max_output, seed)
    assert np.isin(held, columns).all()
    assert (np.diff(columns) > 0).all()
    assert columns[0] >= 0
    assert columns[-1] < X.shape[1]
    assert len(columns) == max(len(held), min(max_output, X.shape[1]))


def test_others_are_drawn_evenly():
    """Every item that the batch does not hold comes equally often."""
    generator, counts = np.random.default_rng(0), np.zeros(10)
    for _ in range(6000):
        counts[draw_columns(np.array([2, 3, 9]), 10, max_output=5, generator=generator)] += 1
    assert (counts[[2, 3, 9]] == 6000).all()
    np.testing.assert_allclose(counts[[0, 1, 4, 5, 6, 7, 8]] / 6000, 2 / 7, atol=0.03)


@pytest.mark.parametrize(("output", "loss"), FORMS)
@given(X=histories(), max_output=st.integers(1, 8), seed=st.integers(0, 9999))
def test_gradient_is_that_of_autograd_on_the_columns(output, loss, X, max_output, seed):
    """The sample is a catalogue of its own; what lies outside has no gradient."""
    W, columns = random_weights(X.shape[1], 3, seed), columns_of(X, max_output, seed)
    value, gradient = sampled(W, X, columns, output, loss)
    expected_value, inside = by_autograd(W[columns], X[:, columns], output, loss)
    expected = torch.zeros_like(W)
    expected[columns] = inside
    assert_same((value, gradient), (expected_value, expected))
    assert gradient[np.setdiff1d(np.arange(X.shape[1]), columns)].count_nonzero() == 0


@given(names=st.sampled_from(FORMS), X=histories(), seed=st.integers(0, 9999))
def test_all_columns_are_the_dense_form(names, X, seed):
    """A sample of everything is no sample."""
    W = random_weights(X.shape[1], 3, seed)
    generator = np.random.default_rng(seed)
    form = sampled_form(output=names[0], loss=names[1], max_output=1000, generator=generator)
    assert_same(through_rows(form, W, batch_of(X)), dense(W, X, *names))


def test_equal_generators_make_equal_steps():
    """And another generator makes others: the sample matters."""
    rng = np.random.default_rng(0)
    X = np.zeros((40, 60), np.float32)
    X[:, :10] = rng.random((40, 10)) < 0.3
    X[:, 0] = 1.0
    found = []
    for seed in (1, 1, 2):
        form = sampled_form(
            output="relu", loss="nmse", max_output=20, generator=np.random.default_rng(seed)
        )
        start = parameter_at(random_weights(60, 4, 0).numpy())
        engine = TorchEngine(
            DeviceRows.from_csr(sp.csr_array(X), "cpu"),
            start,
            form_of_epoch=lambda _, form=form: form,
        )
        make_steps(engine, 40, 3)
        found.append(engine.parameter.A)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_output_of_all_items_is_never_made():
    """The largest tensor is W or users x sample."""
    n_users, n_items, n_factors, max_output = 300, 500, 4, 50
    X = np.zeros((n_users, n_items))
    X[:, ::50] = 1.0
    W, batch = random_weights(n_items, n_factors, 0), batch_of(X)
    form = sampled_form(
        output="relu", loss="nmse", max_output=max_output, generator=np.random.default_rng(0)
    )
    with LargestTensor() as largest:
        through_rows(form, W, batch)
    assert largest.numel == n_users * max_output


def test_empty_sample_is_refused():
    """A setting that means nothing is an error."""
    with pytest.raises(ValueError, match="max_output must be positive, got 0"):
        sampled_form(output="relu", loss="nmse", max_output=0, generator=np.random.default_rng(0))
