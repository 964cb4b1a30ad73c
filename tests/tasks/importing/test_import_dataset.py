"""Public data sets, each in the format it is published in, up to a real ingest."""

import csv
import gzip
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError
from data_contracts.import_dataset import DATASETS
from tasks.catalogue import read_catalogue
from tasks.importing.import_dataset import import_dataset, log_name
from tasks.ingest.ingest import ingest
from tasks.lake import Night

EVENTS = {"rating": 1.0, "review": 1.0, "check_in": 1.0, "view": 1.0, "purchase": 4.0}
TODAY = date(2026, 11, 1)


def config(lake, **sections):
    """A lake that takes every event of the data sets, however old."""
    given = {"interactions": {"earliest": "1990-01-01"}, "validation": {"min_share_of_usual": 0}}
    return NightlyConfig.model_validate(
        {"lake": str(lake), "events": EVENTS, "history": {"window_days": 20_000}} | given | sections
    )


def write(folder: Path, name: str, *lines: str, encoding="utf-8") -> Path:
    """A file of lines, compressed if its name says so."""
    folder.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode(encoding)
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def bring(lake, name, path, **options):
    """Import a data set, then run the ingest of its last day."""
    settings = config(lake)
    result = import_dataset(settings, name, path, today=TODAY, **options)
    last = max(log.last_day for log in result.logs)
    night = Night(config=settings, run_date=last)
    return result, ingest(night), night


def log(lake) -> list[dict]:
    """All rows of the log, in order of day and file."""
    paths = sorted((lake / "interactions").glob("*/*.parquet"))
    return [
        row for path in paths for row in pl.read_parquet(path, hive_partitioning=False).to_dicts()
    ]


def catalogue(night) -> list[tuple]:
    """Id, title, category and text of every item."""
    return read_catalogue(night).select("item_id", "title", "category", "text").rows()


MOVIES = [(1, "Amélie (2001)", "Comedy", "Comedy Romance"), (2, "Alien (1979)", "Horror", "Horror")]
RATINGS = [(7, 1, 4.5, 978300760), (8, 2, 3.0, 978302109), (7, 2, 5.0, 978302268)]


def movielens_csv(folder):
    """20m, 25m, 32m, latest."""
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp",
          *(",".join(map(str, row)) for row in RATINGS))  # fmt: skip
    write(folder, "movies.csv", "movieId,title,genres", '1,Amélie (2001),Comedy|Romance',
          '2,"Alien (1979)",Horror')  # fmt: skip
    write(folder, "tags.csv", "userId,movieId,tag,timestamp", "7,1,nice,978300760")


def movielens_dat(folder):
    """1m, whose titles are Latin-1, and 10m."""
    write(folder, "ratings.dat", *("::".join(map(str, row)) for row in RATINGS))
    write(folder, "movies.dat", "1::Amélie (2001)::Comedy|Romance", "2::Alien (1979)::Horror",
          encoding="latin-1")  # fmt: skip


def movielens_100k(folder):
    """Tabs, bars and a column per genre."""
    write(folder, "u.data", *("\t".join(map(str, row)) for row in RATINGS))
    genres = {1: (5, 14), 2: (11,)}
    rows = [
        "|".join([str(item), title, "01-Jan-1995", "", "http://us.imdb.com/x",
                  *(str(int(place in genres[item])) for place in range(19))])
        for item, title, *_ in MOVIES
    ]  # fmt: skip
    write(folder, "u.item", *rows, encoding="latin-1")


@pytest.mark.parametrize("layout", [movielens_csv, movielens_dat, movielens_100k])
def test_movielens(tmp_path, layout):
    """All layouts give the same log and the same catalogue."""
    layout(tmp_path / "ml")
    result, ingested, night = bring(tmp_path / "lake", "movielens", tmp_path / "ml")
    assert (ingested.accepted, ingested.quarantined) == (3, {})
    assert log(tmp_path / "lake") == [
        {"user_id": user, "item_id": item, "event_type": "rating", "rating": rating,
         "timestamp": datetime.fromtimestamp(second, UTC)}
        for user, item, rating, second in RATINGS
    ]  # fmt: skip
    assert catalogue(night) == MOVIES
    assert result.catalogue.written == 2


def test_goodbooks_needs_a_day(tmp_path):
    """It has no times; in the second version a book has one id in both files."""
    books = tmp_path / "books"
    write(books, "ratings.csv", "user_id,book_id,rating", "1,258,5", "2,4081,4")
    write(books, "books.csv", "book_id,goodreads_book_id,authors,title,language_code",
          '258,10,"Ana, Bo",Sea,eng', "4081,11,Cy,,eng")  # fmt: skip
    with pytest.raises(ConfigError, match=r"does not say when: .* --date"):
        bring(tmp_path / "lake", "goodbooks", books)
    day = date(2017, 9, 1)
    _, ingested, night = bring(tmp_path / "lake", "goodbooks", books, day=day)
    assert ingested.accepted_by_day == {day: 2}
    assert [row["rating"] for row in log(tmp_path / "lake")] == [5.0, 4.0]
    assert catalogue(night) == [(258, "Sea", None, "Ana, Bo"), (4081, None, None, "Cy")]


def test_goodbooks_of_the_first_version(tmp_path):
    """There book_id of books.csv is that of Goodreads, and id is the one that is rated."""
    books = tmp_path / "books"
    write(books, "ratings.csv", "book_id,user_id,rating", "1,314,5")
    write(books, "books.csv", "id,book_id,best_book_id,authors,title", "1,2767052,2767052,Ana,Sea")
    _, ingested, night = bring(tmp_path / "lake", "goodbooks", books, day=date(2017, 9, 1))
    assert ingested.accepted == 1
    assert log(tmp_path / "lake")[0]["item_id"] == 1
    assert catalogue(night) == [(1, "Sea", None, "Ana")]


REVIEW_2018 = {
    "reviewerID": "A1",
    "asin": "0001",
    "overall": 5.0,
    "verified": True,
    "vote": "2",
    "reviewText": "Gut!",
    "reviewTime": "09 13, 2009",
    "unixReviewTime": 1252800000,
}
META_2018 = {
    "asin": "0001",
    "title": "Hymns",
    "main_cat": "Books",
    "category": ["Books", "Music"],
    "description": ["Old", "and new"],
}
REVIEW_2023 = {
    "user_id": "AG",
    "parent_asin": "B1",
    "asin": "B2",
    "rating": 4.0,
    "title": "ok",
    "timestamp": 1588687728923,
    "verified_purchase": True,
    "images": [],
}
META_2023 = {
    "parent_asin": "B1",
    "title": "Lamp",
    "main_category": "Home",
    "description": [],
    "price": None,
}


@pytest.mark.parametrize(
    ("names", "review", "meta", "expected", "items"),
    [
        (
            ("Music_5.json.gz", "meta_Music.json.gz"),
            REVIEW_2018,
            META_2018,
            ("A1", "0001", datetime(2009, 9, 13, tzinfo=UTC)),
            [("0001", "Hymns", "Books", "Old and new")],
        ),
        (
            ("movies.jsonl", "meta_movies.jsonl"),
            REVIEW_2023,
            META_2023,
            ("AG", "B1", datetime(2020, 5, 5, 14, 8, 48, 923_000, UTC)),
            [("B1", "Lamp", "Home", None)],
        ),
    ],
)
def test_amazon(tmp_path, names, review, meta, expected, items):
    """Reviews of 2014, 2018 and 2023, with what is told of the items; one of them twice."""
    folder = tmp_path / "reviews"
    write(
        folder,
        names[0],
        json.dumps(review),
        json.dumps(review | {"overall": "x", "rating": "x"}),
        *[json.dumps(review)] * 3,
    )
    write(
        folder,
        names[1],
        *[json.dumps(meta)] * 7,
        json.dumps(meta | {"asin": "", "parent_asin": ""}),
    )
    settings = config(tmp_path / "lake", validation={"max_bad_share": 0.9})
    result = import_dataset(settings, "amazon", folder, today=TODAY)
    (imported,) = result.logs
    assert imported.refused == {"not_a_number": 1}
    assert result.catalogue.refused == {"item_id_missing": 1, "item_id_repeated": 6}
    night = Night(config=settings, run_date=imported.last_day)
    ingested = ingest(night)
    assert (ingested.accepted, ingested.quarantined) == (1, {"duplicate": 3})
    row = log(tmp_path / "lake")[0]
    assert (row["user_id"], row["item_id"], row["timestamp"]) == expected
    assert catalogue(night) == items
    assert "verified" in " ".join(imported.left_out)


def test_amazon_ratings_of_2023(tmp_path):
    """The CSV of a single category, named by itself."""
    path = write(
        tmp_path, "Games.csv.gz", "user_id,parent_asin,rating,timestamp", "A,B,5.0,1588687728923"
    )
    result, ingested, _ = bring(tmp_path / "lake", "amazon", path)
    assert (ingested.accepted, result.catalogue) == (1, None)
    assert log(tmp_path / "lake")[0]["event_type"] == "review"


def test_gowalla(tmp_path):
    """Check-ins with their places."""
    path = write(tmp_path, "loc-gowalla_totalCheckins.txt.gz",
                 "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847",
                 "0\t2010-10-18T22:17:43Z\t30.2691029532\t-97.7493953705\t420315")  # fmt: skip
    _, ingested, _ = bring(tmp_path / "lake", "gowalla", path)
    assert ingested.accepted_by_day == {date(2010, 10, 18): 1, date(2010, 10, 19): 1}
    assert log(tmp_path / "lake")[1] == {
        "user_id": 0, "item_id": 22847, "event_type": "check_in", "latitude": 30.2359091167,
        "longitude": -97.7951395833, "timestamp": datetime(2010, 10, 19, 23, 55, 27, tzinfo=UTC),
    }  # fmt: skip


def test_recsys15(tmp_path):
    """Clicks are views, buys are purchases; the test file is left alone."""
    folder = tmp_path / "yoochoose"
    write(folder, "yoochoose-clicks.dat", "1,2014-04-07T10:51:09.277Z,214536502,0",
          "2,2014-04-07T13:56:37.614Z,214662742,S")  # fmt: skip
    write(folder, "yoochoose-buys.dat", "2,2014-04-07T18:44:58.314Z,214662742,12462,1")
    write(folder, "yoochoose-test.dat", "5,2014-04-07T17:13:46.713Z,214530776,0")
    result, ingested, _ = bring(tmp_path / "lake", "recsys15", folder)
    assert ingested.accepted == 3
    assert {log.name: log.written for log in result.logs} == {
        "recsys15-yoochoose-clicks": 2, "recsys15-yoochoose-buys": 1,
    }  # fmt: skip
    rows = log(tmp_path / "lake")
    assert {(row["user_id"], row["event_type"]) for row in rows} == {
        (1, "view"), (2, "view"), (2, "purchase"),
    }  # fmt: skip
    assert [row["price"] for row in rows if row["event_type"] == "purchase"] == [12462.0]
    with pytest.raises(ConfigError, match="must be left out for events of several kinds"):
        bring(tmp_path / "lake", "recsys15", folder, event_type="view")


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_other_files_are_refused_with_what_is_expected(tmp_path, name):
    """And where the format is described."""
    write(tmp_path / "data", "ratings.csv", "who,what", "1,2")
    with pytest.raises(ConfigError, match="as it is published"):
        bring(tmp_path / "lake", name, tmp_path / "data")


def test_event_type_must_be_weighed(tmp_path):
    """The sentence has the line to add; another type may be given."""
    movielens_csv(tmp_path / "ml")
    plain = config(tmp_path / "lake", events={"view": 1.0})
    with pytest.raises(ConfigError, match=r"add 'rating = 1.0' to \[events\]"):
        import_dataset(plain, "movielens", tmp_path / "ml", today=TODAY)
    done = import_dataset(plain, "movielens", tmp_path / "ml", today=TODAY, event_type="view")
    assert done.logs[0].written == 3


@pytest.mark.parametrize(
    ("file", "name"),
    [("a.csv.gz", "a"), ("my log.JSON", "my_log.JSON"), (".csv", "log"), ("../x/y.txt", "_x_y")],
)
def test_names_are_fit_for_files(file, name):
    """Whatever the file is called."""
    assert log_name(file) == name


@pytest.mark.realdata
@pytest.mark.slow
def test_movielens_latest_small(tmp_path, realdata):
    """100,004 ratings of 671 users; the last year of them ingested."""
    source = realdata / "ml-latest-small"
    names = {"user_id": "userId", "item_id": "movieId"}
    (tmp_path / "ml").mkdir()
    for table, name in (("interactions", "ratings"), ("items", "movies")):
        frame = pl.read_parquet(source / f"{table}.parquet").rename(names, strict=False)
        frame.write_csv(tmp_path / "ml" / f"{name}.csv")
    settings = config(tmp_path / "lake", history={"window_days": 365})
    result = import_dataset(settings, "movielens", tmp_path / "ml", today=TODAY)
    (done,) = result.logs
    assert (done.rows, done.written, done.refused) == (100_004, 100_004, {})
    assert (done.first_day, done.last_day) == (date(1995, 1, 9), date(2016, 10, 16))
    assert result.catalogue.written == 9_125
    ratings = pl.read_parquet(source / "interactions.parquet")
    first = datetime.combine(done.last_day - timedelta(days=364), datetime.min.time(), UTC)
    expected = ratings.filter(pl.col("timestamp") >= first.timestamp())
    night = Night(config=settings, run_date=done.last_day)
    ingested = ingest(night)
    assert ingested.rows == expected.height
    assert ingested.accepted == expected.unique(["user_id", "item_id", "timestamp"]).height
    assert read_catalogue(night).height == 9_125


@pytest.mark.realdata
def test_goodbooks_first_version(tmp_path, realdata):
    """981,756 ratings, of which 2,278 tell the same pair again."""
    source = realdata / "goodbooks-10k-v1"
    books = tmp_path / "books"
    books.mkdir()
    ratings = pl.read_parquet(source / "interactions.parquet")
    ratings.select(book_id="item_id", user_id="user_id", rating="rating").write_csv(
        books / "ratings.csv"
    )
    items = pl.read_parquet(source / "items.parquet")
    items.select("title", "authors", id="item_id", book_id="goodreads_book_id").write_csv(
        books / "books.csv"
    )
    result, ingested, night = bring(tmp_path / "lake", "goodbooks", books, day=date(2017, 9, 1))
    assert (result.logs[0].written, result.logs[0].refused) == (981_756, {})
    assert (ingested.rows, ingested.accepted) == (981_756, 979_478)
    assert ingested.quarantined == {"duplicate": 2_278}
    assert read_catalogue(night).height == 10_000
    with (books / "books.csv").open(encoding="utf-8") as file:
        assert catalogue(night)[0][1] == next(csv.DictReader(file))["title"]


def test_a_copy_beside_the_file_is_not_imported_too(tmp_path):
    """Neither under another ending, nor compressed under the same name."""
    movielens_csv(tmp_path / "ml")
    header, *rows = (tmp_path / "ml" / "ratings.csv").read_text().splitlines()
    write(tmp_path / "ml", "ratings.csv.bak", header, *rows)
    assert bring(tmp_path / "lake", "movielens", tmp_path / "ml")[1].rows == 3
    write(tmp_path / "ml", "ratings.csv.gz", header, *rows)
    with pytest.raises(ConfigError, match="different names, got movielens-ratings twice"):
        bring(tmp_path / "lake", "movielens", tmp_path / "ml")
