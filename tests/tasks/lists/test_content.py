"""Vectors of items by their texts, on small catalogues, the sample shop and real books."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from models.ranking.ranking import rank_items
from models.shop.shop import open_shop
from tasks.lists import content
from tasks.lists.content import content_vectors
from tests.tiny_lake import night

N_NEIGHBOURS = 10


def vectors(lake, item_ids, seed=0, **columns):
    """Write a catalogue and return the vectors of some items."""
    (lake / "items").mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(lake / "items" / "items.parquet")
    return content_vectors(night(lake), pl.Series(item_ids), seed=seed)


def neighbours(found):
    """Return the known items and their N_NEIGHBOURS likest, shape (n_known, N_NEIGHBOURS)."""
    known = np.flatnonzero(found.known)
    lists = rank_items(found.V, k=N_NEIGHBOURS, eligible=found.known, sources=known)
    return known, np.concatenate([items for _, items, _ in lists])


def test_items_come_in_the_order_of_the_night(tmp_path):
    """The catalogue has another order, items the night does not know, and texts without words."""
    found = vectors(
        tmp_path, [7, 3, 5, 9, 4, 8],
        item_id=[1, 3, 4, 5, 7, 8],
        title=["Red lamp", "Blue TEA pot", "lamp, red", "tea pot", "Lamp red", "--"],
        category=[None, "Kitchen", "", "kitchen", None, " "],
    )  # fmt: skip
    assert found.known.tolist() == [True, True, True, False, True, False]
    assert found.V.shape == (6, found.V.shape[1])
    likeness = found.V @ found.V.T
    assert likeness[0, 4] > 0.99  # letters and punctuation do not matter
    assert likeness[1, 2] > 0.99  # a word that is nowhere else says nothing
    assert abs(likeness[0, 1]) < 0.01
    assert not found.V[[3, 5]].any()


def test_a_category_alone_likens(tmp_path):
    """A catalogue may have no titles; what is in all of it says nothing."""
    found = vectors(tmp_path, list("abcd"), item_id=list("abcd"), category=["x y", "z", "x y", "z"])
    likeness = found.V @ found.V.T
    np.testing.assert_allclose(likeness, np.tile(np.eye(2), (2, 2)), atol=1e-5)
    assert vectors(tmp_path, list("ab"), item_id=list("ab"), category=["x", "x"]) is None


def test_scripts_without_spaces_are_read_by_letter(tmp_path):
    """Two pots and two lamps, no word of which is there twice."""
    titles = ["青い茶壺", "赤茶壺", "大電灯", "電灯小"]
    found = vectors(tmp_path, list("abcd"), item_id=list("abcd"), title=titles)
    likeness = found.V @ found.V.T
    assert min(likeness[0, 1], likeness[2, 3]) > 0.9
    assert np.abs(likeness[:2, 2:]).max() < 0.1


@pytest.mark.parametrize("columns", [{}, {"title": [None, ""]}, {"text": ["one", "two"]}])
def test_a_catalogue_that_likens_nothing_has_no_vectors(tmp_path, columns):
    """No column of texts, empty ones, and texts that share nothing."""
    assert vectors(tmp_path, ["a", "b"], item_id=["a", "b"], **columns) is None


def test_no_catalogue_has_no_vectors(tmp_path):
    """Most logs come without one."""
    assert content_vectors(night(tmp_path), pl.Series([1, 2]), seed=0) is None


def shop_vectors(lake, **columns):
    """Return a sample shop and the vectors of its items by titles and texts, not by category."""
    shop = open_shop(seed=3, n_users=50, n_items=600, n_days=30)
    ids = [f"i{n}" for n in range(600)]
    return shop, vectors(lake, ids, item_id=ids, title=shop.titles, text=shop.texts)


def test_neighbours_in_the_shop_are_of_one_category(tmp_path):
    """Titles and texts alone find the aisle that the item stands in."""
    shop, found = shop_vectors(tmp_path)
    known, likest = neighbours(found)
    share = (shop.category[likest] == shop.category[known][:, None]).mean()
    chance = (shop.category[:, None] == shop.category).mean()
    print(f"same category {share:.3f}, by chance {chance:.3f}, known {len(known)}")
    assert len(known) == 600
    assert share > 5 * chance


def test_parts_and_samples_change_little(tmp_path, monkeypatch):
    """Made in small blocks they are the same bits; found from half the items, nearly as good."""
    shop, whole = shop_vectors(tmp_path)
    monkeypatch.setattr(content, "BLOCK", 70)
    np.testing.assert_array_equal(shop_vectors(tmp_path)[1].V, whole.V)
    monkeypatch.setattr(content, "N_FITTED", 300)
    known, likest = neighbours(shop_vectors(tmp_path)[1])
    assert len(known) == 600
    assert (shop.category[likest] == shop.category[known][:, None]).mean() > 0.5


@pytest.mark.realdata
def test_books_alike_in_text_are_read_together(tmp_path, realdata):
    """Co-occurrence (cosine of their readers) with text neighbours, against random books."""
    books = pl.read_parquet(realdata / "goodbooks-10k-v1" / "items.parquet")
    ids = books["item_id"].cast(pl.Int64)
    text = books["authors"] + " " + books["llama31_description"].fill_null("")
    found = vectors(tmp_path, ids, item_id=ids, title=books["title"], text=text)
    read = pl.read_parquet(realdata / "goodbooks-10k-v1" / "interactions.parquet")
    place = dict(zip(ids, range(len(ids)), strict=True))
    item = read["item_id"].cast(pl.Int64).replace_strict(place).to_numpy()
    X = sp.csr_array((np.ones(len(item), np.float32), (read["user_id"].to_numpy(), item)))
    n_readers = np.asarray(X.sum(axis=0)).ravel()
    together = sp.csr_array(X.T @ X)
    known, likest = neighbours(found)
    rows = np.repeat(known, N_NEIGHBOURS)

    def cosine(columns):
        both = np.asarray(together[rows, columns]).ravel()
        return float((both / np.sqrt(n_readers[rows] * n_readers[columns])).mean())

    alike = cosine(likest.ravel())
    chance = cosine(np.random.default_rng(0).permutation(likest.ravel()))
    print(f"read together: alike {alike:.4f}, by chance {chance:.4f}, known {len(known)}")
    assert len(known) > 9_500
    assert alike > 10 * chance
