"""The digest of ids: the same however they come, another for any other ids."""

import hashlib
import struct

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.vocabulary.id_digest import IdDigest, id_digest

TEXTS = st.lists(st.text(max_size=3), max_size=6)
NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6)


def by_hand(kind, ids):
    """The digest, written down from its description."""
    texts = [each.encode() for each in ids] if kind == "string" else []
    lengths = b"".join(struct.pack("<q", len(text)) for text in texts)
    data = b"".join(texts) if kind == "string" else struct.pack(f"<{len(ids)}q", *ids)
    head = f"{kind} {len(ids)} ".encode()
    return hashlib.sha256(
        head + hashlib.sha256(lengths).digest() + hashlib.sha256(data).digest()
    ).hexdigest()


@given(ids=st.one_of(TEXTS, NUMBERS), data=st.data())
def test_parts_and_prefixes(ids, data):
    """Fed in any two parts, sliced or not; on the way it is that of the first ids."""
    kind = "integer" if ids and isinstance(ids[0], int) else "string"
    dtype = pl.Int64() if kind == "integer" else pl.String()
    series = pl.Series(ids, dtype=dtype)
    cut = data.draw(st.integers(0, len(ids)))
    digest = IdDigest(dtype)
    digest.feed(series.head(cut))
    assert digest.hexdigest() == id_digest(series.head(cut)) == by_hand(kind, ids[:cut])
    digest.feed(series.slice(cut))
    assert digest.hexdigest() == id_digest(series) == by_hand(kind, ids)


@given(one=TEXTS, other=TEXTS)
def test_other_texts_have_another_digest(one, other):
    """Also where only the border between two ids has moved."""
    same = id_digest(pl.Series(one, dtype=pl.String)) == id_digest(
        pl.Series(other, dtype=pl.String)
    )
    assert same == (one == other)


def test_borders_types_and_order_count():
    """The cases that a digest of the bytes alone would miss."""
    found = [["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], ["abc", ""], [], [0], [0, 0]]
    assert len({id_digest(pl.Series(ids, dtype=None if ids else pl.String)) for ids in found}) == 8


def test_what_cannot_be_an_id_is_refused():
    """A null has no bytes, a float is no id."""
    with pytest.raises(ValueError, match="ids must be given, got 1 nulls"):
        id_digest(pl.Series(["a", None]))
    with pytest.raises(ValueError, match="ids must be String or Int64, got Float64"):
        id_digest(pl.Series([1.0]))
