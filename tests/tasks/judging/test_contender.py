"""A model laid over tonight's vocabulary: items it does not know add nothing."""

from datetime import date

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from data_contracts.errors import ContractViolationError
from tasks.judging.contender import from_arrays, from_registry
from tasks.registry.registry import RegisteredModel
from tasks.training.saved_model import SavedModel

A = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32)
COUNTS = np.array([3, 0, 2])
PLAIN = np.array([0.0, 0.0])


def registered(item_ids):
    """A version with the three items above."""
    arrays = {"factors": A, "counts": COUNTS, "tempering": PLAIN}
    return RegisteredModel(
        version="7", run_id="r", digest="d", trained_until=date(2026, 9, 9),
        saved=SavedModel("elsa", "elsa", {}, arrays), item_ids=item_ids,
    )  # fmt: skip


def test_items_that_nobody_had_and_new_ones_are_unknown():
    """Their factors are zero, whatever the training started them with."""
    contender = from_arrays(A, COUNTS, PLAIN, n_items=5)
    assert contender.known.tolist() == [True, False, True, False, False]
    assert contender.counts.tolist() == [3, 0, 2, 0, 0]
    np.testing.assert_array_equal(contender.model.A[[0, 2]], A[[0, 2]])
    assert not contender.model.A[[1, 3, 4]].any()


def test_unknown_items_in_a_history_change_no_score():
    """A user's new item is as if they had not met it."""
    contender = from_arrays(A, COUNTS, PLAIN, n_items=4)
    X = sp.csr_array(np.array([[1, 0, 0, 0], [1, 2, 0, 3]], dtype=np.float32))
    known, mixed = contender.model.encode(X) @ contender.model.decoder.T
    np.testing.assert_array_equal(known, mixed)


def test_user_without_a_known_item_is_not_usable():
    """Nor is one without any item."""
    contender = from_arrays(A, COUNTS, PLAIN, n_items=4)
    rows = [[0, 1, 0, 1], [0, 0, 0.5, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    X = sp.csr_array(np.array(rows, dtype=np.float32))
    assert contender.usable(X).tolist() == [False, True, False, True]
    X.data[:] = 0.0  # ratings may be
    assert contender.usable(X).tolist() == [False, True, False, True]


def test_arrays_of_the_registry_are_left_unchanged():
    """They are mapped files."""
    factors, counts = A.copy(), COUNTS.copy()
    factors.setflags(write=False)
    from_arrays(factors, counts, PLAIN, n_items=3)
    np.testing.assert_array_equal(factors, A)
    np.testing.assert_array_equal(counts, COUNTS)


def test_vocabulary_may_have_grown_since(tmp_path):
    """The version's items are the first ones of tonight's."""
    contender = from_registry(
        registered(["a", "b", "c"]), pl.Series(["a", "b", "c", "d"]), tmp_path
    )
    assert contender.known.tolist() == [True, False, True, False]


@pytest.mark.parametrize("item_ids", [["a", "c", "b"], ["a", "b"], [1, 2, 3]])
def test_version_of_another_vocabulary_is_refused(tmp_path, item_ids):
    """Its indices would mean other items: in another order, fewer, of another type."""
    with pytest.raises(ContractViolationError, match="version 7 has another vocabulary"):
        from_registry(registered(["a", "b", "c"]), pl.Series(item_ids), tmp_path)
