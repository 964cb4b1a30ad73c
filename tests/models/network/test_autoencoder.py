"""Fitted autoencoders: layers, scores as factors, more items."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from models.network.autoencoder import Autoencoder, prepared
from models.network.dense_layer import Dense, activated

rng = np.random.default_rng(0)
X = sp.csr_array(np.array([[2.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]], dtype=np.float32))


def layer(n_in: int, n_out: int, activation: str = "identity") -> Dense:
    """Random weights."""
    W, b = rng.normal(size=(n_in, n_out)), rng.normal(size=n_out)
    return Dense(W.astype(np.float32), b.astype(np.float32), activation)


def model(**settings: object) -> Autoencoder:
    """Four items, two layers before the last."""
    return Autoencoder((layer(4, 5, "tanh"), layer(5, 3, "relu"), layer(3, 4)), **settings)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu", "selu", "identity"])
def test_activations_are_those_of_torch(name):
    """Over both signs and large numbers."""
    h = np.array([-90.0, -2.0, -0.5, 0.0, 0.5, 2.0, 90.0])
    theirs = getattr(torch, name, None)
    expected = h if theirs is None or name == "identity" else theirs(torch.tensor(h)).numpy()
    np.testing.assert_allclose(activated(h, name), expected, rtol=1e-12, atol=1e-15)


def test_golden_selu():
    """Klambauer et al."""
    expected = [-1.52016647, -0.69175819, 0.0, 0.52535049, 2.10140197]
    np.testing.assert_allclose(
        activated(np.array([-2, -0.5, 0, 0.5, 2]), "selu"), expected, atol=5e-9
    )


def test_scores_are_those_of_the_layers():
    """Encode and decoder give what a plain pass gives."""
    fitted = model(binary=False)
    first, second, last = fitted.layers
    h = np.maximum(np.tanh(X.toarray() @ first.W + first.b) @ second.W + second.b, 0)
    np.testing.assert_allclose(fitted.scores(X), h @ last.W + last.b, rtol=1e-5)
    np.testing.assert_allclose(fitted.encode(X) @ fitted.decoder.T, fitted.scores(X), rtol=1e-5)


def test_rows_are_prepared():
    """Ones, then unit length; an empty row stays empty; the matrix is unchanged."""
    np.testing.assert_array_equal(prepared(X, unit_rows=False, binary=True).data, [1, 1])
    rows = prepared(X, unit_rows=True, binary=False)
    np.testing.assert_allclose(rows.toarray()[0], np.array([2, 0, 1, 0]) / np.sqrt(5), rtol=1e-7)
    np.testing.assert_array_equal(X.data, [2, 1])


@pytest.mark.parametrize("unit_rows", [False, True])
def test_more_items_change_nothing_of_the_known(unit_rows):
    """An item that is unknown adds nothing and scores 0; the others keep their scores."""
    fitted = model(unit_rows=unit_rows)
    known = np.array([True, True, True, False, False, False])
    wide = fitted.laid_over(known)
    more = sp.csr_array(np.array([[1.0, 0, 1, 1, 0, 1]], dtype=np.float32))
    few = sp.csr_array(np.array([[1.0, 0, 1, 0]], dtype=np.float32))
    np.testing.assert_allclose(wide.scores(more)[:, :3], fitted.scores(few)[:, :3], rtol=1e-6)
    assert not wide.scores(more)[:, 3:].any()
    np.testing.assert_allclose(np.linalg.norm(wide.vectors[:3], axis=1), 1.0, rtol=1e-6)
