"""The log against the days before, as the report shows it."""

from datetime import timedelta

from data_contracts.log_drift import LogFigure
from tasks.report.report_log_drift import log_drift_panels, log_drift_rows
from tasks.report.report_number import NOTHING
from tasks.report.report_page import report_page
from tasks.report.report_text import markdown
from tests.night_report import LAST, night_report, nights_before


def test_every_figure_is_a_row_in_its_own_unit():
    """Distances, shares, hours and events; a dash for what is not known."""
    rows = {each.meaning: each for each in log_drift_rows(night_report())}
    index = rows["popularity of items, stability index"]
    assert (index.value, index.usual, index.noise, index.state) == ("0.012", "0.010", "0.020", "ok")
    new = rows["share of new users"]
    assert (new.value, new.usual, new.noise) == ("2.0%", "3.0%", "±1.1%")
    events = rows["events"]
    assert events[1:] == ("7,300", NOTHING, NOTHING, "not enough data")
    silence = rows["hours without an event at the end of the day"]
    assert silence.value == "0.5\N{NO-BREAK SPACE}h"


def test_volume_may_differ_in_proportion():
    """Chance is told as a share of the events."""
    figure = LogFigure(value=100.0, usual=90.0, noise=0.0953102, state="ok")
    (row,) = log_drift_rows(night_report(log_drift={"volume": figure}))
    assert row.noise == "10.0% more"


def test_figures_are_drawn_over_nights():
    """Nights of an older version have none: they are holes, and no figure is made up."""
    nights = [night_report(LAST - timedelta(9), log_drift={}), *nights_before(3), night_report()]
    shown = {panel.title: panel for panel in log_drift_panels(nights)}
    assert shown["Stability index of items"].latest == (("items", "0.012"),)
    assert shown["Stability index of items"].first_day == "23 Oct"
    assert "Stability index of the rest" not in shown  # no night has these two
    assert shown["What is new"].latest == (("users", "2.0%"),)
    assert log_drift_panels(nights[:1]) == log_drift_panels(nights[-1:]) == []


def test_page_and_markdown_tell_table_and_warning():
    """A night that was not compared has no section at all."""
    report = night_report()
    page, text = report_page(report, nights_before(2)), markdown(report)
    assert page.count(report.log_warnings[0]) == 2  # among what to look at, and beside the table
    assert "| event types, Jensen-Shannon distance | 0.210 | 0.010 | 0.020 | drift |" in text
    assert f"Warning: {report.log_warnings[0]}" in text
    bare = night_report(log_drift={}, log_warnings=())
    assert "Log against the days before" not in report_page(bare) + markdown(bare)
