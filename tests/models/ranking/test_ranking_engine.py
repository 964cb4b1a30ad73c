"""The engine: the same lists by every way to make them, and no more memory than its budget."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.ranking import ranking_engine
from models.ranking.ranking_engine import Engine, on_device, panel_size, ranked
from models.ranking.ranking_rows import FactorRows, ScoreRows, entries
from models.ranking.ranking_rule import Masks
from models.ranking.ranking_torch import Prepared, _proven
from tests.models.ranking_reference import Night, brute_force, nights

WAYS = st.sampled_from(["float32", "bfloat16", "device", "device in bfloat16", "dense", "sparse"])


def lists_of(night: Night, k: int, way: str, *, tile: int, block_size: int):
    """Return items and scores of a night, made in one of the ways."""
    rules = night.rules()
    masks = Masks.checked(sp.csr_array(night.hidden), rules.pop("eligible"), **rules)
    n_rows = len(night.H)
    if way in ("dense", "sparse"):
        scores = (night.H @ night.D.T - night.own).astype(np.float32)
        form = sp.csr_array if way == "sparse" else np.array
        rows = ScoreRows(lambda rows: form(scores[rows]), len(night.D))
    else:
        own = sp.csr_array(night.own)
        rows = FactorRows(
            lambda rows: night.H[rows], night.D, listed=masks.listed, extra=masks.extra,
            added=lambda rows: entries(own, rows, -own[rows].data),
        )  # fmt: skip
    products = "bfloat16" if "bfloat16" in way else "float32"
    engine = Engine(block_size, products=products, tile=tile, budget=1 << 16)
    if way.startswith("device"):
        parts = [lists for _, lists in on_device(rows, masks, n_rows, k, engine)]
    else:
        parts = [block[1:] for block in ranked(rows, masks, n_rows=n_rows, k=k, engine=engine)]
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


@given(
    night=nights(), k=st.integers(1, 45), way=WAYS,
    tile=st.sampled_from([1, 7, 64, 2048]), block_size=st.integers(1, 7),
)  # fmt: skip
def test_lists_are_the_sorted_scores(night, k, way, tile, block_size):
    """Whatever the rules, the tiles and who makes the products: never a masked item."""
    items, scores = lists_of(night, k, way, tile=tile, block_size=block_size)
    expected_items, expected_scores = brute_force(night.scores(), k)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(scores, expected_scores)


def realistic(n_users: int, n_items: int, *, twins: str = "none") -> Night:
    """Return a night of real numbers, some users without history, a part of it hidden.

    Twins are items of equal factors, or of such as bfloat16 cannot tell apart.
    """
    rng = np.random.default_rng(n_items)
    D = rng.normal(size=(n_items, 48)).astype(np.float32) * rng.gamma(2.0, size=(n_items, 1))
    D = D.astype(np.float32)
    if twins != "none":
        D = D[rng.integers(0, 12, n_items)]
    if twins == "near":
        D *= 1.0 + 1e-4 * rng.normal(size=D.shape).astype(np.float32)
    H = rng.normal(size=(n_users, 48)).astype(np.float32)
    H[::7] = 0.0
    shape = n_users, n_items
    return Night(
        H, D, rng.random(shape) < 0.3, rng.random((2, n_items)) < 0.9, rng.integers(0, 2, n_users),
        None, None, None, np.where(rng.random(shape) < 0.01, 1.5, 0.0).astype(np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("twins", ["none", "equal", "near"])
@pytest.mark.parametrize("way", ["float32", "bfloat16", "device", "device in bfloat16"])
def test_precision_of_products_does_not_change_a_list(way, twins):
    """Candidates in bfloat16 lead to the very lists and scores of float64, also among ties."""
    night = realistic(60, 5000, twins=twins)
    items, scores = lists_of(night, 20, way, tile=512, block_size=32)
    expected_items, expected_scores = brute_force(night.scores(), 20)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(scores, expected_scores)


def test_margin_is_never_exceeded_by_bfloat16():
    """The bound holds, and it is not so wide that everything would be a candidate."""
    night = realistic(40, 3000)
    rows = FactorRows(lambda rows: night.H[rows], night.D)
    margin = rows.batch(slice(0, 40), products="bfloat16").margin
    H, D = (torch.from_numpy(each).bfloat16() for each in (night.H, night.D))
    off = np.abs(torch.mm(H, D.T).double().numpy() - night.H.astype(np.float64) @ night.D.T)
    assert (off.max(axis=1) <= margin).all()
    assert off.max() > 0.02 * margin.max()


def test_memory_on_a_device_that_does_not_suffice_halves_the_block(monkeypatch, caplog):
    """The lists are the same, and a line of the log says what happened."""
    night, product = realistic(64, 500), torch.mm

    def cramped(H, D):
        if len(H) > 20:
            raise torch.OutOfMemoryError("a device of 20 rows")
        return product(H, D)

    expected = lists_of(night, 9, "device", tile=512, block_size=64)
    monkeypatch.setattr(torch, "mm", cramped)
    items, _ = lists_of(night, 9, "device", tile=512, block_size=64)
    np.testing.assert_array_equal(items, expected[0])
    assert "64 rows do not fit cpu: going on with 32" in caplog.text
    assert "32 rows do not fit cpu: going on with 16" in caplog.text


def test_score_that_is_not_finite_is_refused_on_every_way():
    """A diverged model ranks nothing; what may not be listed may be anything."""
    night = realistic(30, 200)
    night.eligible[:] = True
    night.D[77] = np.nan
    for way in ("float32", "bfloat16", "device", "dense"):
        with pytest.raises(ValueError, match="scores must be finite or -inf, got nan or inf"):
            lists_of(night, 5, way, tile=64, block_size=16)
    night.eligible[:, 77] = False
    for way in ("float32", "bfloat16", "device"):
        items, _ = lists_of(night, 5, way, tile=64, block_size=16)
        assert (items != 77).all()
        assert (items >= 0).all()


@pytest.mark.parametrize("n_items", [1000, 10_000_000])
def test_rows_at_once_fit_the_budget(n_items):
    """The scores of factor models never lie side by side; those that a model tells do."""
    rows = FactorRows(lambda rows: np.empty((0, 4)), np.empty((9, 4), np.float32))
    told = ScoreRows(lambda rows: np.empty((0, n_items)), n_items)
    engine = Engine(budget=1 << 30)
    assert panel_size(n_items, 100, rows=rows, engine=engine, n_threads=8) == 512
    n_told = panel_size(n_items, 100, rows=told, engine=engine, n_threads=8)
    assert n_told == {1000: 512, 10_000_000: 1}[n_items]


def test_memory_does_not_grow_with_users():
    """Four times the users take no more, and far less than all of their scores."""
    peaks = []
    for n_users in (4096, 4 * 4096):
        H = np.random.default_rng(0).normal(size=(n_users, 4)).astype(np.float32)
        hidden = sp.csr_array((n_users, 3000), dtype=np.int8)
        masks = Masks.checked(hidden, np.ones(3000, dtype=bool))
        rows = FactorRows(lambda rows, H=H: H[rows], H[:3000])
        tracemalloc.start()
        for _ in ranked(rows, masks, n_rows=n_users, k=10, engine=Engine()):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 4 * 4096 * 3000


def test_lists_come_in_order_and_stop_when_nobody_takes_them():
    """A block has the rows asked for; closing the iterator leaves no thread behind."""
    night = realistic(300, 50)
    masks = Masks.checked(sp.csr_array(night.hidden), night.eligible)
    rows = FactorRows(lambda rows: night.H[rows], night.D)
    blocks = ranked(rows, masks, n_rows=300, k=3, engine=Engine(block_size=128))
    assert next(blocks)[0] == slice(0, 128)
    blocks.close()
    again = ranked(rows, masks, n_rows=300, k=3, engine=Engine(block_size=128))
    assert [rows for rows, _, _ in again] == [slice(0, 128), slice(128, 256), slice(256, 300)]


@pytest.mark.parametrize("field", ["k", "block_size"])
def test_sizes_are_positive(field):
    """An empty list is not asked for by mistake."""
    rows = FactorRows(lambda rows: np.ones((1, 1), np.float32), np.ones((2, 1), np.float32))
    masks = Masks.checked(sp.csr_array((1, 2), dtype=np.int8), np.ones(2, dtype=bool))
    sizes = {"k": 1, "block_size": 1} | {field: 0}
    with pytest.raises(ValueError, match=f"{field} must be positive, got 0"):
        ranked(rows, masks, n_rows=1, k=sizes["k"], engine=Engine(sizes["block_size"]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"group": np.array([0, 2])}, r"group must be between 0 and 0, got 0 to 2"),
        ({"group": np.array([0])}, r"group must have shape \(2,\), got \(1,\)"),
        ({"boost": np.ones(4)}, r"boost must have shape \(3,\), got \(4,\)"),
        ({"boost": np.array([1.0, np.nan, 1.0])}, "boost must be finite, got nan"),
        ({"allowed": sp.csr_array((2, 4))}, r"allowed must have shape \(2, 3\), got \(2, 4\)"),
    ],
)
def test_rules_that_do_not_fit_are_refused(wrong, message):
    """Before anything is ranked."""
    with pytest.raises(ValueError, match=message):
        Masks.checked(sp.csr_array((2, 3)), np.ones(3, dtype=bool), **wrong)


def test_bfloat16_is_chosen_by_the_processor():
    """Auto never costs more than a copy of half the budget."""
    rows = FactorRows(lambda rows: np.ones((1, 1)), np.ones((64, 2), np.float32))
    in_bf16 = ranking_engine._in_bf16
    assert in_bf16(rows, Engine(products="bfloat16"))
    assert not in_bf16(rows, Engine(products="float32"))
    assert in_bf16(rows, Engine()) == ranking_engine.has_fast_bf16()
    assert not in_bf16(rows, Engine(budget=100))


def test_only_candidates_that_leave_a_gap_are_proven():
    """An item left out may be a margin better than seen, the last of the list a margin worse."""
    n_rows, nothing_ = 5, sp.csr_array((5, 9), dtype=np.int8)
    allowed = sp.csr_array(np.eye(5, 9)[[4, 1, 2, 3, 0]] * (np.arange(5) == 4)[:, None])
    masks = Masks.checked(nothing_, np.ones(9, dtype=bool), allowed=allowed, min_score=-3.0)
    rows = FactorRows(lambda rows: np.ones((n_rows, 1)), np.ones((9, 1), np.float32))
    batch = rows.batch(slice(0, n_rows))._replace(margin=np.full(n_rows, 0.5))
    block = Prepared(slice(0, n_rows), batch, masks.of(slice(0, n_rows), batch.added))
    seen = [[3, 2, 0.9], [3, 2, 1.0], [-2, -3, -3.6], [2, -np.inf, -np.inf], [3, 2, 0.9]]
    proven = _proven(np.array(seen, np.float32), block, 2, 9)
    assert proven.tolist() == [True, False, True, True, False]
    every = _proven(np.array(seen, np.float32), block, 2, 3)
    assert every.tolist() == [True, True, True, True, False]
