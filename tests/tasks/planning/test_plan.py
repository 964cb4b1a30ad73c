"""The plan of a night: what it counts, how it scales, and what came of it."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.manifests import Manifest, SnapshotManifest
from data_contracts.plan import Expected, Range, StepRecord
from tasks.answers.status import STEPS
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.lists.drift import compare_lists
from tasks.planning import expected
from tasks.planning.durations import recorded, step_records
from tasks.planning.expected import expect
from tasks.planning.first_estimate import first_memory, first_seconds, product_rate
from tasks.planning.plan import keep_plan, kept_plan, plan_night
from tasks.planning.plan_outcome import outcomes
from tasks.planning.scaled_estimate import scaled_seconds
from tasks.steps import read_manifest, run_step
from tests.published_lake import history_night, write_tables
from tests.tiny_lake import DAY, at, good_rows, night, write_day

NEXT = DAY + timedelta(days=1)
LISTS = {"home": {"u1": ["i3", "i4"], "u2": ["i4", "i3"]}}


def tables_of(made):
    """Tables as the step materialise leaves them."""
    return write_tables(made, LISTS)


def whole_night(lake, day=DAY):
    """A night with recorded steps, from the log to tables written by hand."""
    made = night(lake, day)
    log = recorded(ingest)(made)
    history = recorded(build_history)(made, log)
    recorded(build_matrices)(made, history)
    recorded(tables_of)(made)
    return made


def test_first_night_is_counted_without_being_read(tmp_path):
    """Rows from footers; users and items at least as in a sample, less what may be refused."""
    write_day(tmp_path, good_rows(6, DAY - timedelta(days=1)), day=DAY - timedelta(days=1))
    write_day(tmp_path, [("u9", "i9", "view", at(3))])
    write_day(tmp_path, good_rows(5, NEXT), day=NEXT)  # is not yet tonight's
    found = expect(night(tmp_path, validation={"max_bad_share": 0.5}))
    assert (found.files, found.rows, found.unreadable) == (2, 7, ())
    assert (found.users, found.items) == (Range(low=2, high=4), Range(low=2, high=5))
    assert found.interactions == Range(low=3, high=7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["interactions"]


def test_sample_is_taken_in_proportion(tmp_path, monkeypatch):
    """Of a log larger than the sample, the rest may hold others, and no more than rows."""
    monkeypatch.setattr(expected, "_SAMPLE_ROWS", 3)
    write_day(tmp_path, [(f"u{k}", "i0", "view", at(k)) for k in range(12)])
    found = expect(night(tmp_path, validation={"max_bad_share": 0.0}))
    assert found.users == Range(low=3, high=12)
    assert found.items == Range(low=1, high=4)


def test_file_that_cannot_be_sampled_is_no_end_of_the_plan(tmp_path):
    """Its footer is whole, its pages are not; ingest says so."""
    path = write_day(tmp_path, good_rows(3))
    damaged = bytearray(path.read_bytes())
    damaged[8:60] = bytes(52)
    path.write_bytes(bytes(damaged))
    assert expect(night(tmp_path)).files == 1


def test_day_with_a_broken_file_waits(tmp_path):
    """Its rows are not counted, and its name is told."""
    write_day(tmp_path, good_rows(4))
    write_day(tmp_path, good_rows(4), name="cut")
    cut = tmp_path / "interactions" / f"date={DAY}" / "cut.parquet"
    cut.write_bytes(cut.read_bytes()[:-9])
    found = expect(night(tmp_path))
    assert (found.rows, found.unreadable) == (0, (f"interactions/date={DAY}/cut.parquet",))


def test_what_an_earlier_night_took_is_not_counted_again(tmp_path):
    """The sizes of the last night are the least, a changed file counts as new."""
    write_day(tmp_path, good_rows(6))
    whole_night(tmp_path)
    write_day(tmp_path, [("u7", "i1", "view", at(1, NEXT))], day=NEXT)
    found = expect(night(tmp_path, NEXT))
    assert (found.files, found.rows) == (1, 1)
    assert found.users == Range(low=3, high=4)
    assert found.items == Range(low=4, high=5)
    write_day(tmp_path, good_rows(7))
    assert expect(night(tmp_path, NEXT)).rows == 8


def test_later_nights_are_scaled_from_recorded_ones(tmp_path):
    """Only steps that were recorded are planned; without a record, rough constants stand."""
    write_day(tmp_path, good_rows(6))
    first = plan_night(night(tmp_path))
    assert "no night is recorded yet" in first.basis
    assert set(first.seconds) == set(STEPS)
    assert set(first.memory_mb) == {"training", "ranking"}
    assert set(first.table_mb) == {"top_n", "similar_items", "item_embeddings"}
    whole_night(tmp_path)
    write_day(tmp_path, good_rows(6, NEXT), day=NEXT)
    second = plan_night(night(tmp_path, NEXT))
    assert f"the last of {DAY}" in second.basis
    assert set(second.seconds) == {"ingest", "history", "matrices", "materialise"}
    for each in (*second.seconds.values(), *second.memory_mb.values(), *second.table_mb.values()):
        assert 0.0 <= each.low <= each.high
    json.loads(second.model_dump_json())


@given(seconds=st.floats(0.01, 1e5), growth=st.floats(0.01, 100.0))
def test_time_as_before_and_in_proportion_are_both_inside(tmp_path_factory, seconds, growth):
    """Whatever grows, the plan spans both readings of it."""
    made = night(tmp_path_factory.getbasetemp() / "nothing")
    record = StepRecord(step="promote", key="", seconds=seconds, peak_memory_mb=1)
    rows = Range(low=growth, high=growth)
    expects = Expected(
        files=1, log_mb=0.0, rows=1, unreadable=(), users=rows, items=rows, interactions=rows
    )
    found = scaled_seconds(made, expects, {DAY: {"promote": record}})["promote"]
    assert found.low <= seconds <= found.high


def test_first_estimate_grows_with_the_work(tmp_path):
    """More of everything never takes less; a model that is not known gets no figures."""
    made = night(tmp_path)

    def of(size):
        exact = Range(low=size, high=size)
        return Expected(
            files=1, log_mb=1.0, rows=10 * size, unreadable=(), users=exact, items=exact,
            interactions=exact.times(5),
        )  # fmt: skip

    small, large = (first_seconds(made, of(size), 1e10) for size in (1_000, 100_000))
    assert all(small[step].high <= large[step].high for step in small)
    assert small["materialise"].high < large["materialise"].low * 100
    assert large["train"].low > small["train"].low
    assert (
        first_memory(made, of(100_000))["ranking"].high > first_memory(made, of(10))["ranking"].low
    )
    assert product_rate() > 1e8


def test_plan_is_kept_once_and_compared(tmp_path):
    """A night that is started again keeps its plan; other files make another."""
    write_day(tmp_path, good_rows(6))
    made = night(tmp_path)
    assert outcomes(made) == ()
    plan = keep_plan(made)
    assert keep_plan(made) == plan == kept_plan(made).plan
    whole_night(tmp_path)
    assert keep_plan(made) == plan
    came = {(each.what, each.unit): each for each in outcomes(made)}
    assert came["log", "rows"].got == 6
    assert came["history", "users"].got == 3
    assert came["vocabulary", "items"].inside
    assert came["top_n", "MB"].got > 0
    assert came["ranking", "MB"].got > 10
    assert {what for what, unit in came if unit == "s"} == {
        "ingest", "history", "matrices", "materialise",
    }  # fmt: skip
    write_day(tmp_path, good_rows(5), name="more")
    assert keep_plan(made).rows == 11


def test_outcome_tells_what_lies_outside(tmp_path):
    """Rows that came after the plan was made."""
    write_day(tmp_path, good_rows(6))
    keep_plan(night(tmp_path))
    write_day(tmp_path, good_rows(5), name="late")
    made = whole_night(tmp_path)
    rows = next(each for each in outcomes(made) if each.unit == "rows")
    assert (rows.got, rows.inside) == (11, False)


def test_plan_of_another_version_is_made_again(tmp_path):
    """A file that cannot be read is none."""
    write_day(tmp_path, good_rows(6))
    made = night(tmp_path)
    made.folder.mkdir(parents=True)
    (made.folder / "plan.json").write_text("{}", encoding="utf-8")
    assert kept_plan(made) is None
    assert keep_plan(made).rows == 6


def test_step_that_is_used_again_keeps_its_record(tmp_path):
    """Also one that was done before records were kept; a new key makes a new record."""
    made = history_night(tmp_path, user="u{}".format, item="i{}".format)
    recorded(ingest)(made)  # done before
    again = recorded(run_step)
    assert step_records(made.folder) == {}

    def work(_staging, key):
        return Manifest(step="own", run_date=made.run_date, key=key)

    again(made, "own", Manifest, settings={"a": 1}, work=work)
    path = made.folder / "durations" / "own.json"
    first, written = step_records(made.folder)["own"], path.stat().st_mtime_ns
    assert (first.step, first.seconds < 60, first.peak_memory_mb > 10) == ("own", True, True)
    again(made, "own", Manifest, settings={"a": 1}, work=work)
    assert path.stat().st_mtime_ns == written
    again(made, "own", Manifest, settings={"a": 2}, work=work)
    assert step_records(made.folder)["own"].key != first.key
    path.write_text("{}", encoding="utf-8")
    assert step_records(made.folder) == {}


def test_failed_step_leaves_no_record(tmp_path):
    """And its error is its own."""
    with pytest.raises(OSError, match="no disk"):
        recorded(_failing)(night(tmp_path))
    assert step_records(night(tmp_path).folder) == {}


def _failing(made):
    raise OSError("no disk")


def test_step_that_returns_no_manifest_is_recorded_by_its_name(tmp_path):
    """As the comparison of lists is."""
    write_day(tmp_path, good_rows(6))
    made = whole_night(tmp_path)
    snapshot = read_manifest(made.step("materialise"), SnapshotManifest)
    assert recorded(compare_lists, "compare")(made, snapshot) is None
    assert step_records(made.folder)["compare"].step == "compare"
