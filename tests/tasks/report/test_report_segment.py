"""Segments and exposure on the page: every segment a row, every model a column."""

from data_contracts.manifests import SegmentFigure
from tasks.report.report_page import report_page
from tasks.report.report_segment import exposure_table, segment_tables
from tests.night_report import night_report


def segmented(text="new"):
    """A report with one segmentation and exposure."""
    known = SegmentFigure(mean=0.25, standard_error=0.01, n_users=1200)
    alone = SegmentFigure(mean=0.5, standard_error=None, n_users=1)
    return night_report(
        segments={
            "users": {text: {"challenger": alone}, "known": {"challenger": known}},
            "none": {},
        },
        exposure={"interactions": {"head": 0.5, "tail": 0.5}, "challenger": {"head": 0.75}},
    )


def test_tables_have_a_row_per_segment():
    """A single user has no error, a model that was not measured there no figure."""
    (table,) = segment_tables(segmented())
    assert table.columns == ("users", "challenger", "popularity", "champion")
    assert table.rows["new"] == ("1", "0.5000", "–", "–")
    assert table.rows["known"] == ("1,200", "0.2500 ± 0.0100", "–", "–")


def test_exposure_has_a_row_per_tier():
    """Interactions beside the models."""
    table = exposure_table(segmented())
    assert table.columns == ("interactions of training", "challenger")
    assert table.rows == {"head": ("50.0%", "75.0%"), "tail": ("50.0%", "–")}


def test_page_shows_them_escaped():
    """Names of segments come from data."""
    page = report_page(segmented("<b>new</b>"))
    assert "By segment" in page
    assert "&lt;b&gt;new&lt;/b&gt;" in page
    assert "<b>new</b>" not in page


def test_reports_from_before_have_none():
    """Nothing is shown of what was not measured."""
    before = night_report(segments={}, exposure={})
    assert segment_tables(before) == []
    assert exposure_table(before) is None
    assert "By segment" not in report_page(before)
