"""How lists moved between two nights: figures, warnings, and the night that is stopped."""

import re
from datetime import timedelta

import pytest

from data_contracts.errors import ContractViolationError
from tasks.lists import drift_figures
from tasks.lists.drift import compare_lists
from tests.published_lake import history_night, publish, write_tables
from tests.tiny_lake import DAY

NEXT = DAY + timedelta(days=1)
USERS = [f"u{k}" for k in range(9)]


def user(number):
    """Ids of users as strings."""
    return f"u{number}"


def item(number):
    """Ids of items as strings."""
    return f"i{number}"


def compared(lake, before, now, **sections):
    """Publish the lists of one night, and compare those of the next one with them."""
    publish(history_night(lake, user=user, item=item, **sections), {"home": before})
    made = history_night(lake, NEXT, user=user, item=item, **sections)
    return compare_lists(made, write_tables(made, {"home": now}, "2"))


def same(items, users=USERS):
    """The same list for everybody."""
    return dict.fromkeys(users, items)


def test_first_night_has_nothing_to_compare_with(tmp_path):
    """Nor has a night that is run again after it was published."""
    made = history_night(tmp_path, user=user, item=item)
    snapshot = publish(made, {"home": same(["i1", "i2"])})
    assert compare_lists(made, snapshot) is None


@pytest.mark.parametrize("chunk", [2, 50_000])
def test_figures_of_lists_known_by_hand(tmp_path, monkeypatch, chunk):
    """Two of nine users change, one is new and one gone, in one chunk as in many."""
    monkeypatch.setattr(drift_figures, "_CHUNK_USERS", chunk)
    before = same(["i4", "i5", "i3"], USERS[:8])
    now = same(["i4", "i5", "i3"], USERS[1:]) | {"u1": ["i5", "i4", "i3"], "u2": ["i4", "i5", "i2"]}
    found = compared(tmp_path, before, now)
    home = found.surfaces["home"]
    assert found.previous_snapshot == f"{DAY}-v1-hand"
    assert (home.users, home.shared_users, home.new_users, home.gone_users) == (8, 7, 1, 1)
    assert home.changed_users == pytest.approx(2 / 7, abs=1e-6)
    assert home.overlap == pytest.approx((6 + 2 / 3) / 7, abs=1e-6)
    p = 0.9  # u1: the first place differs; u2: the third one
    swapped = (1 - p) / p * (p**2 + p**3) + p**3
    lost = (1 - p) / p * (p + p**2 + 2 / 3 * p**3) + 2 / 3 * p**3
    assert home.rank_overlap == pytest.approx((5 + swapped + lost) / 7, abs=1e-6)
    assert home.items_in == pytest.approx(1 / 4)
    assert home.items_out == 0.0
    assert found.warnings == ()


def test_popular_lists_are_recognised_without_what_users_have_met(tmp_path):
    """Everybody has met item 0; next come 1 and 2, and user 1 has met item 1."""
    now = same(["i1", "i2"]) | {"u1": ["i2", "i3"], "u2": ["i3", "i1"], "u0": ["i0", "i1"]}
    home = compared(tmp_path, same(["i1", "i2"]), now).surfaces["home"]
    # u0 lists what it has met, which is in order all the same; u2 has met 2, but is out of order
    # u7 (1 met) and u8 (2 met) list them, which is the order of the others
    assert home.popular_users == pytest.approx(8 / 9, abs=1e-6)
    assert home.popular_overlap < home.popular_users


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (["i4", "i5"], r"users with another list must be at least 1\.0%, got 0\.0%"),
        (["i2", "i3"], r"a list that stays must be at least 20\.0%, got 0\.0%"),
        (["i2", "i3"], r"listed items that are new must be at most 50\.0%, got 100\.0%"),
        (["i1", "i2"], r"users with the popular list must be at most 50\.0%"),
    ],
)
def test_frozen_churning_and_popular_lists_warn(tmp_path, now, sentence):
    """By default a warning does not stop the night."""
    warnings = " ".join(compared(tmp_path, same(["i4", "i5"]), same(now)).warnings)
    assert re.search(sentence, warnings)


def test_bound_of_stop_ends_the_night_before_it_publishes(tmp_path):
    """With the exit code of a broken contract, and again when it is run again."""
    with pytest.raises(ContractViolationError, match=r"drift\.stop\.min_overlap.*stays") as caught:
        compared(tmp_path, same(["i4"]), same(["i5"]), drift={"stop": {"min_overlap": 0.1}})
    assert caught.value.exit_code == 3


def test_surface_that_was_not_there_before_is_left_out(tmp_path):
    """A new surface has no lists to be compared with."""
    publish(history_night(tmp_path, user=user, item=item), {"home": same(["i4"])})
    made = history_night(tmp_path, NEXT, user=user, item=item)
    snapshot = write_tables(made, {"home": same(["i5"]), "mail": same(["i3"])}, "2")
    assert set(compare_lists(made, snapshot).surfaces) == {"home"}


def test_integer_ids_are_compared_alike(tmp_path):
    """The order of users is that of numbers then."""
    lists = {k: [4, 5] for k in range(9)}
    publish(history_night(tmp_path, user=int, item=int), {"home": lists})
    made = history_night(tmp_path, NEXT, user=int, item=int)
    found = compare_lists(made, write_tables(made, {"home": lists}, "2"))
    assert found.surfaces["home"].shared_users == 9
    assert found.surfaces["home"].overlap == 1.0
