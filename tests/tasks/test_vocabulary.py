"""The vocabulary: append-only, sorted within a night, with the type the ids have."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.vocabulary import extend_vocabulary, read_vocabulary, vocabulary_path

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
    vocabulary_path(tmp_path).with_name(".vocabulary.new").write_bytes(b"PAR1 cut")
    assert extend(tmp_path, ["b"]) == ["a", "b"]
