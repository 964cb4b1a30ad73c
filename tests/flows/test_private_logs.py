"""No log line, error, name or tag of a night tells a user's id: every id here can be recognised."""

import json
import logging
import shutil
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from prefect import Task, flow
from prefect.client.orchestration import get_client

from data_contracts.errors import ContractViolationError, HoarfrostError
from data_contracts.interactions import ROW_RULES
from data_contracts.manifests import HistoryManifest, IngestManifest, SnapshotManifest
from data_contracts.segments import segments_schema
from flows import cli, night_tasks
from flows.nightly import nightly
from tasks.history.matrix import finished_matrices
from tasks.lists.segments import read_segments
from tasks.registry.tracking import connect
from tasks.steps import read_manifest
from tasks.tables.table_file import TableWriter, check_table
from tests.tiny_lake import DAY, at, night, write_day

pytestmark = pytest.mark.slow
OWN = ("tasks", "flows", "models", "prefect")
MARK, LARGE = "PLANTED", 2**63 + 7_391_739_173
USERS = [f"{MARK}-{k:03d}" for k in range(30)]
BAD = {
    "user_id_missing": (None, "i1", "view", at(1)),
    "item_id_missing": (USERS[0], None, "view", at(1)),
    "user_id_unfit": (USERS[0] * 200, "i1", "view", at(1)),
    "item_id_unfit": (USERS[0], "i" * 2000, "view", at(1)),
    "timestamp_missing": (USERS[0], "i1", "view", None),
    "event_type_unknown": (USERS[0], "i1", "scroll", at(1)),
    "timestamp_ancient": (USERS[0], "i1", "view", at(-24 * 365 * 40)),
    "timestamp_in_future": (USERS[0], "i1", "view", at(500)),
    "too_late": (USERS[0], "i1", "view", at(-24 * 60)),
}
SECTIONS = {
    "model": {"n_factors": 4, "n_epochs": 2},
    "gate": {"unjudged": "promote"},
    "surfaces": {"home": {"n_top": 3, "block": "block.parquet"}},
    "tables": {"max_fallback_share": 1.0},
}
BOT = {"validation": {"max_bad_share": 1.0, "max_events_per_user_day": 20}}


class Told(logging.Handler):
    """Keeps every line of every logger, with tracebacks, as a log file would have it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def told() -> Iterator[Told]:
    """All that is logged meanwhile, by whomever."""
    handler, loggers = Told(), [logging.getLogger()]
    loggers += [each for each in logging.root.manager.loggerDict.values() if must_hear(each)]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.addHandler(handler)
        if each.name.partition(".")[0] in OWN:
            each.setLevel(logging.DEBUG)
    yield handler
    for each, level in zip(loggers, levels, strict=True):
        each.removeHandler(handler)
        each.setLevel(level)


def must_hear(logger: object) -> bool:
    """Whether the root does not hear a logger, or its level is raised."""
    if not isinstance(logger, logging.Logger):
        return False
    return not logger.propagate or logger.name.partition(".")[0] in OWN


def assert_private(texts):
    """None of the texts names anybody."""
    found = [text for text in texts if MARK in text or str(LARGE)[:12] in text]
    assert not found, found[0][:2000]


def told_by(error: BaseException) -> str:
    """What a log shows of an error that it did not expect."""
    lines = traceback.format_exception(error)
    return "".join(line for line in lines if not line.startswith("  File"))


def fill(lake: Path) -> None:
    """Write a log with good rows, one bad row of every rule, a repeat, a bot and a broken file."""
    rng = np.random.default_rng(1)
    good = [
        (u, f"i{i}", "view", at(2 + k)) for u in USERS for k, i in enumerate(rng.permutation(9)[:4])
    ]
    bot = [(f"{MARK}-bot", f"i{k % 6}", "view", at(k / 9)) for k in range(40)]
    write_day(lake, [*good, good[0], *bot, *BAD.values()])
    yesterday = DAY - timedelta(days=1)
    older = [(u, f"i{k % 5}", "view", at(-40 + k / 9)) for u in USERS for k in range(2)]
    write_day(lake, older, day=DAY - timedelta(days=2))
    write_day(lake, good[:1], day=yesterday, name="good")
    nested = pl.DataFrame({"user_id": [[USERS[0]]], "item_id": ["i"]})
    nested.write_parquet(lake / "interactions" / f"date={yesterday}" / "nested.parquet")
    people = {"user_id": USERS, "segment": ["a", "b"] * 15}
    (lake / "segments").mkdir()
    pl.DataFrame(people).write_parquet(lake / "segments" / "segments.parquet")
    block = {"item_id": ["i1", "gone"], "user_id": [USERS[0], f"{MARK}-stranger"]}
    pl.DataFrame(block).write_parquet(lake / "block.parquet")


@pytest.fixture(scope="module")
def shop(tmp_path_factory, prefect_api, migrated_mlflow):
    """A lake after its first night, and all that was logged."""
    lake, listener = tmp_path_factory.mktemp("lake"), told.__wrapped__()
    fill(lake)
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    tonight = night(lake, **SECTIONS, **BOT)
    handler = next(listener)
    report = nightly(tonight.config, DAY)
    next(listener, None)
    return tonight, report, handler.lines


def test_a_whole_night_names_nobody(shop):
    """With every kind of bad row in its log; Prefect's own lines are among those looked at."""
    tonight, report, lines = shop
    assert set(report.quarantined) >= {*BAD, "bot"}
    assert set(BAD) == set(ROW_RULES) - {"value_unfit"}  # a new rule needs a row here
    assert report.refused_files
    loggers = {line.split()[0].partition(".")[0] for line in lines}
    assert loggers >= {"tasks", "prefect"}
    assert_private(lines)
    assert MARK in (tonight.folder / "report.json").read_text()  # so the ids could be recognised


def test_nothing_that_prefect_or_mlflow_keeps_names_anybody(shop):
    """Names of runs, messages of states, artifacts, tags and parameters."""
    with get_client(sync_client=True) as client:
        runs = [*client.read_flow_runs(), *client.read_task_runs()]
        texts = [f"{run.name} {run.state and run.state.message} {run.tags}" for run in runs]
        texts += [f"{run.parameters}" for run in client.read_flow_runs()]
        texts += [str(each.model_dump(mode="json")) for each in client.read_artifacts()]
    assert len(texts) > 10
    assert_private(texts)
    runs = connect(shop[0].config).search_runs(["0", "1"])
    assert runs
    assert_private(f"{run.data.tags} {run.data.params} {run.info.run_name}" for run in runs)


def test_what_a_night_prints_into_a_file_names_nobody(shop, capsys):
    """A scheduled run's standard output is kept; the lists are shown all the same."""
    cli._night(shop[0].config, DAY, strict=False, json=True)
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)["examples"]) == len(shop[1].examples) > 0
    assert '"user_id": "user#' in shown.out
    assert_private([shown.out, shown.err])


def run_task(task, *arguments):
    """Run a task of Prefect in a flow; return the error it ends with."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        flow(lambda: task(*arguments), name="one-task")()
    return caught.value


def crash(tonight):
    """Take users for numbers, as a step with a mistake would."""
    rows = pl.scan_parquet(tonight.lake / "interactions" / f"date={DAY}" / "*.parquet")
    return rows.select(pl.col("user_id").cast(pl.Int64)).collect()


def test_a_crash_inside_a_step_names_nobody(shop, told):
    """A task of Prefect without our guard does: so the test would see it."""
    error = run_task(night_tasks._night_task(crash), shop[0])
    assert isinstance(error, pl.exceptions.InvalidOperationError)
    assert_private([told_by(error), *told.lines])
    assert any("crash" in line for line in told.lines)
    run_task(Task(crash, name="unguarded"), shop[0])
    assert any(MARK in line for line in told.lines)


def test_lists_that_break_their_contract_name_nobody(shop, told):
    """The check counts; the file of the lists is changed behind its back."""
    tonight = shop[0]
    files = (tonight.step("materialise") / "top_n").rglob("*.parquet")
    path = max(files, key=lambda file: file.stat().st_size)
    lists = pl.read_parquet(path)
    lists.with_columns(pl.lit(lists["item_id"][0]).alias("item_id")).write_parquet(path)
    (tonight.step("check") / "manifest.json").unlink()
    manifests = [
        read_manifest(tonight.step(kind), of)
        for kind, of in (("history", HistoryManifest), ("materialise", SnapshotManifest))
    ]
    arguments = (tonight, manifests[0], finished_matrices(tonight), manifests[1])
    error = run_task(night_tasks.check, *arguments)
    assert isinstance(error, ContractViolationError)
    assert "no list holds an item twice" in str(error)
    assert_private([told_by(error), *told.lines])


def unsorted(tonight):
    """Write people in a wrong order."""
    with TableWriter(tonight.lake / "x.parquet", segments_schema("string")) as writer:
        writer.write(pl.DataFrame({"user_id": USERS[::-1], "segment": ["a"] * len(USERS)}))


def twice(tonight):
    """Check people of whom one is there twice and one has no segment."""
    rows = {"user_id": [USERS[0], USERS[0], USERS[1]], "segment": ["a", "b", ""]}
    check_table(segments_schema("string"), pl.DataFrame(rows))


def given(ids):
    """Read segments of these ids."""

    def read(tonight):
        apart = tonight.model_copy(
            update={"config": tonight.config.model_copy(update={"lake": f"{tonight.lake}/apart"})}
        )
        (apart.lake / "segments").mkdir(parents=True, exist_ok=True)
        rows = pl.DataFrame({"user_id": ids, "segment": ["a"] * len(ids)})
        rows.write_parquet(apart.lake / "segments" / "segments.parquet")
        read_segments(apart)

    return read


@pytest.mark.parametrize(
    "broken",
    [unsorted, twice, given([USERS[0]] * 2), given(pl.Series([LARGE], dtype=pl.UInt64))],
    ids=["unsorted", "contract", "repeated", "large"],
)
def test_no_broken_contract_about_people_names_them(shop, told, broken):
    """Neither its sentence nor the error of the library behind it."""
    error = run_task(night_tasks._night_task(broken), shop[0])
    assert isinstance(error, ContractViolationError)
    assert_private([told_by(error), *told.lines])


def test_a_night_that_stops_names_nobody(tmp_path, prefect_api, told):
    """With too many bad rows, and with a log of another type of ids than before."""
    fill(tmp_path)
    strict = night(tmp_path, validation={"max_bad_share": 0.01, "max_events_per_user_day": 20})
    with pytest.raises(HoarfrostError) as stopped:
        nightly(strict.config, DAY)
    assert_private([told_by(stopped.value), *told.lines])
    assert read_manifest(strict.step("ingest"), IngestManifest) is None
