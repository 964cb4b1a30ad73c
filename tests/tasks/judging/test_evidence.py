"""The tables and figures of a night: what they tell, and what they leave out."""

import json
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from data_contracts.manifests import Interval, JudgeManifest, SegmentFigure
from tasks.judging.evidence import write_evidence
from tests.night_report import night_report, nights_before

HOSTILE = '</text><script>alert("1")</script> & a name'
SVG = "{http://www.w3.org/2000/svg}"


def interval(mean):
    """An interval with all that the judge says of it."""
    return Interval(mean=mean, low=mean / 2, high=mean * 2, standard_error=0.005, n_users=40)


def judged(**more):
    """A judge's manifest with a champion, two segments and three tiers."""
    values = {"challenger": 0.2, "champion": 0.21, "popularity": 0.07}
    figures = {
        name: SegmentFigure(mean=v, standard_error=0.1, n_users=9) for name, v in values.items()
    }
    lone = SegmentFigure(mean=0.5, standard_error=None, n_users=1)
    fields = {
        "step": "judge", "run_date": date(2026, 10, 26), "key": "", "verdict": "hold",
        "reason": "because", "promotes": False, "n_users": 40, "incumbent_version": "4",
        "metrics": {name: {"ndcg@100": interval(value)} for name, value in values.items()},
        "gain_over_champion": {"ndcg@100": interval(-0.01)},
        "gain_over_popularity": {"ndcg@100": interval(0.13)},
        "detectable": {"ndcg@100": 0.014}, "settings": {},
        "segments": {HOSTILE: {"few": figures, HOSTILE: {"challenger": lone}}},
        "exposure": {
            "interactions": {"head": 0.5, "mid": 0.3, "tail": 0.2},
            "challenger": {"head": 0.6, "mid": 0.3, "tail": 0.1},
        },
    }  # fmt: skip
    return JudgeManifest.model_validate(fields | more)


CURVES = {
    "judged": {"ndcg_at_100": [(1, 0.1), (2, 0.15)], "nmse": [(1, 0.9), (2, float("nan"))]},
    "final": {"nmse": [(1, 0.8)]},
}


@pytest.fixture
def written(tmp_path):
    """The evidence of a night after three others, with words that want to be markup."""
    reports = [*nights_before(3, text=HOSTILE), night_report(text=HOSTILE)]
    write_evidence(tmp_path, judged(), CURVES, reports, primary="ndcg@100")
    return tmp_path


def table(folder, name):
    """Read a table back, each row by the names of its columns."""
    read = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]


def test_tables_tell_what_the_judge_found(written):
    """Every model with its intervals, every gain with what could have been seen at all."""
    assert table(written, "metrics")[0] == {
        "model": "challenger", "metric": "ndcg@100", "mean": 0.2, "low": 0.1, "high": 0.4,
        "standard_error": 0.005, "n_users": 40,
    }  # fmt: skip
    assert [row["model"] for row in table(written, "metrics")] == [
        "challenger", "champion", "popularity",
    ]  # fmt: skip
    gains = {row["against"]: row for row in table(written, "gains")}
    assert gains["champion"]["mean"] == -0.01
    assert gains["popularity"]["detectable"] == 0.014
    shares = {(row["of"], row["tier"]): row["share"] for row in table(written, "exposure")}
    assert shares["challenger", "tail"] == 0.1
    assert len(shares) == 6


def test_numbers_that_are_none_are_null(written):
    """JSON knows no NaN, and a single user has no standard error."""
    lone = table(written, "segments")[-1]
    assert (lone["segmentation"], lone["segment"], lone["n_users"]) == (HOSTILE, HOSTILE, 1)
    assert lone["standard_error"] is None
    curve = {
        (row["fit"], row["metric"], row["epoch"]): row for row in table(written, "learning_curve")
    }
    assert curve["judged", "nmse", 2]["value"] is None
    assert curve["judged", "ndcg_at_100", 2]["value"] == 0.15


def test_drift_is_told_night_by_night(written):
    """Four nights, each with the surface it has."""
    rows = table(written, "list_drift")
    assert [row["run_date"] for row in rows] == [f"2026-10-{day}" for day in (23, 24, 25, 26)]
    assert {row["surface"] for row in rows} == {HOSTILE}
    assert {row["overlap"] for row in rows} == {0.8}


def points(drawing):
    """The numbers of dots by what they are called."""
    return [title.text for title in drawing.iter(f"{SVG}title")][1:]


def test_figures_show_every_number_and_run_nothing(written):
    """Whole SVG documents, in which hostile words stay words."""
    drawings = {path.stem: ET.parse(path).getroot() for path in written.glob("*.svg")}
    assert set(drawings) == {"segments", "exposure", "learning_curve", "list_drift"}
    for drawing in drawings.values():
        assert drawing.tag == f"{SVG}svg"
        assert not list(drawing.iter(f"{SVG}script"))
        assert float(drawing.get("height")) > 100
    assert points(drawings["segments"]) == [
        "few, challenger: 0.2000", "few, champion: 0.2100", "few, popularity: 0.0700",
        f"{HOSTILE}, challenger: 0.5000",
    ]  # fmt: skip
    assert "tail, interactions: 0.2000" in points(drawings["exposure"])
    assert points(drawings["learning_curve"]) == [
        "judged: 0.1", "judged: 0.15", "judged: 0.9", "final: 0.8",
    ]  # fmt: skip
    assert len(points(drawings["list_drift"])) == 4 * 6
    assert "ndcg@100 by segment, with intervals of 95 %" in "".join(drawings["segments"].itertext())


def test_colour_of_a_model_is_the_same_in_every_figure(written):
    """Also where there is no champion."""
    alone = judged(segments={"users": {"few": judged().segments[HOSTILE]["few"]}})
    del alone.segments["users"]["few"]["champion"]
    folder = written / "alone"
    folder.mkdir()
    write_evidence(folder, alone, {}, [], primary="ndcg@100")
    classes = []
    for path in (written / "segments.svg", folder / "segments.svg"):
        dots = ET.parse(path).getroot().iter(f"{SVG}circle")
        named = {dot[0].text: dot.get("class") for dot in dots if len(dot)}
        classes.append(named["few, popularity: 0.0700"])
    assert classes == ["s2", "s2"]


def test_nothing_is_drawn_of_nothing(tmp_path):
    """A first night that could not be judged leaves no empty table and no empty figure."""
    empty = judged(
        metrics={}, gain_over_champion={}, gain_over_popularity={}, segments={}, exposure={}
    )
    write_evidence(tmp_path, empty, {}, [night_report(drift=None)], primary="ndcg@100")
    assert list(tmp_path.iterdir()) == []


def test_figures_without_numbers_are_left_out(tmp_path):
    """A segment whose mean is no number is in no figure, though the table has it."""
    nothing = SegmentFigure(mean=float("nan"), standard_error=None, n_users=0)
    odd = judged(segments={"users": {"new": {"challenger": nothing}}}, exposure={})
    write_evidence(tmp_path, odd, {}, [], primary="ndcg@100")
    assert list(tmp_path.glob("*.svg")) == []
    assert table(tmp_path, "segments")[0]["mean"] is None
