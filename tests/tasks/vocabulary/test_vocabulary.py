"""The vocabulary: append-only, sorted within a night, with the type the ids have, under a seal."""

import shutil
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import ContractViolationError
from tasks.files import staged_path
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices, finished_matrices
from tasks.ingest.ingest import ingest
from tasks.lake_id import lake_id, lake_id_path
from tasks.vocabulary.vocabulary import (
    copy_vocabulary,
    extend_vocabulary,
    items_of,
    read_vocabulary,
    vocabulary_path,
)
from tests.tiny_lake import DAY, at, good_rows, night, write_day

TEXTS = st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=6)
NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=6)


def extend(lake, ids, dtype=pl.String):
    """Extend the vocabulary of a lake; return all its ids."""
    return extend_vocabulary(lake, pl.Series(ids, dtype=dtype))["item_id"].to_list()


@pytest.mark.parametrize(("ids", "dtype"), [(TEXTS, pl.String), (NUMBERS, pl.Int64)])
@settings(max_examples=20)
@given(data=st.data())
def test_index_never_changes_its_meaning(tmp_path_factory, ids, dtype, data):
    """Whatever comes night after night: old ids stay in front, new ones follow sorted."""
    lake, known = tmp_path_factory.mktemp("lake"), []
    for tonight in data.draw(st.lists(ids, min_size=1, max_size=4)):
        found = extend(lake, tonight, dtype)
        assert found == known + sorted(set(tonight) - set(known))
        known = found
    vocabulary = read_vocabulary(lake)
    assert vocabulary["item_id"].to_list() == known
    assert vocabulary["item"].to_list() == list(range(len(known)))
    assert vocabulary.schema == {"item_id": dtype, "item": pl.Int32}


def test_text_is_sorted_by_its_bytes(tmp_path):
    """The order is that of every machine, whatever its language."""
    assert extend(tmp_path, ["ž", "z", "Z", "10", "9"]) == ["10", "9", "Z", "z", "ž"]


def test_known_ids_leave_the_file_alone(tmp_path):
    """Not even its time changes, and there is no other file beside it."""
    extend(tmp_path, ["a", "b"])
    path = vocabulary_path(tmp_path)
    before = path.stat()
    assert extend(tmp_path, ["b"]) == ["a", "b"]
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(path.parent.iterdir()) == [path]


def test_half_written_vocabulary_is_not_seen(tmp_path):
    """What a kill left beside it is written over."""
    extend(tmp_path, ["a"])
    staged_path(vocabulary_path(tmp_path)).write_bytes(b"PAR1 cut")
    assert extend(tmp_path, ["b"]) == ["a", "b"]


TOMORROW = DAY + timedelta(days=1)


def build(lake, day, rows=()):
    """Run a night up to its matrices."""
    if rows:
        write_day(lake, rows, day=day)
    tonight = night(lake, day)
    return build_matrices(tonight, build_history(tonight, ingest(tonight)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A lake after two nights: items i0 to i3, then new. Beside it what there was before."""
    root = tmp_path_factory.mktemp("made")
    build(root / "lake", DAY, good_rows())
    shutil.copytree(root / "lake" / "state" / "vocabulary", root / "night before")
    build(root / "lake", TOMORROW, [("u0", "new", "view", at(1, TOMORROW))])
    build(root / "other", DAY, good_rows())
    return root


@pytest.fixture
def lake(made, tmp_path):
    """A copy of it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "lake"


def rewrite(lake, change, *, sealed=True):
    """Write the vocabulary as another program would, with the metadata it had or without."""
    path = vocabulary_path(lake)
    metadata = pl.read_parquet_metadata(path) if sealed else {}
    own = {name: text for name, text in metadata.items() if name.startswith("hoarfrost")}
    change(pl.read_parquet(path)).write_parquet(path, metadata=own)


def put_foreign(lake):
    """Bring the vocabulary of another lake in."""
    shutil.copyfile(vocabulary_path(lake.with_name("other")), vocabulary_path(lake))


def put_older(lake):
    """Bring the vocabulary of the night before back."""
    shutil.copytree(
        lake.with_name("night before"), vocabulary_path(lake).parent, dirs_exist_ok=True
    )


def cut(lake):
    """Lose the end of the file."""
    path = vocabulary_path(lake)
    path.write_bytes(path.read_bytes()[:-40])


def renamed(words):
    """Call one item by another name."""
    return words.with_columns(pl.col("item_id").replace("i2", "i9"))


def swapped(words):
    """Let two items change places."""
    return words.with_columns(pl.col("item_id").replace({"i1": "i2", "i2": "i1"}))


DAMAGE = {
    "renamed": (lambda lake: rewrite(lake, renamed), "must hold the items it was written with"),
    "swapped": (lambda lake: rewrite(lake, swapped), "must hold the items it was written with"),
    "reversed": (lambda lake: rewrite(lake, pl.DataFrame.reverse), "must hold the items it was"),
    "shortened": (lambda lake: rewrite(lake, lambda words: words.head(4)), "must hold the items"),
    "renumbered": (
        lambda lake: rewrite(lake, lambda words: words.with_columns(pl.col("item") + 1)),
        "must hold the items",
    ),
    "unsealed": (
        lambda lake: rewrite(lake, lambda words: words, sealed=False),
        "must carry the seal of this lake, got none",
    ),
    "older": (put_older, f"must begin with the 5 items of the night of {TOMORROW}, got only 4"),
    "foreign": (put_foreign, "got that of another lake"),
    "cut": (cut, "got a file that cannot be read"),
    "gone": (lambda lake: vocabulary_path(lake).unlink(), "must be there, got no file"),
    "nameless": (lambda lake: lake_id_path(lake).unlink(), "lake.json must be there to tell whose"),
    "garbled": (lambda lake: lake_id_path(lake).write_text("{}"), "must hold the identity"),
}  # fmt: skip


@pytest.mark.parametrize("how", DAMAGE)
def test_a_night_stops_before_it_builds_on_another_vocabulary(lake, how):
    """The sentence says what is wrong and what to do; the file stays as it was found."""
    damage, sentence = DAMAGE[how]
    damage(lake)
    path, day = vocabulary_path(lake), TOMORROW + timedelta(days=1)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(ContractViolationError, match=sentence) as refusal:
        build(lake, day, [("u0", "newer", "view", at(1, day))])
    assert "a copy of this lake" in str(refusal.value)
    assert not night(lake, day).step("matrices").exists()
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.parametrize("how", [each for each in DAMAGE if each != "older"])
def test_later_steps_do_not_read_another_vocabulary_either(lake, how):
    """Whatever happens to the file after a night's matrices were built."""
    tonight = night(lake, TOMORROW)
    assert items_of(lake, finished_matrices(tonight)).to_list()[-1] == "new"
    DAMAGE[how][0](lake)
    with pytest.raises(ContractViolationError, match=DAMAGE[how][1]):
        items_of(lake, finished_matrices(tonight))


def test_an_older_vocabulary_does_not_fit_the_matrices(lake):
    """It is whole and of this lake, and still lacks the last items."""
    put_older(lake)
    with pytest.raises(ContractViolationError, match=f"the matrices of {TOMORROW}, got only 4"):
        items_of(lake, finished_matrices(night(lake, TOMORROW)))


def test_an_undamaged_lake_goes_on(lake):
    """The same night as in the cases above; a lake that was moved as a whole is the same lake."""
    day = TOMORROW + timedelta(days=1)
    moved = lake.rename(lake.with_name("moved"))
    assert build(moved, day, [("u0", "newer", "view", at(1, day))]).n_items == 6
    assert read_vocabulary(moved)["item_id"].to_list()[-2:] == ["new", "newer"]


def test_a_vocabulary_from_before_seals_is_taken_over(tmp_path):
    """The next night seals it, with nothing new in it too."""
    path = vocabulary_path(tmp_path)
    path.parent.mkdir(parents=True)
    words = pl.DataFrame({"item_id": ["b", "a"], "item": pl.Series([0, 1], dtype=pl.Int32)})
    words.write_parquet(path)
    assert lake_id(tmp_path) is None
    assert extend(tmp_path, ["a"]) == ["b", "a"]
    assert lake_id(tmp_path) is not None
    rewrite(tmp_path, pl.DataFrame.reverse)
    with pytest.raises(ContractViolationError, match="must hold the items"):
        read_vocabulary(tmp_path)


def test_a_copy_belongs_to_its_own_lake(tmp_path):
    """Replays have a lake of their own, with as many items as the night had."""
    source, target = tmp_path / "source", tmp_path / "target"
    extend(source, ["a", "b", "c"])
    copy_vocabulary(source, target, 2)
    assert read_vocabulary(target)["item_id"].to_list() == ["a", "b"]
    assert lake_id(source) != lake_id(target)


def test_two_lakes_name_the_same_items_alike(lake):
    """What is published depends on the ids and not on whose they are."""
    one, other = (finished_matrices(night(each, DAY)) for each in (lake, lake.with_name("other")))
    assert one.vocabulary_sha256 == other.vocabulary_sha256
