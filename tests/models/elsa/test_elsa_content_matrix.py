"""Content of items: numbers on one scale, blocks side by side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.elsa.elsa_content_matrix import fit_number_scale, joined_content

NUMBERS = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(1, 3)),
    elements=st.sampled_from([np.nan, 0.0, 1.0, -4.0, 2.5e9]),
)  # fmt: skip


@given(NUMBERS)
def test_numbers_are_standardised_over_what_is_known(values):
    """What is not known is the mean; a column that tells nothing is zero."""
    vectors = fit_number_scale(values).vectors(values)
    assert vectors.dtype == np.float32
    for column, found in zip(values.T, vectors.T, strict=True):
        known = column[~np.isnan(column)]
        if len(known) == 0 or np.ptp(known) == 0.0:
            assert not found.any()
            continue
        expected = np.clip((column - known.mean()) / known.std(), -3.0, 3.0)
        np.testing.assert_allclose(found, np.nan_to_num(expected), atol=1e-5)


def test_scale_is_kept_for_later_items():
    """A new item is put on the old scale, and no number runs away."""
    scale = fit_number_scale(np.array([[10.0], [20.0]]))
    np.testing.assert_allclose(scale.vectors(np.array([[20.0], [1e9], [np.nan]])), [[1], [3], [0]])


@given(
    arrays(np.float32, (4, 3), elements=st.sampled_from([0.0, 1.0, -2.0])),
    arrays(np.float32, (4, 2), elements=st.sampled_from([0.0, 1.0, 3.0])),
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_likeness_is_the_weighted_mean_of_cosines(one, other, weight):
    """Where both blocks know both items; what only one block knows is that block's."""
    F = joined_content([one, other], [1.0, weight])
    in_one, in_other = one.any(axis=1), other.any(axis=1)
    np.testing.assert_allclose(np.linalg.norm(F, axis=1), in_one | in_other, atol=1e-6)
    units = [
        each / np.maximum(np.linalg.norm(each, axis=1), 1e-9)[:, None] for each in (one, other)
    ]
    cosines = [unit @ unit.T for unit in units]
    expected = (cosines[0] + weight**2 * cosines[1]) / (1.0 + weight**2)
    both = np.ix_(in_one & in_other, in_one & in_other)
    np.testing.assert_allclose((F @ F.T)[both], expected[both], atol=1e-5)
    alone = np.ix_(in_one & ~in_other, in_one & ~in_other)
    np.testing.assert_allclose((F @ F.T)[alone], cosines[0][alone], atol=1e-5)


def test_blocks_are_checked():
    """Their rows, their weights, and that they are finite."""
    one = np.ones((2, 1), np.float32)
    for blocks, weights in (([one, one[:1]], None), ([one], [1.0, 1.0]), ([], None)):
        with pytest.raises(ValueError, match="blocks with the same items and a weight each"):
            joined_content(blocks, weights)
    with pytest.raises(ValueError, match=r"must be positive, got \[0\.0\]"):
        joined_content([one], [0.0])
    for use in (fit_number_scale, fit_number_scale(np.ones((1, 1))).vectors):
        with pytest.raises(ValueError, match="finite or nan, got inf"):
            use(np.array([[np.inf]]))
