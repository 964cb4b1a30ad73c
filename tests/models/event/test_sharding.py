"""User shards: the hash must never change, or a user would be in two shards of one lake."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.event.sharding import shards_of_integers, shards_of_strings

MASK = 2**64 - 1
STRINGS = ["", "u-00042", "Žofie", "x" * 100, "x" * 101, "u1", "u2"]
INTEGERS = [0, 1, -1, 42, 2**62, -(2**62)]
GOLDEN_STRINGS = [614, 977, 61, 340, 632, 680, 782]
GOLDEN_INTEGERS = [535, 465, 936, 413, 75, 769]


def shards(ids: list[str], n_shards: int) -> list[int]:
    """Shards of strings, as the columns of a frame would give them."""
    encoded = [each.encode() for each in ids]
    offsets = np.cumsum([0, *map(len, encoded)])
    data = np.frombuffer(b"".join(encoded), np.uint8)
    return shards_of_strings(data, offsets, n_shards=n_shards).tolist()


def splitmix64(key: int) -> int:
    """The reference, on Python's integers."""
    z = (key + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fnv1a(text: str) -> int:
    """The reference, on Python's integers: 64 bytes, then the length."""
    key, encoded = 0xCBF29CE484222325, text.encode()
    for part in (*encoded[:64], len(encoded)):
        key = ((key ^ part) * 0x100000001B3) & MASK
    return key


def test_published_values_of_splitmix64():
    """The first outputs of the generator seeded with 0, as its authors list them."""
    gamma = 0x9E3779B97F4A7C15
    assert [splitmix64(n * gamma) for n in range(2)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_shards_never_change():
    """A change here would mix the shards of every lake there is."""
    assert shards(STRINGS, 1000) == GOLDEN_STRINGS
    got = shards_of_integers(np.array(INTEGERS), n_shards=1000)
    assert got.tolist() == GOLDEN_INTEGERS


@given(st.lists(st.text(max_size=80), min_size=1, max_size=20), st.integers(1, 64))
def test_strings_agree_with_the_reference(ids, n_shards):
    """The vectorised hash is the scalar one."""
    assert shards(ids, n_shards) == [splitmix64(fnv1a(each)) % n_shards for each in ids]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(1, 64))
def test_integers_agree_with_the_reference(ids, n_shards):
    """The vectorised hash is the scalar one."""
    got = shards_of_integers(np.array(ids, np.int64), n_shards=n_shards)
    assert got.tolist() == [splitmix64(each & MASK) % n_shards for each in ids]


def test_shards_are_of_equal_size():
    """Ids that count up, as text and as numbers, spread evenly."""
    text = np.bincount(shards([f"u-{n:06d}" for n in range(10_000)], 8))
    numbers = np.bincount(shards_of_integers(np.arange(10_000), n_shards=8))
    for sizes in (text, numbers):
        assert sizes.min() > 0.85 * 1250
        assert sizes.max() < 1.15 * 1250
