"""Content of items: what was fitted once gives items of any later day the same rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.content.content_space import ContentSpace, Described, fit_content_space

NAMES = ("price", "year")


def described(seed, n_items=40):
    """Items of two camps by their words, with two numbers and a given vector each."""
    rng = np.random.default_rng(seed)
    odds = np.where(np.arange(12) % 2 == (np.arange(n_items) % 2)[:, None], 0.6, 0.1)
    terms = sp.csr_array((rng.random((n_items, 12)) < odds).astype(np.float32))
    numbers = rng.normal(size=(n_items, 2)) * (1.0, 100.0)
    numbers[3] = np.nan
    return Described(terms, numbers, rng.normal(size=(n_items, 3)).astype(np.float32))


def part_of(found, rows):
    """The same of some items."""
    return Described(*(each[rows] for each in found))


@given(st.integers(0, 99), st.sets(st.integers(0, 39), min_size=1))
def test_rows_do_not_depend_on_who_else_is_asked_nor_on_keeping(seed, some):
    """A few items, from a space that was kept as arrays, have the rows they had among all."""
    found, some = described(seed), sorted(some)
    space = fit_content_space(found, number_names=NAMES, n_dimensions=4, seed=0)
    rows = space.rows(found)
    assert rows.shape == (40, space.width)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    kept = ContentSpace.from_arrays(space.arrays())
    assert kept.number_names == NAMES
    np.testing.assert_allclose(kept.rows(part_of(found, some)), rows[some], atol=1e-6)


@pytest.mark.parametrize("missing", ["terms", "numbers", "embeddings"])
def test_two_of_three_are_enough(missing):
    """What is not there takes no columns, and must not be there later either."""
    found = described(1)._replace(**{missing: None})
    names = () if missing == "numbers" else NAMES
    space = fit_content_space(found, number_names=names, n_dimensions=4, seed=0)
    assert space.rows(found).shape == (40, space.width)
    if missing != "embeddings":
        with pytest.raises(ValueError, match="content of items must have"):
            space.rows(found._replace(embeddings=None))


def test_nothing_known_is_no_space():
    """No word, no number, no vector."""
    nothing = Described(sp.csr_array((5, 12), dtype=np.float32), None, None)
    assert fit_content_space(nothing, number_names=(), n_dimensions=4, seed=0) is None
