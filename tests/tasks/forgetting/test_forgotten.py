"""The list of the forgotten: keyed hashes, private files, rows refused on ingest."""

import stat

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ContractViolationError, HoarfrostError
from data_contracts.forgetting import Unfinished
from tasks.forgetting.forgotten import (
    NOBODY,
    Forgotten,
    begin,
    finish,
    folder_of,
    forgotten,
    list_digest,
    read_list,
    with_people,
    write_list,
)
from tasks.ingest.id_codes import codes_folder
from tasks.ingest.ingest import ingest
from tests.tiny_lake import SCHEMA, at, good_rows, night, quarantined, write_day


def listed(lake, *users):
    """Put people on the list of a lake."""
    people = with_people(lake, users)
    write_list(lake, people)
    return people


def test_a_lake_that_forgot_nobody_has_no_list(tmp_path):
    """Nothing is made by looking."""
    assert forgotten(tmp_path) is NOBODY
    assert not folder_of(tmp_path).exists()
    assert NOBODY.mask(pl.Series(["a", None])).to_list() == [False, False]


def test_the_list_holds_no_ids_and_is_its_owners(tmp_path):
    """Another lake has other hashes; the key is made once."""
    first, again = listed(tmp_path / "a", "ann", "böb"), listed(tmp_path / "a", "eve")
    other = listed(tmp_path / "b", "ann", "böb")
    assert len(again.hashes) == 3
    assert first.hashes < again.hashes
    assert not first.hashes & other.hashes
    assert read_list(tmp_path / "a") == again
    for path in folder_of(tmp_path / "a").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not any(name in path.read_text(encoding="utf-8") for name in ("ann", "böb", "eve"))
    assert again.key.hex() not in repr(again)


def test_a_list_without_its_key_is_refused(tmp_path):
    """Else a night would take everybody back."""
    listed(tmp_path, "ann")
    (folder_of(tmp_path) / "key").unlink()
    with pytest.raises(ContractViolationError, match="restore both from a copy"):
        forgotten(tmp_path)


def test_a_forgetting_that_was_cut_short_stops_nights(tmp_path):
    """Until it is finished, also where the ingest is done already."""
    write_day(tmp_path, good_rows())
    ingest(night(tmp_path))
    people = listed(tmp_path, "u1")
    begin(tmp_path, Unfinished(id="1", people=1, listed=list_digest(people), reason="ö"))
    with pytest.raises(HoarfrostError, match="run the same 'hoarfrost forget' again"):
        ingest(night(tmp_path))
    finish(tmp_path)
    ingest(night(tmp_path))


@given(
    st.sets(st.one_of(st.text(min_size=1), st.integers(-(2**63), 2**63 - 1).map(str))),
    st.lists(st.one_of(st.none(), st.text(min_size=1), st.sampled_from(["1", "a"]))),
)
def test_a_mask_is_what_a_set_says(people, ids):
    """Whatever letters; null is nobody."""
    made = Forgotten(frozenset(Forgotten(frozenset(), b"k").hash_of(each) for each in people), b"k")
    found = made.mask(pl.Series(ids, dtype=pl.String)).to_list()
    assert found == [each in people for each in ids]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt8, pl.Int32])
def test_integers_are_who_their_texts_are(dtype):
    """One person has one hash."""
    made = Forgotten(frozenset({Forgotten(frozenset(), b"k").hash_of("7")}), b"k")
    assert made.mask(pl.Series([7, 8, None, 7], dtype=dtype)).to_list() == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("u-7", True), ("u-7,i-1,view", True), ('{"user_id":"u-7"}', True), ("u-7 | i", True),
        ("user:u-7", True), ("u-77,i-1", False), ("xu-7", False), ("", False), (None, False),
    ],
)  # fmt: skip
def test_words_of_a_refused_row_are_looked_at(text, named):
    """Refused rows are kept as they came: an id may stand anywhere in them."""
    made = Forgotten(frozenset({Forgotten(frozenset(), b"k").hash_of("u-7")}), b"k")
    assert made.mask_words(pl.Series([text, "other"], dtype=pl.String)).to_list() == [named, False]


@pytest.mark.parametrize("numbers", [False, True])
def test_rows_of_forgotten_people_are_counted_and_kept_nowhere(tmp_path, numbers):
    """Good or bad, they are neither in state nor in quarantine, and make no day a bad one."""
    gone, stays = (1, 2) if numbers else ("u1", "u2")
    listed(tmp_path, str(gone))
    rows = [(gone, "i1", "view", at(1)), (stays, "i1", "view", at(2)), (gone, "i2", "what", at(3)),
            (stays, "i2", "what", at(4))]  # fmt: skip
    schema = SCHEMA | ({"user_id": pl.Int64()} if numbers else {})
    write_day(tmp_path, rows, schema=schema)
    strict = night(tmp_path, validation={"max_bad_share": 0.3})
    manifest = ingest(strict)
    assert manifest.quarantined == {"event_type_unknown": 1, "forgotten": 2}
    assert (manifest.rows, manifest.accepted) == (4, 1)
    assert quarantined(tmp_path) == [("part-0.parquet", 3, "event_type_unknown")]
    kept = pl.read_parquet(strict.step("ingest") / "*.parquet")
    assert kept["user"].to_list() == [0]
    named = pl.read_parquet(codes_folder(tmp_path) / "shard-*.parquet")
    assert named["user_id"].to_list() == [stays]
