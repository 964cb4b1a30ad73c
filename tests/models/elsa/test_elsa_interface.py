"""The interface: what PyPI's elsarec says of the same factors, and none of its defects."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa_form import ELSAForm
from models.elsa.elsa_interface import ELSARecommender
from models.metric.metric import evaluate
from models.split.fold_in import fold_in_split
from tests.models.strategies import histories

N_USERS, N_ITEMS = 60, 40


def tastes(seed: int = 0, n_users: int = N_USERS) -> sp.csr_array:
    """Return users of four tastes and some noise."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, 4, n_users)[:, None] == np.arange(N_ITEMS) % 4
    chosen = rng.random((n_users, N_ITEMS)) < np.where(taste, 0.5, 0.05)
    chosen[:, 0] = True
    return sp.csr_array(chosen.astype(np.float32))


def fitted(X: object = None, epochs: int = 3, **settings) -> ELSARecommender:
    """Return a recommender that has seen four tastes."""
    recommender = ELSARecommender(N_ITEMS, 4, device="cpu", seed=1)
    recommender.fit(tastes() if X is None else X, epochs, 16, **settings)
    return recommender


def of_random_factors(n_items: int, seed: int, n_factors: int = 5) -> ELSARecommender:
    """Return a recommender of vectors of any length."""
    W = np.random.default_rng(seed).normal(size=(n_items, n_factors)).astype(np.float32)
    return ELSARecommender.from_embeddings(W, device="cpu")


def reference(W: np.ndarray):
    """Return elsarec's model with these weights."""
    elsa = pytest.importorskip("elsa")
    model = elsa.ELSA(*W.shape, device=torch.device("cpu"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(W))
    return model


class TestReference:
    """The same factors say the same in both."""

    W = np.random.default_rng(7).normal(size=(N_ITEMS, 6)).astype(np.float32)

    def test_predictions(self):
        """Row by row, whatever the batches."""
        X = tastes().toarray() * np.random.default_rng(0).uniform(0.5, 2, (N_USERS, N_ITEMS))
        theirs = reference(self.W).predict(X.astype(np.float32), 7).numpy()
        ours = ELSARecommender.from_embeddings(self.W)
        np.testing.assert_allclose(ours.predict(X, 11), theirs, atol=1e-5)
        blocks = list(ours.predict_generator(X, 11))
        assert [len(block) for block in blocks] == [11] * 5 + [5]
        np.testing.assert_allclose(np.concatenate(blocks), theirs, atol=1e-5)

    def test_similar_items(self):
        """The same neighbours in the same order."""
        items, scores = reference(self.W).similar_items(5, 8, verbose=False)
        ours = ELSARecommender.from_embeddings(self.W).similar_items(5, 8)
        np.testing.assert_array_equal(ours[0], items)
        np.testing.assert_allclose(ours[1], scores, atol=1e-5)

    @pytest.mark.parametrize("wrap", [np.asarray, torch.as_tensor])
    def test_similar_items_of_some_among_some(self, wrap):
        """Items keep their place in the whole catalogue."""
        sources, candidates = wrap([3, 1, 39]), wrap([30, 2, 3, 4, 20, 21])
        items, scores = reference(self.W).similar_items(4, 2, sources, candidates, verbose=False)
        ours = ELSARecommender.from_embeddings(self.W).similar_items(4, 2, sources, candidates)
        np.testing.assert_array_equal(ours[0], items)
        np.testing.assert_allclose(ours[1], scores, atol=1e-5)

    def test_training(self):
        """A batch of all rows has no order: from the same start, the same loss falls alike."""
        A = ELSARecommender.from_embeddings(self.W).item_embeddings
        theirs = reference(A).fit(tastes().toarray(), 4, N_USERS, verbose=False)
        ours = ELSARecommender(N_ITEMS, 6, device="cpu")
        history = ours.fit(tastes(), 4, N_USERS, warm=A)
        for name in ("nmse_train", "cosine_train"):
            np.testing.assert_allclose(history[name], theirs[name], rtol=1e-3)


def test_defect_1_works_without_cuda():
    """The default device is one that the machine has."""
    recommender = ELSARecommender(N_ITEMS, 4)
    assert recommender.device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert recommender.fit(tastes(), 1)["nmse_train"][0] > 0


@pytest.mark.parametrize("make", [sp.csr_array, sp.coo_array, sp.csc_matrix, sp.lil_matrix])
def test_defect_2_takes_every_sparse_matrix(make):
    """In training and afterwards; test_weight_matrix.py has all the others."""
    X = make(tastes())
    np.testing.assert_array_equal(fitted(X).item_embeddings, fitted().item_embeddings)
    np.testing.assert_array_equal(fitted().predict(X), fitted().predict(tastes()))


def test_defect_3_rows_are_shuffled():
    """From one start, another seed visits the rows in another order."""
    A, found = of_random_factors(N_ITEMS, 0, 4).item_embeddings, []
    for seed in (1, 1, 2):
        recommender = ELSARecommender(N_ITEMS, 4, device="cpu", seed=seed)
        recommender.fit(tastes(), 1, 16, warm=A)
        found.append(recommender.item_embeddings)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2], atol=1e-3)


def test_defect_4_rows_stay_sparse():
    """Training takes a small part of what the dense rows would."""
    rng = np.random.default_rng(0)
    X = sp.random_array((3000, 20_000), density=1e-4, rng=rng, format="csr", dtype=np.float32)
    recommender = ELSARecommender(20_000, 4, device="cpu")
    recommender.fit(X, 1, 3000)  # compiles
    tracemalloc.start()
    recommender.fit(X, 1, 3000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * X.shape[0] * X.shape[1] * X.dtype.itemsize


class TestDefect5:
    """Validation ranks what was not shown."""

    def test_whole_rows_are_split(self):
        """The figure is nDCG of a fifth of the items, the rest being shown."""
        held_out = tastes(5)
        recommender = ELSARecommender(N_ITEMS, 4, device="cpu", seed=1)
        history = recommender.fit(tastes(), 3, 16, validation_data=held_out)
        shown, asked = fold_in_split(held_out, target_share=0.2, seed=1)
        some = np.flatnonzero(np.diff(asked.indptr))
        expected = evaluate(
            recommender.model, fold_in=shown[some], target=asked[some],
            eligible=np.diff(tastes().tocsc().indptr) > 0,
        )  # fmt: skip
        assert max(history["ndcg@100_val"]) == pytest.approx(expected["ndcg@100"].mean())
        assert {len(values) for values in history.values()} == {3}

    def test_fold_in_and_target_may_be_given(self):
        """Rows without a target are left out."""
        shown, asked = fold_in_split(tastes(5), target_share=0.2, seed=1)
        more = sp.vstack([asked, sp.csr_array((2, N_ITEMS), dtype=np.float32)])
        pair = (sp.vstack([shown, shown[:2]]), more)
        histories_ = [
            ELSARecommender(N_ITEMS, 4, device="cpu", seed=1).fit(
                tastes(), 2, 16, validation_data=data
            )
            for data in (tastes(5), pair)
        ]
        assert histories_[0] == histories_[1]

    def test_what_cannot_validate_is_refused(self):
        """No target at all, or one of other users."""
        recommender = ELSARecommender(N_ITEMS, 4, device="cpu")
        with pytest.raises(ValueError, match="a row of validation_data must have a target"):
            recommender.fit(tastes(), validation_data=sp.csr_array((3, N_ITEMS)))
        pair = (tastes(), tastes(n_users=3))
        with pytest.raises(ValueError, match=r"target must have shape \(60, 40\), got \(3, 40\)"):
            recommender.fit(tastes(), validation_data=pair)


class TestDefect6:
    """What the reference leaves to its user."""

    def test_fit_stops_early(self):
        """Patience is passed on, and so is every other setting of the fit."""
        recommender = ELSARecommender(N_ITEMS, 4, device="cpu", learning_rate=1.0)
        history = recommender.fit(tastes(), 200, 16, validation_data=tastes(5), patience=2)
        assert len(history["nmse_train"]) < 200
        assert recommender.model.best_epoch == len(history["nmse_train"]) - 2

    def test_seed_repeats_every_bit(self):
        """The global generators play no part."""
        first = fitted().item_embeddings
        torch.manual_seed(5)
        np.testing.assert_array_equal(first, fitted().item_embeddings)

    @pytest.mark.parametrize("alpha", [0.0, 0.5])
    def test_state_is_the_recommender(self, alpha):
        """All that it says comes back, tempering too; tests/tasks has it on the disk."""
        ours = fitted(alpha=alpha, beta=alpha)
        again = ELSARecommender.from_state(*ours.state())
        np.testing.assert_array_equal(again.predict(tastes()), ours.predict(tastes()))
        np.testing.assert_array_equal(*(r.recommend(tastes(), 5)[0] for r in (ours, again)))
        assert (again.seed, again.learning_rate, again.device) == (1, 0.1, "cpu")

    def test_state_of_another_format_is_refused(self):
        """A later version may mean something else by the same names."""
        arrays, settings = fitted().state()
        with pytest.raises(ValueError, match="format must be 1, got 2"):
            ELSARecommender.from_state(arrays, settings | {"format": 2})

    @given(X=histories(), seed=st.integers(0, 9999), k=st.integers(1, 9), data=st.data())
    def test_recommendations_are_the_best_eligible_items(self, X, seed, k, data):
        """Unseen, or all if asked; by score."""
        n_items = X.shape[1]
        recommender = of_random_factors(n_items, seed)
        listed = np.array(data.draw(st.lists(st.integers(0, n_items - 1), unique=True)), dtype=int)
        for exclude_seen in (True, False):
            scores = recommender.predict(X)
            scores[:, np.setdiff1d(np.arange(n_items), listed)] = -np.inf
            scores[(X > 0) & exclude_seen] = -np.inf
            items, values = recommender.recommend(
                X, k, exclude_seen=exclude_seen, eligible=listed, batch_size=2
            )
            expected = -np.sort(-scores, axis=1)[:, :k]
            expected = np.where(np.isfinite(expected), expected, np.nan)
            width = expected.shape[1]
            np.testing.assert_allclose(values[:, :width], expected, atol=1e-5)
            assert ((items >= 0) == np.isfinite(values)).all()
            real = np.nonzero(items >= 0)
            np.testing.assert_allclose(scores[real[0], items[real]], values[real], atol=1e-5)

    def test_items_nobody_had_are_not_recommended(self):
        """Their factors are where they started, unless they are asked for."""
        X = tastes().toarray()
        X[:, 7] = 0.0
        recommender = fitted(X)
        assert not (recommender.recommend(X, N_ITEMS)[0] == 7).any()
        items, _ = recommender.recommend(X, N_ITEMS, eligible=np.ones(N_ITEMS, bool))
        assert (items == 7).any(axis=1).all()

    def test_items_have_names(self):
        """A list of names, empty where it is padded; they are part of the state."""
        names = [f"item {i}" for i in range(N_ITEMS)]
        recommender = ELSARecommender(N_ITEMS, 4, device="cpu", item_ids=names)
        recommender.fit(tastes(), 1)
        again = ELSARecommender.from_state(*recommender.state())
        found = again.names(np.array([[3, -1], [0, 39]]))
        np.testing.assert_array_equal(found, [["item 3", ""], ["item 0", "item 39"]])
        with pytest.raises(ValueError, match="item_ids must be given to name items"):
            fitted().names(np.array([[1]]))
        with pytest.raises(ValueError, match=r"item_ids must be 40 names, got \(2,\)"):
            ELSARecommender(N_ITEMS, 4, item_ids=["a", "b"])


def test_defect_7_trains_after_the_device_was_set():
    """A device is where the next fit computes, no more."""
    recommender = fitted(epochs=1)
    before = recommender.predict(tastes())
    recommender.set_device("cuda" if torch.cuda.is_available() else "cpu")
    np.testing.assert_array_equal(recommender.predict(tastes()), before)
    losses = recommender.fit(tastes(), 8, 16)["nmse_train"]
    assert losses[-1] < 0.9 * losses[0]
    assert np.abs(recommender.predict(tastes()) - before).max() > 1e-3


def test_defect_8_similar_items_take_sources_by_items():
    """Nothing of 10 sources x items x factors, which would be 37 MB."""
    recommender = of_random_factors(4000, 0, 32)
    recommender.similar_items(5, 10)  # compiled once
    tracemalloc.start()
    recommender.similar_items(5, 10, sources=list(range(10)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 4000 * 32 * 4


@given(n_items=st.integers(2, 9), N=st.integers(1, 12), seed=st.integers(0, 9999), data=st.data())
def test_defect_9_lists_are_padded(n_items, N, seed, data):
    """Fewer candidates than asked for are no error; an item is never its own neighbour."""
    numbers = st.lists(st.integers(0, n_items - 1), unique=True)
    sources, candidates = data.draw(numbers), data.draw(numbers)
    items, scores = of_random_factors(n_items, seed).similar_items(N, 2, sources, candidates)
    assert items.shape == scores.shape == (len(sources), N)
    for source, row, values in zip(sources, items, scores, strict=True):
        found = row[row >= 0]
        assert len(found) == min(N, len(set(candidates) - {source}))
        assert set(found) <= set(candidates) - {source}
        assert np.isnan(values[len(found) :]).all()
        assert (np.diff(values[: len(found)]) <= 0).all()


def test_defect_10_names_in_a_state_are_plain():
    """No name depends on how a class is called."""
    arrays, settings = fitted().state()
    assert set(arrays) == {"A", "counts"}
    assert set(settings) == {"format", "learning_rate", "seed", "device", "model"}


def test_defect_11_embeddings_are_unit_rows():
    """A dot product of two is their cosine, as similar_items has it."""
    A = fitted().item_embeddings
    np.testing.assert_allclose(np.linalg.norm(A, axis=1), 1.0, rtol=1e-5)
    items, scores = fitted().similar_items(3)
    np.testing.assert_allclose((A[:, None] * A[items]).sum(axis=2), scores, atol=1e-5)


@given(X=histories(), seed=st.integers(0, 9999), size=st.integers(1, 7), data=st.data())
def test_defect_12_predictions_are_in_the_order_of_the_rows(X, seed, size, data):
    """Permuted rows have permuted scores, whatever the batches."""
    order = data.draw(st.permutations(range(len(X))))
    recommender = of_random_factors(X.shape[1], seed)
    permuted = recommender.predict(X[order], size)
    np.testing.assert_allclose(permuted, recommender.predict(X)[order], atol=1e-5)


def test_rows_without_interactions_are_left_out():
    """They train nothing."""
    X = sp.csr_array(sp.vstack([tastes(), sp.csr_array((5, N_ITEMS), dtype=np.float32)]))
    np.testing.assert_array_equal(fitted(X).item_embeddings, fitted().item_embeddings)


@pytest.mark.parametrize("loss", ["nmse", "cosine"])
def test_other_forms_are_a_setting(loss):
    """History has both losses of all items, and one's own loss where items are sampled."""
    for max_output, names in ((None, {"nmse_train", "cosine_train"}), (30, {f"{loss}_train"})):
        form = ELSAForm(output="relu", loss=loss, max_output=max_output)
        history = ELSARecommender(N_ITEMS, 4, device="cpu").fit(tastes(), 4, 16, form=form)
        assert set(history) == names
        assert history[f"{loss}_train"][-1] < history[f"{loss}_train"][0]
        if max_output is None:
            ratio = np.divide(history["cosine_train"], history["nmse_train"])
            np.testing.assert_allclose(ratio, N_ITEMS / 2)


def test_progress_is_told():
    """One call per epoch, as fit_elsa does."""
    told = []
    fitted(epochs=3, on_epoch=lambda epoch, metrics, state: told.append((epoch, set(metrics))))
    assert told == [(1, {"nmse"}), (2, {"nmse"}), (3, {"nmse"})]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.predict(np.ones((2, 39))), "data must have 40 columns, got 39"),
        (lambda r: r.fit(np.ones((2, 41))), "data must have 40 columns, got 41"),
        (lambda r: r.fit(np.zeros((2, 40))), "X must hold an interaction"),
        (lambda r: r.recommend(tastes(), 0), "k must be positive, got 0"),
        (lambda r: r.predict(tastes(), 0), "batch_size must be positive, got 0"),
        (lambda r: r.similar_items(0), "N must be positive, got 0"),
        (lambda r: r.similar_items(1, sources=[40]), "items must be between 0 and 39, got 40"),
        (lambda r: r.similar_items(1, candidates=[-1]), "items must be between 0 and 39, got -1"),
        (lambda r: r.similar_items(1, sources=[[1]]), "items must be a list of indices"),
        (lambda r: r.recommend(tastes(), 1, eligible=[0.5]), "items must be a list of indices"),
    ],
)
def test_wrong_calls_are_refused(call, message):
    """The message says what must hold and what came."""
    recommender = fitted(epochs=1)
    with pytest.raises(ValueError, match=message):
        call(recommender)


def test_nothing_is_said_before_the_fit():
    """Random factors would look like an answer."""
    with pytest.raises(ValueError, match="fit must come before this call"):
        ELSARecommender(N_ITEMS, 4).predict(tastes())
