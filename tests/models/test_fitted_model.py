"""What every fitted model is asked for: vectors, neighbours, reasons, itself over more items."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from models.content.content import unit_or_zero
from models.elsa.compressed_elsa import CompressedELSA, largest_of_rows
from models.elsa.elsa import ELSA
from models.elsa.elsa_content import ContentELSA
from models.factors.factor_baseline import fit_bpr, fit_ials
from models.fitted_model import (
    explain_lists,
    item_vectors,
    laid_over,
    likens_items,
    listable_items,
    lowest_listed,
    rank_neighbours,
    readable_items,
    topped_up,
)
from models.item_item.ease import fit_ease
from models.item_item.item_knn import fit_item_knn
from models.item_item.sansa import fit_sansa
from models.model_arrays import arrays_of, model_of
from models.network.autoencoder import Autoencoder
from models.network.dense_layer import Dense
from models.network.multvae_network import Annealing
from models.network.svae_fit import fit_svae
from models.network.svae_network import SVAEShape
from models.popularity import Popularity
from models.random_model import RandomModel
from models.ranking.ranking import rank_users

N_ITEMS = 12
RNG = np.random.default_rng(3)
DENSE = (RNG.random((60, N_ITEMS)) < 0.3) * RNG.integers(1, 5, (60, N_ITEMS)).astype(np.float32)
DENSE[:, 7] = 0.0  # nobody had it
X = sp.csr_array(DENSE.astype(np.float32))
COUNTS = np.bincount(X.indices, minlength=N_ITEMS)


def elsa():
    """Factors of unit length; that of an item nobody had is whatever the start left there."""
    A = RNG.normal(size=(N_ITEMS, 4)).astype(np.float32)
    return ELSA(A / np.linalg.norm(A, axis=1, keepdims=True), COUNTS, 0.2, 0.1)


def elsa_with_neighbours():
    """The same with weights beside the factors, none for the item nobody had."""
    return replace(elsa(), W=fit_item_knn(X, n_neighbours=3).left)


def elsa_content():
    """Content for all items, also the one that nobody had."""
    E, D = RNG.normal(size=(2, N_ITEMS, 4)).astype(np.float32)
    return ContentELSA(E, unit_or_zero(D), "decoder", counts=COUNTS, beta=0.4)


def compressed_elsa():
    """The same with two entries an item."""
    kept = largest_of_rows(elsa().A, 2)
    return CompressedELSA(kept.csr(4), COUNTS, 0.2, 0.1)


def autoencoder():
    """Four layers of numbers, every activation once."""
    sizes = ((N_ITEMS, 6), (6, 4), (4, 6), (6, N_ITEMS))
    names = ("tanh", "identity", "sigmoid", "identity")
    layers = (Dense(layer_weights(*size), layer_weights(size[1]), name)
              for size, name in zip(sizes, names, strict=True))  # fmt: skip
    return Autoencoder(tuple(layers), unit_rows=True)


def layer_weights(*size):
    """Normal, float32."""
    return RNG.normal(size=size).astype(np.float32)


def svae():
    """A fit of one epoch; values of rows are moments."""
    shape = SVAEShape(n_embedding=4, n_state=5, n_hidden=6, n_factors=3)
    return fit_svae(
        X, shape, n_epochs=1, batch_size=20, learning_rate=0.01, weight_decay=0.0,
        annealing=Annealing(0.2, 10), patience=1, seed=0,
    )  # fmt: skip


MODELS = {
    "elsa": elsa(),
    "elsa_with_neighbours": elsa_with_neighbours(),
    "compressed_elsa": compressed_elsa(),
    "elsa_content": elsa_content(),
    "autoencoder": autoencoder(),
    "ease": fit_ease(X, l2=5.0),
    "sansa": fit_sansa(X, l2=1.0, density=0.5),
    "item_knn": fit_item_knn(X, n_neighbours=3),
    "ials": fit_ials(X, n_factors=4, l2=1.0, weight=4.0, n_epochs=5, seed=0),
    "bpr": fit_bpr(X, n_factors=4, l2=0.01, learning_rate=0.05, n_epochs=5, seed=0),
    "svae": svae(),
    "popularity": Popularity(COUNTS),
    "random": RandomModel(N_ITEMS, 5),
}
WITH_VECTORS = (
    "elsa", "elsa_with_neighbours", "compressed_elsa", "elsa_content", "autoencoder", "svae",
    "ials", "bpr",
)  # fmt: skip
every_model = pytest.mark.parametrize("name", MODELS)


def scores(model, rows):
    """Dense scores, an item's own entry left out."""
    if hasattr(model, "decoder"):
        beside = getattr(model, "beside", None)
        more = 0.0 if beside is None else beside(rows).toarray()
        return model.encode(rows) @ model.decoder.T + more
    found = model.scores(rows)
    return found.toarray() if sp.issparse(found) else found


def wider(rows, n_more, *, met=0.0):
    """The same histories over more items."""
    more = np.full((rows.shape[0], n_more), met, dtype=np.float32)
    return sp.csr_array(np.hstack([rows.toarray(), more]))


@every_model
def test_new_items_change_no_score(name):
    """Neither those that a user has met, nor those that nobody had in training."""
    model, known = MODELS[name], np.append(COUNTS > 0, np.zeros(3, dtype=bool))
    laid = laid_over(model, known)
    expected = scores(laid_over(model, COUNTS > 0), X)
    for met in (0.0, 2.0):
        rows = wider(X, 3, met=met)
        with_unknown = rows.toarray()
        with_unknown[::2, 7] = met
        found = scores(laid, sp.csr_array(with_unknown))
        assert found.shape == (60, N_ITEMS + 3)
        np.testing.assert_allclose(found[:, :N_ITEMS][:, known[:N_ITEMS]],
                                   expected[:, known[:N_ITEMS]], rtol=1e-5, atol=1e-6)  # fmt: skip


@every_model
def test_arrays_bring_the_model_back(name):
    """The same bits, without pickle, through what npy and JSON can hold."""
    form, arrays, parameters = arrays_of(MODELS[name])
    assert all(array.dtype != object for array in arrays.values())
    again = model_of(form, arrays, parameters, COUNTS)
    np.testing.assert_array_equal(scores(again, X), scores(MODELS[name], X))


def test_unknown_form_is_refused():
    """It may come from a later version of this package."""
    with pytest.raises(ValueError, match=r"the form of a model must be one .*, got future"):
        model_of("future", {}, {}, COUNTS)


@every_model
def test_reasons_add_up_to_the_score(name):
    """The named item, alone, adds the named share of what speaks for the listed item."""
    model = laid_over(MODELS[name], np.append(COUNTS > 0, [False]))
    rows = wider(X, 1)
    ((_, items, _),) = rank_users(
        model, rows, seen=rows, eligible=np.append(COUNTS > 0, [False]), k=4, block_size=60
    )
    because, share = explain_lists(model, rows, items)
    assert ((because < 0) == np.isnan(share)).all()
    if not likens_items(model) or name in ("autoencoder", "svae"):  # their scores are no sums
        assert (because < 0).all()
        return
    assert (because >= 0).mean() > 0.5
    for user in range(rows.shape[0]):
        terms = terms_of(name, model, rows[[user]])
        for place, item in enumerate(items[user]):
            if item < 0:
                assert because[user, place] < 0
                continue
            positive = np.maximum(terms[:, item], 0.0)
            if because[user, place] < 0:
                assert positive.max() < 1e-6
                continue
            assert positive[because[user, place]] == pytest.approx(positive.max(), rel=1e-3)
            whole = positive.max() / positive.sum()
            assert share[user, place] == pytest.approx(whole, rel=2e-3)


def terms_of(name, model, row):
    """What each item of one history adds to each score, from scores alone where that is exact."""
    n_items = row.shape[1]
    if name == "ials":  # how much an item adds depends on the rest of the history
        Y, own = model.decoder.astype(np.float64), row.indices
        trust = model.weight * row.data
        A = Y.T @ Y + model.l2 * np.eye(4) + Y[own].T @ (Y[own] * (trust - 1.0)[:, None])
        terms = np.zeros((n_items, n_items))
        terms[own] = (Y @ np.linalg.inv(A) @ Y[own].T * trust).T
        return terms
    terms = np.zeros((n_items, n_items))
    for item, weight in zip(row.indices, row.data, strict=True):
        alone = sp.csr_array(([weight], ([0], [item])), shape=row.shape, dtype=np.float32)
        terms[item] = scores(model, alone)[0] / (len(row.indices) if name == "bpr" else 1)
    return terms


@every_model
def test_vectors_have_unit_length(name):
    """Those of known items; the models of weights and counts have none."""
    known = COUNTS > 0
    vectors = item_vectors(laid_over(MODELS[name], known))
    assert (vectors is not None) == (name in WITH_VECTORS)
    if vectors is not None:
        lengths = np.linalg.norm(vectors, axis=1)
        np.testing.assert_allclose(lengths[known], 1.0, atol=1e-5)
        assert not lengths[~listable_items(laid_over(MODELS[name], known), known)].any()


@every_model
def test_neighbours_are_other_eligible_items(name):
    """In falling order of a finite score; none where the model likens nothing."""
    known = COUNTS > 0
    sources = np.flatnonzero(known)
    blocks = list(
        rank_neighbours(laid_over(MODELS[name], known), k=3, eligible=known, sources=sources)
    )
    assert bool(blocks) == likens_items(MODELS[name]) == (name not in ("popularity", "random"))
    for rows, items, values in blocks:
        assert not (items == sources[rows][:, None]).any()
        assert known[items[items >= 0]].all()
        assert (items[:, 0] >= 0).any()
        assert np.isfinite(values[items >= 0]).all()
        assert (np.diff(np.where(items >= 0, values, -9.0), axis=1) <= 0.0).all()


@every_model
def test_only_sparse_models_leave_places_to_others(name):
    """An item without an entry is no recommendation; in a judgement popularity comes next."""
    model, sparse = MODELS[name], name in ("sansa", "item_knn")
    assert (lowest_listed(model) is not None) == sparse
    assert (topped_up(model, COUNTS) is not model) == sparse


@pytest.mark.parametrize("mode", ["decoder", "encoder"])
def test_content_lists_or_reads_items_that_nobody_had(mode):
    """What is learnt of them is nothing; with content of tonight they get theirs."""
    known = np.append(COUNTS > 0, [False, False])
    given = elsa_content()
    model = laid_over(ContentELSA(given.E, given.D, mode), known)
    learnt, content = (model.E, model.D) if mode == "decoder" else (model.D, model.E)
    assert not learnt[[7, 12, 13]].any()
    assert content[7].any()
    later = model.with_content(np.array([7, 12, 13]), np.eye(4, dtype=np.float32)[:3] * 2.0)
    by_content = np.append(np.ones(N_ITEMS + 1, dtype=bool), [True])
    if mode == "decoder":
        np.testing.assert_array_equal(listable_items(later, known), by_content)
        np.testing.assert_array_equal(readable_items(later, known), known)
        np.testing.assert_allclose(np.linalg.norm(later.D[12:], axis=1), 1.0, atol=1e-6)
    else:
        np.testing.assert_array_equal(listable_items(later, known), known)
        np.testing.assert_array_equal(readable_items(later, known), by_content)
    nothing = later.with_content(np.array([12]), np.zeros((1, 4), np.float32))
    np.testing.assert_array_equal(nothing.D, later.D)
