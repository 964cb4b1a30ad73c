"""A log in an object store that refuses, is gone, or changes while it is read."""

import logging
import random
import threading
import traceback

import pytest

from data_contracts.errors import ContractViolationError, HoarfrostError, TooLittleDataError
from data_contracts.source import SourceConfig
from tasks.history.history import build_history
from tasks.ingest.ingest import ingest
from tasks.ingest.validating import validate_log
from tasks.planning.plan import plan_night
from tasks.source.object_file import read_range
from tasks.source.object_store import ObjectStoreError, open_bucket
from tests.bucket import KEY_ID, SECRET, Wire, bucket_of, counted_bucket, point_to, send
from tests.tiny_lake import DAY, good_rows, night, write_day

HIVE = "s3://tables/shop/interactions/date={date}/*.parquet"
EARLIER = DAY.replace(day=DAY.day - 1)


@pytest.fixture
def counter(monkeypatch, tmp_path):
    """Two days of a log in a bucket, behind a line that can make trouble."""
    with counted_bucket(monkeypatch) as counter:
        for day in (EARLIER, DAY):
            for name in ("part-0", "part-1"):
                good = [(user, f"{item}-{name}", *more) for user, item, *more in good_rows(6, day)]
                rows = [*good, (None, name, "view", None)]
                write_day(tmp_path / "log", rows, day=day, name=name)
        send(tmp_path / "log", "s3://tables/shop")
        counter.asked.clear()
        yield counter


@pytest.fixture
def tonight(tmp_path):
    """The night of the second day, impatient."""
    return night(tmp_path / "lake", interactions={"files": HIVE}, source={"give_up_seconds": 1})


def refused(call, tonight, error=ObjectStoreError):
    """Return the sentence of a refusal, after looking for secrets in all that a log would hold."""
    with pytest.raises(error, match="s3://") as told:
        call(tonight)
    written = "".join(traceback.format_exception(told.value))
    for secret in (SECRET, KEY_ID, "sWordfish"):
        assert secret not in written
    return str(told.value)


def rewrite(key, n_rows, tmp_path):
    """Write an object anew."""
    path = write_day(tmp_path / "other", good_rows(n_rows), name="x")
    bucket_of("s3://tables").put(key, path.read_bytes())


def key_of(day, name):
    """Where a file lies in the bucket."""
    return f"shop/interactions/date={day}/{name}.parquet"


def when_read(counter, key, action, *, after=1):
    """Do something when so many ranges of an object have been read."""
    left = [after]

    def trouble(method, path):
        if method == "GET" and path.endswith(key):
            left[0] -= 1
            if left[0] == -1:
                action()

    counter.trouble = trouble


@pytest.mark.parametrize("call", [ingest, validate_log, plan_night])
def test_no_such_bucket(counter, tmp_path, call):
    """Whatever is asked first."""
    files = HIVE.replace("tables", "nowhere")
    sentence = refused(call, night(tmp_path / "lake", interactions={"files": files}))
    assert "got: no such bucket; the last snapshot stays as it is: make it or mend" in sentence
    assert "interactions.files" in sentence


@pytest.mark.parametrize("call", [ingest, validate_log, plan_night])
def test_access_denied(counter, tonight, call):
    """The store's own answer holds the key's id; ours does not."""
    counter.trouble = lambda _method, _path: 403
    assert "got: the credentials are refused" in refused(call, tonight)


def test_access_denied_to_one_file(counter, tonight):
    """That is no fault of the file: its day must not be set aside."""
    key = key_of(EARLIER, "part-1")
    counter.trouble = lambda _method, path: 403 if path.endswith(key) else None
    sentence = refused(ingest, tonight)
    assert f"s3://tables/{key} must be within reach, got: the credentials are refused" in sentence
    assert not (tonight.lake / "quarantine").exists()


@pytest.mark.parametrize("call", [ingest, validate_log, plan_night])
def test_nobody_answers(monkeypatch, tonight, call):
    """Told within the time given."""
    point_to(monkeypatch, "http://127.0.0.1:9")
    assert "got: no connection" in refused(call, tonight)


def test_day_that_is_not_there(counter, tmp_path):
    """As in a folder: exit code 4, and the place is named."""
    later = night(tmp_path / "lake", DAY.replace(day=DAY.day + 1), interactions={"files": HIVE})
    sentence = refused(ingest, later, TooLittleDataError)
    assert "no file at s3://tables/shop/interactions/date=2026-09-11/*.parquet" in sentence


def test_store_that_goes_down_leaves_no_half_state(counter, tonight, tmp_path):
    """The night stops with a sentence; run again, it gives what it would have given."""
    reads = [0]

    def trouble(_method, path):
        reads[0] += ".parquet" in path
        return 500 if reads[0] > 7 else None

    counter.trouble = trouble
    assert "got: it answers 500" in refused(ingest, tonight)
    assert not tonight.step("ingest").exists()
    assert not (tonight.lake / "quarantine").exists()
    counter.trouble = lambda _method, _path: None
    again = ingest(tonight)
    other = tonight.config.model_copy(update={"lake": str(tmp_path / "calm")})
    assert again.files == ingest(tonight.model_copy(update={"config": other})).files


@pytest.mark.parametrize("mends", [True, False])
def test_line_that_goes_dead_in_the_middle_of_a_file(counter, monkeypatch, mends):
    """What is missing is asked for again when it is back; else it is told in time."""
    body = random.Random(1).randbytes(3_000_000)
    bucket_of("s3://tables").put("large", body)
    wire = Wire(counter.address)
    point_to(monkeypatch, wire.address)
    source = SourceConfig(give_up_seconds=20 if mends else 1)
    bucket = open_bucket("s3://tables", source, setting="interactions.files")
    meta = bucket.meta("large")
    wire.cut_after(1_000_000)
    if mends:
        threading.Timer(0.3, wire.mend).start()
        assert read_range(bucket, meta, 5, 2_900_000) == body[5:2_900_000]
    else:
        with pytest.raises(ObjectStoreError, match=r"s3://tables/large must be .* no connection"):
            read_range(bucket, meta, 5, 2_900_000)
    wire.close()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_throttling_is_waited_out(counter, tonight, status):
    """Every third request is refused."""
    asked = [0]

    def trouble(_method, _path):
        asked[0] += 1
        return status if asked[0] % 3 == 1 else None

    counter.trouble = trouble
    patient = tonight.config.model_copy(
        update={"source": tonight.config.source.model_copy(update={"give_up_seconds": 60})}
    )
    assert ingest(tonight.model_copy(update={"config": patient})).accepted == 24


@pytest.mark.parametrize("after", [0, 1, 2])
def test_object_that_vanishes_makes_its_day_wait(counter, tonight, after):
    """Between listing and footer, between footer and rows, between two columns."""
    key = key_of(EARLIER, "part-1")
    when_read(counter, key, lambda: bucket_of("s3://tables").delete([key]), after=after)
    found = ingest(tonight)
    assert found.accepted_by_day == {DAY: 12}
    rules = {(file.path.rpartition("/")[2], file.rule) for file in found.refused_files}
    assert rules == {("part-0.parquet", "day_waits"), ("part-1.parquet", "unreadable_file")}
    (reason,) = [f.reason for f in found.refused_files if f.rule == "unreadable_file"]
    assert f"s3://tables/{key} is gone since it was listed" in reason
    assert ingest(tonight).accepted_by_day == {EARLIER: 6, DAY: 12}  # as if it had never been


@pytest.mark.parametrize("after", [0, 1, 2])
def test_object_that_is_rewritten_meanwhile_is_never_mixed(counter, tonight, tmp_path, after):
    """No row of the old one is taken together with rows of the new one; then the new one is."""
    key = key_of(EARLIER, "part-1")
    when_read(counter, key, lambda: rewrite(key, 3, tmp_path), after=after)
    found = ingest(tonight)
    assert found.accepted_by_day == {DAY: 12}
    (reason,) = [f.reason for f in found.refused_files if f.rule == "unreadable_file"]
    assert "was written anew since it was listed" in reason
    counter.trouble = lambda _method, _path: None
    assert len(ingest(tonight).log_files) == 4


def test_own_day_that_changes_while_it_is_read_stops_the_night(counter, tonight, tmp_path):
    """Exit code 3, and the file is named."""
    key = key_of(DAY, "part-0")
    when_read(counter, key, lambda: rewrite(key, 3, tmp_path))
    sentence = refused(ingest, tonight, ContractViolationError)
    assert f"the day {DAY} is refused: s3://tables/{key}" in sentence
    assert not tonight.step("ingest").exists()


def test_object_that_is_gone_when_its_bad_rows_are_fetched(counter, tonight):
    """They were read and judged; without the rows themselves the file is set aside."""
    key = key_of(EARLIER, "part-1")
    fetching = tonight.state / "staging" / "quarantine.log"
    counter.trouble = lambda _, path: 404 if fetching.exists() and path.endswith(key) else None
    found = ingest(tonight)
    assert found.accepted_by_day == {DAY: 12}
    rules = {(file.path.rpartition("/")[2], file.rule) for file in found.refused_files}
    assert rules == {("part-0.parquet", "day_waits"), ("part-1.parquet", "unreadable_file")}
    assert not fetching.exists()


def test_damaged_object_is_told_from_a_store_in_trouble(counter, tonight):
    """It answers, with something that is no Parquet."""
    bucket_of("s3://tables").put(key_of(EARLIER, "part-1"), b"PAR1, or is it?")
    found = ingest(tonight)
    assert found.accepted_by_day == {DAY: 12}
    (reason,) = [f.reason for f in found.refused_files if f.rule == "unreadable_file"]
    assert "not a whole Parquet file" in reason


def test_no_secret_in_any_log_or_manifest(counter, tonight, caplog):
    """Whole nights at the finest level of logging, refusals among them, and all that they keep."""
    caplog.set_level(logging.DEBUG)
    counter.trouble = lambda _method, path: 403 if "list-type" in path else None
    refused(ingest, tonight)
    counter.trouble = lambda _method, _path: None
    build_history(tonight, ingest(tonight))
    kept = [path.read_bytes() for path in tonight.lake.rglob("*") if path.is_file()]
    for secret in (SECRET, KEY_ID, "sWordfish"):
        assert secret not in caplog.text
        assert not any(secret.encode() in each for each in kept)


def test_key_that_no_store_library_takes_is_told(counter, tonight, tmp_path):
    """A key with // in it is a legal one, and would stop every listing without a word."""
    import urllib.request

    address = f"{counter.address}/tables/shop/interactions/date={EARLIER}//x.parquet"
    urllib.request.urlopen(urllib.request.Request(address, b"", method="PUT")).close()
    assert "a key with an empty part (//)" in refused(ingest, tonight)


def test_errors_are_ours():
    """So the command line shows a sentence, and exit code 1."""
    assert issubclass(ObjectStoreError, HoarfrostError)
    assert ObjectStoreError.exit_code == 1
