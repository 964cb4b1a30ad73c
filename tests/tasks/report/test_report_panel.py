"""Trends: which drawings there are, and the same numbers as a table."""

from datetime import timedelta

from data_contracts.drift import Drift
from tasks.report.report_number import NOTHING
from tasks.report.report_panel import panels, trend_table
from tests.night_report import LAST, interval, night_report, nights_before, surface

NIGHTS = [*nights_before(4), night_report()]


def test_every_subject_has_a_drawing_with_its_last_value():
    """The values beside the drawing are those of the last night."""
    shown = {panel.title: panel for panel in panels(NIGHTS, "ndcg@100")}
    assert shown["ndcg@100"].latest == (("challenger", "0.2000"), ("champion", "0.2100"))
    assert shown["Rows accepted"].latest == (("rows", "7,302"),)
    assert shown["Rows quarantined"].latest == (("rows", "100"),)
    assert shown["Share of a list that stays"].latest == (("lists", "80.0%"),)
    assert (shown["Users"].top, shown["Users"].bottom) == ("4,839", "4,835")
    assert (shown["Items"].first_day, shown["Items"].last_day) == ("22 Oct", "26 Oct")
    assert "5 nights: last 7,302, lowest 7,220, highest 7,302" in shown["Rows accepted"].svg


def test_subjects_without_numbers_are_left_out():
    """No lists to compare with, nobody judged: no empty drawings."""
    nights = [night_report(drift=None, metrics={}), night_report(LAST - timedelta(1), drift=None)]
    titles = {panel.title for panel in panels(nights[:1], None)}
    assert "Users" in titles
    assert titles.isdisjoint({"ndcg@100", "Share of a list that stays"})


def test_surfaces_weigh_as_much_as_they_have_users():
    """A surface of a few users does not hide what most see."""
    few = surface(overlap=0.0).model_copy(update={"shared_users": 1200})
    drift = Drift(previous_snapshot="s", surfaces={"home": surface(), "cart": few}, warnings=())
    (panel,) = (p for p in panels([night_report(drift=drift)], None) if p.title.startswith("Share"))
    assert panel.latest == (("lists", "64.0%"),)


def test_the_first_night_of_a_lake_is_named_above_the_axis():
    """What is drawn as high as the rest is said in words."""
    first = night_report(LAST - timedelta(5), rows=201689, accepted=199825)
    (panel,) = (p for p in panels([first, *NIGHTS], None) if p.title == "Rows accepted")
    assert (panel.top, panel.beyond) == ("7,302", "199,825 on 21 Oct")


def test_the_table_holds_the_numbers_of_the_drawings():
    """The last night first, and a dash where a night has no number."""
    first = night_report(
        LAST - timedelta(5), drift=None, metrics={"challenger": {"ndcg@100": interval(0.5)}}
    )
    columns, rows = trend_table([first, *NIGHTS], "ndcg@100")
    assert [day for day, _ in rows] == [LAST - timedelta(k) for k in range(6)]
    latest, oldest = (dict(zip(columns, rows[k][1], strict=True)) for k in (0, -1))
    assert latest["ndcg@100: champion"] == "0.2100"
    assert latest["Users"] == "4,839"
    assert (oldest["ndcg@100: challenger"], oldest["ndcg@100: champion"]) == ("0.5000", NOTHING)
    assert oldest["Share of a list that stays"] == NOTHING
