"""The page of a night: whole, escaped, and in need of nothing."""

import math
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.manifests import Interval
from tasks.report.report_page import primary_metric, report_page
from tests.night_report import LAST, interval, night_report, nights_before

VOID = {"meta", "br", "hr"}
WORDS = "Fiorelli chain lock"
HOSTILE = (
    '</style><script>alert("x")</script><img src=//evil.example/a onerror=alert(1)> {{ 7*7 }} &amp;'
)


class Outline(HTMLParser):
    """Tags with their attributes' names, and the text between them; tags must be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(page: str) -> Outline:
    """The parsed page."""
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    return parsed


def text_of(page: str) -> str:
    """What a reader reads, with single spaces."""
    return " ".join("".join(outline(page).text).split())


def test_the_verdict_and_its_sentence_come_first():
    """Before any number."""
    page = text_of(report_page(night_report()))
    styles_end = page.rindex("}") + 1
    assert page[styles_end:].startswith(
        " Hoarfrost, night of Monday 26 October 2026 Hold May be worse than the champion"
    )
    assert "Version 27 goes on making the lists, tonight's is version 29." in page


@pytest.mark.parametrize("verdict", ["promote", "hold", "reject", "cannot judge"])
def test_every_verdict_has_its_words(verdict):
    """Also in the title of the window."""
    page = report_page(night_report(verdict=verdict, champion_version="29"))
    assert f"<title>Night of 2026-10-26: {verdict}</title>" in page
    assert f"<span>{verdict.capitalize()}</span></h1>" in page
    assert "Tonight&#39;s version 29 makes the lists." in page


def test_every_section_is_there():
    """A full night leaves none of them out."""
    page = report_page(night_report(), nights_before(3))
    assert re.findall(r'<section id="(\w+)"', page) == [
        "figures", "trends", "log", "rules", "log_drift", "drift", "examples", "tables", "plan",
        "lineage",
    ]  # fmt: skip


@given(st.text(min_size=1).filter(lambda text: text.strip() and "@" not in text))
@settings(max_examples=60)
def test_words_of_the_data_never_become_markup(words):
    """Whatever titles, ids, paths and rules hold, the tags are those of harmless words."""
    harmless = outline(report_page(night_report(text=WORDS)))
    assert outline(report_page(night_report(text=words))).tags == harmless.tags


def test_a_hostile_title_is_read_and_not_run():
    """Tags, templates and entities are shown as they were written."""
    page = report_page(night_report(text=HOSTILE))
    parsed = outline(page)
    assert parsed.tags == outline(report_page(night_report(text=WORDS))).tags
    assert "<script" not in page
    assert "<img" not in page
    assert "".join(parsed.text).count(HOSTILE) >= 10


def test_the_page_needs_nothing_and_runs_nothing():
    """No address to load from, no script, and the browser is told to refuse both."""
    page = report_page(night_report(), nights_before(28))
    tags = outline(page).tags
    assert {name for name, *_ in tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    attributes = {name for _, *names in tags for name in names}
    assert attributes.isdisjoint({"src", "href", "srcset", "action", "data"})
    assert not [name for name in attributes if name.startswith("on")]
    assert re.search(r"url\(|@import|https?:", page) is None
    assert "default-src 'none'" in page


def test_twenty_eight_nights_fit():
    """A page stays small enough for a letter."""
    long = "Kestrel double-walled French press, 4 cups " * 4
    page = report_page(night_report(text=long), nights_before(28, text=long))
    assert "The last 29 nights" in page
    assert len(page.encode()) < 200_000


def test_only_nights_before_make_the_trends():
    """In their order, whatever order they come in."""
    earlier = [*reversed(nights_before(2)), night_report(), night_report(LAST + timedelta(1))]
    page = report_page(night_report(), earlier)
    assert "The last 3 nights" in page
    assert re.findall(r'scope="row" class="nowrap">([\d-]+)<', page) == [
        "2026-10-26", "2026-10-25", "2026-10-24",
    ]  # fmt: skip


def test_a_first_night_says_that_there_is_nothing_to_compare():
    """No drawings of one dot, no empty tables."""
    first = night_report(
        drift=None, plan=(), gain_over_champion={}, settings={}, refused_files=(), short_lists=0,
        quarantined={}, accepted=7402, examples=(), log_drift={}, log_warnings=(), rules=(),
    )  # fmt: skip
    page = report_page(first)
    assert "trends need another one" in page
    assert "Nothing was published before" in page
    assert "To look at" not in page
    assert 'class="lines"' not in page
    assert re.findall(r'<section id="(\w+)"', page) == [
        "figures", "trends", "log", "drift", "tables", "lineage",
    ]  # fmt: skip


def test_what_a_person_should_look_at_is_listed():
    """The most urgent first."""
    page = text_of(report_page(night_report(is_latest=False)))
    notes = [
        "These tables are not the latest", "Fiorelli chain lock: moved.",
        "1 file of the log is refused", "3 lists are shorter", "1 of 2 expectations of the plan",
    ]  # fmt: skip
    places = [page.index(note) for note in notes]
    assert places == sorted(places)
    assert "but latest shows another night" in page


def test_gains_are_drawn_against_both():
    """The champion first; the deciding metric stands out."""
    page = report_page(night_report())
    assert page.index("Challenger minus the champion") < page.index("Challenger minus the popular")
    assert 'aria-label="ndcg@100: −0.0300, −0.0400 to −0.0200"' in page
    assert '<div class="gain below primary">' in page
    assert '<div class="gain open">' in page
    assert "Users so many show a difference of 0.0092 in ndcg@100" in text_of(page)


def test_a_report_without_a_champion_is_shown_too():
    """What is not known is left out."""
    page = report_page(night_report(gain_over_champion={}, settings={}, lineage={}))
    assert "Challenger minus the champion" not in page
    assert "Challenger minus the popular list" in page
    assert "How they were measured" not in page


def test_a_night_without_numbers_still_has_a_page():
    """Nobody judged, nothing read, no number finite."""
    nothing = Interval(mean=math.nan, low=math.nan, high=math.nan)
    page = report_page(
        night_report(
            metrics={"challenger": {"ndcg@100": nothing}},
            gain_over_popularity={"ndcg@100": nothing},
            rows=0, accepted=0, judged_users=0, fallback_share=math.nan,
        ),
        nights_before(2),
    )  # fmt: skip
    assert "0 of 0 rows accepted" in page
    assert re.search(r"\bnan\b", text_of(page)) is None


@pytest.mark.parametrize(
    ("gains", "reason", "expected"),
    [
        (("recall@2", "recall@20"), "recall@20 is below the popular list", "recall@20"),
        (("recall@20", "ndcg@100"), "12 users were judged", "recall@20"),
        ((), "12 users were judged", None),
    ],
)
def test_the_deciding_metric_is_the_one_that_the_sentence_names(gains, reason, expected):
    """Else the first that was compared."""
    report = night_report(
        reason=reason, metrics={}, gain_over_popularity={name: interval(0.1) for name in gains}
    )
    assert primary_metric(report) == expected


def test_the_deciding_metric_is_the_one_that_the_settings_name():
    """Though the sentence names the guards too, whose names may be longer."""
    gains = dict.fromkeys(("ndcg@100", "popularity_lift@20"), interval(0.1))
    report = night_report(
        reason="ndcg@100 is kept; within what is tolerated: popularity_lift@20",
        gain_over_popularity=gains, settings={"deciding metric": "ndcg@100"},
    )  # fmt: skip
    assert primary_metric(report) == "ndcg@100"


def test_only_metrics_of_which_more_is_better_are_drawn_as_gains():
    """Others are in units of their own; they are written, apart and without a colour."""
    gains = {"ndcg@100": interval(0.1), "novelty@20": interval(-2.0)}
    page = report_page(night_report(gain_over_champion=gains, gain_over_popularity=gains))
    drawn, _, written = page.partition("<summary>Coverage")
    assert 'aria-label="ndcg@100: ' in drawn
    assert "novelty@20" not in drawn
    assert "−2.0000" in written.partition("</details>")[0]
    assert "coverage@20" in written.partition("</details>")[0]
