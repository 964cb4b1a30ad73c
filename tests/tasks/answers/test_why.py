"""What is told of a user and of an item, against lists written by hand."""

from datetime import timedelta

import polars as pl
import pytest

from data_contracts.errors import ConfigError
from tasks.answers.why import why_item, why_user
from tests.published_lake import history_night, publish, write_catalogue
from tests.tiny_lake import DAY, night

LISTS = {
    "home": {"u1": ["i3", "i4"], "u2": ["i4"]},
    "mail": {"u1": ["i5", "i4"], "u2": ["i3", "i5"]},
}


def user(number):
    """Ids of users as strings."""
    return f"u{number}"


def item(number):
    """Ids of items as strings."""
    return f"i{number}"


@pytest.fixture
def made(tmp_path):
    """A lake with catalogue, segments and one snapshot."""
    made = history_night(tmp_path, user=user, item=item)
    write_catalogue(tmp_path)
    (tmp_path / "segments").mkdir()
    segments = {"user_id": ["u1", "u3"], "segment": ["Žabky", "others"]}
    pl.DataFrame(segments).write_parquet(tmp_path / "segments" / "all.parquet")
    publish(made, LISTS)
    return made


def test_user_has_history_lists_and_reasons(made):
    """With titles, strongest first; every surface by default."""
    story = why_user(made, "u1")
    assert (story.user_id, story.segment, story.history_is_kept) == ("u1", "Žabky", True)
    assert [(met.item_id, met.title, met.events) for met in story.history] == [
        ("i0", "Title of i0", 1),
        ("i1", "Title of i1", 1),
    ]
    assert {(met.first_day, met.last_day) for met in story.history} == {(DAY, DAY)}
    assert [each.surface for each in story.lists] == ["home", "mail"]
    first, second = story.lists[0].items
    assert (first.rank, first.item_id, first.title, first.because_item_id) == (
        1, "i3", "Title of i3", None,
    )  # fmt: skip
    assert (second.because_item_id, second.because_title, second.because_share) == (
        "i3", "Title of i3", 0.75,
    )  # fmt: skip
    assert story.origin.snapshot_id == f"{DAY}-v1-hand"


def test_one_surface_and_a_short_list(made):
    """The reason for its length is told."""
    (only,) = why_user(made, "u2", "home").lists
    assert ([line.item_id for line in only.items], only.short_reason) == (["i4"], "sources")
    with pytest.raises(ConfigError, match="surface must be one of home, mail, got shop"):
        why_user(made, "u2", "shop")


def test_user_without_a_list_is_known_by_history(made):
    """Somebody whose lists are empty has met something all the same."""
    story = why_user(made, "u7")
    assert [met.item_id for met in story.history] == ["i0", "i1"]
    assert [each.items for each in story.lists] == [(), ()]
    assert story.segment is None


def test_item_has_neighbours_and_lists(made):
    """How often it is shown, where and by whom; whether it can be had."""
    story = why_item(made, "i5")
    assert (story.title, story.category, story.available) == ("Title of i5", "kind 1", False)
    assert [(near.rank, near.item_id, near.source) for near in story.similar] == [
        (1, "i3", "model"),
        (2, "i4", "model"),
    ]
    (mail,) = story.lists
    assert (mail.surface, mail.users, mail.share_of_users, mail.mean_rank) == ("mail", 2, 1.0, 1.5)
    assert mail.sources == {"model": 2}
    assert (story.users_met, story.model_users) == (1, 3)


def test_item_that_only_the_catalogue_or_the_log_knows(made):
    """No list shows it, no vector stands for it."""
    story = why_item(made, "i2")
    assert (story.users_met, story.model_users, story.lists, story.similar) == (2, None, (), ())


def test_unknown_ids_are_a_plain_error(made):
    """With the exit code of wrong usage; an error does not name a user."""
    for ask, shown in ((why_user, "user#[0-9a-f]{12}"), (why_item, "zz")):
        with pytest.raises(ConfigError, match=f"that snapshot .* knows, got {shown}$") as got:
            ask(made, "zz")
        assert got.value.exit_code == 2


def test_integer_ids_are_read_as_numbers(tmp_path):
    """Without a catalogue and without segments."""
    made = history_night(tmp_path, user=int, item=int)
    publish(made, {"home": {1: [3, 4], 2: [4, 3]}})
    assert [met.item_id for met in why_user(made, "1").history] == [0, 1]
    story = why_item(made, "3")
    assert (story.item_id, story.in_catalogue, story.available) == (3, False, True)
    with pytest.raises(
        ConfigError, match="user_id must be a whole number in this lake, got a text"
    ):
        why_user(made, "u1")
    with pytest.raises(ConfigError, match="item must be one that snapshot"):
        why_item(made, "77")


def test_history_may_have_been_tidied_up(made):
    """Then it is said to be gone, and the lists are still told."""
    for path in made.step("history").rglob("*.*"):
        path.unlink()
    story = why_user(night(made.lake, DAY + timedelta(days=1)), "u1")
    assert (story.history_is_kept, story.history, len(story.lists)) == (False, (), 2)
    assert why_item(made, "i5").users_met is None
