"""Public data sets that can be imported: file names, columns and meanings, with their sources.

A data set lists its variants, newest layout first; that variant is taken whose files lie in
the given folder and whose columns are in them. Nothing is downloaded.
"""

from data_contracts.frozen import Frozen
from data_contracts.import_source import CatalogueFormat, LogFormat


class Variant(Frozen):
    """One published layout: patterns of file names and what such a file holds."""

    logs: dict[str, LogFormat]
    """Pattern of names, also compressed -> format; all files that match are imported."""
    catalogues: tuple[tuple[str, CatalogueFormat], ...] = ()
    """Pattern and format; the first that fits is imported, if any."""


class Dataset(Frozen):
    """One public data set."""

    title: str
    source: str
    """Where its format is described."""
    variants: tuple[Variant, ...]


_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
_RATING = {
    "time": "s", "event_type": "rating", "user_ids": "integer", "item_ids": "integer",
    "keep": {"rating": "number"},
}  # fmt: skip
_MOVIELENS = Dataset(
    title="MovieLens (100k, 1m, 10m, 20m, 25m, 32m, latest)",
    source="https://grouplens.org/datasets/movielens/, README of each archive",
    variants=(
        Variant(
            logs={"ratings.csv": LogFormat(user_id="userId", item_id="movieId", **_RATING)},
            catalogues=(
                ("movies.csv", CatalogueFormat(
                    item_id="movieId", title="title", category="genres", text="genres",
                    item_ids="integer",
                )),
            ),
        ),
        Variant(
            logs={"ratings.dat": LogFormat(
                separator="::", quoted=False, header=("user_id", "item_id", "rating", "timestamp"),
                **_RATING,
            )},
            catalogues=(
                ("movies.dat", CatalogueFormat(
                    separator="::", quoted=False, header=("item_id", "title", "genres"),
                    latin1=True, item_id="item_id", title="title", category="genres",
                    text="genres", item_ids="integer",
                )),
            ),
        ),
        Variant(
            logs={"u.data": LogFormat(
                separator="\t", quoted=False,
                header=("user_id", "item_id", "rating", "timestamp"), **_RATING,
            )},
            catalogues=(
                ("u.item", CatalogueFormat(
                    separator="|", quoted=False, latin1=True, item_id="item_id", title="title",
                    header=("item_id", "title", "released", "video_released", "url", *_GENRES),
                    flags=_GENRES, item_ids="integer",
                )),
            ),
        ),
    ),
)  # fmt: skip
_BOOK = {"title": "title", "text": "authors", "item_ids": "integer"}
_GOODBOOKS = Dataset(
    title="Goodbooks-10k (both versions); it has no times: give --date",
    source="https://github.com/zygmuntz/goodbooks-10k",
    variants=(
        Variant(
            logs={"ratings.csv": LogFormat(
                item_id="book_id", timestamp="", event_type="rating", user_ids="integer",
                item_ids="integer", keep={"rating": "number"},
            )},
            catalogues=(  # in the first version book_id of books.csv is that of Goodreads
                ("books.csv", CatalogueFormat(item_id="id", **_BOOK)),
                ("books.csv", CatalogueFormat(item_id="book_id", **_BOOK)),
            ),
        ),
    ),
)  # fmt: skip
_REVIEWS_2023 = {
    "user_id": "user_id", "item_id": "parent_asin", "time": "ms", "event_type": "review",
    "keep": {"rating": "number"},
}  # fmt: skip
_AMAZON = Dataset(
    title="Amazon reviews: 2023 (JSON lines or the CSV of ratings), and 2014 and 2018 (JSON lines)",
    source="https://amazon-reviews-2023.github.io, https://nijianmo.github.io/amazon/",
    variants=(
        Variant(
            logs={"*.jsonl": LogFormat(layout="jsonl", **_REVIEWS_2023)},
            catalogues=(
                ("meta_*.jsonl", CatalogueFormat(
                    layout="jsonl", item_id="parent_asin", title="title",
                    category="main_category", text="description",
                )),
            ),
        ),
        Variant(logs={"*.csv": LogFormat(**_REVIEWS_2023)}),
        Variant(
            logs={"*.json": LogFormat(
                layout="jsonl", user_id="reviewerID", item_id="asin", timestamp="unixReviewTime",
                time="s", event_type="review", keep={"overall": "number"},
            )},
            catalogues=(
                ("meta_*.json", CatalogueFormat(
                    layout="jsonl", item_id="asin", title="title", category="main_cat",
                    text="description",
                )),
            ),
        ),
    ),
)  # fmt: skip
_GOWALLA = Dataset(
    title="Gowalla check-ins",
    source="https://snap.stanford.edu/data/loc-gowalla.html",
    variants=(
        Variant(
            logs={"*otalCheckins.txt": LogFormat(
                separator="\t", quoted=False,
                header=("user_id", "timestamp", "latitude", "longitude", "item_id"),
                event_type="check_in", user_ids="integer", item_ids="integer",
                keep={"latitude": "number", "longitude": "number"},
            )},
        ),
    ),
)  # fmt: skip
_SESSION = {"quoted": False, "user_ids": "integer", "item_ids": "integer"}
_RECSYS15 = Dataset(
    title="RecSys Challenge 2015 (YOOCHOOSE); a session stands for a user",
    source="RecSys Challenge 2015, README of yoochoose-data",
    variants=(
        Variant(
            logs={
                "*clicks*.dat": LogFormat(
                    header=("user_id", "timestamp", "item_id", "category"), event_type="view",
                    keep={"category": "text"}, **_SESSION,
                ),
                "*buys*.dat": LogFormat(
                    header=("user_id", "timestamp", "item_id", "price", "quantity"),
                    event_type="purchase", keep={"price": "number", "quantity": "number"},
                    **_SESSION,
                ),
            },
        ),
    ),
)  # fmt: skip
DATASETS = {
    "movielens": _MOVIELENS,
    "goodbooks": _GOODBOOKS,
    "amazon": _AMAZON,
    "gowalla": _GOWALLA,
    "recsys15": _RECSYS15,
}
