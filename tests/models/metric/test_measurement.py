"""All metrics of one model: the same as one by one, in blocks or not, and on real lists."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from models.elsa.elsa import ELSA
from models.metric.beyond_accuracy import Catalogue, novelty
from models.metric.exposure import coverage, gini
from models.metric.measurement import measure
from models.metric.metric import evaluate, rank_lists


def case(n_users: int = 30, n_items: int = 150) -> tuple:
    """Return a model, what is shown and asked, and the catalogue."""
    rng = np.random.default_rng(4)
    shown = (rng.random((n_users, n_items)) < 0.1).astype(np.float32)
    asked = ((rng.random((n_users, n_items)) < 0.1) & (shown == 0)).astype(np.float32)
    asked[:, 0], shown[:, 0] = 1.0, 0.0
    A = rng.normal(size=(n_items, 4)).astype(np.float32)
    catalogue = Catalogue(
        counts=shown.sum(axis=0), n_users=n_users, category=np.arange(n_items) % 5, embedding=A
    )
    return ELSA(A), sp.csr_array(shown), sp.csr_array(asked), catalogue


def test_agrees_with_what_a_night_evaluates():
    """The metrics that both give are equal, and those of all users together are the means."""
    model, shown, asked, catalogue = case()
    everything = np.ones(150, dtype=bool)
    items = rank_lists(model, fold_in=shown, eligible=everything)
    got = measure(items, fold_in=shown, target=asked, catalogue=catalogue)
    nightly = evaluate(model, fold_in=shown, target=asked, eligible=everything)
    for name in ("recall@20", "recall@50", "ndcg@100"):
        np.testing.assert_array_equal(got[name], nightly[name], err_msg=name)
    assert got["coverage@20"].mean() == pytest.approx(float(nightly["coverage@20"]))
    assert got["coverage@20"].mean() == pytest.approx(coverage(items[:, :20], 150))
    assert got["gini@20"].mean() == pytest.approx(gini(items[:, :20], 150))
    np.testing.assert_array_equal(got["novelty@20"], novelty(items[:, :20], catalogue))
    assert {len(values) for values in got.values()} == {30}
    assert len(got) == 17


def test_blocks_do_not_matter():
    """Users are measured some at a time."""
    model, shown, asked, catalogue = case()
    items = rank_lists(model, fold_in=shown, eligible=np.ones(150, dtype=bool))
    whole = measure(items, fold_in=shown, target=asked, catalogue=catalogue)
    parts = measure(items, fold_in=shown, target=asked, catalogue=catalogue, block_size=7)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-12, err_msg=name)


def test_without_categories_and_embeddings_and_users():
    """What is not known is not measured; nobody gives empty arrays."""
    nobody = sp.csr_array((0, 9), dtype=np.float32)
    catalogue = Catalogue(counts=np.ones(9), n_users=3)
    got = measure(np.zeros((0, 20), int), fold_in=nobody, target=nobody, catalogue=catalogue)
    assert {len(values) for values in got.values()} == {0}
    assert not [name for name in got if "diversity" in name or "calibration" in name]


def test_user_who_is_asked_nothing_is_refused():
    """A mean over such users would be nan, or wrong."""
    nothing = sp.csr_array((2, 9), dtype=np.float32)
    catalogue = Catalogue(counts=np.ones(9), n_users=3)
    with pytest.raises(ValueError, match="every user must be asked an item, got 2 who are"):
        measure(np.zeros((2, 3), int), fold_in=nothing, target=nothing, catalogue=catalogue)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_lists_of_a_gpu_measure_the_same():
    """Metrics work on lists, wherever these come from, and the lists are the same."""
    model, shown, asked, catalogue = case(n_users=300)
    everything = np.ones(150, dtype=bool)
    values = [
        measure(
            rank_lists(model, fold_in=shown, eligible=everything, device=device),
            fold_in=shown,
            target=asked,
            catalogue=catalogue,
        )
        for device in ("cpu", "cuda")
    ]
    for name, array in values[0].items():
        np.testing.assert_array_equal(values[1][name], array, err_msg=name)
