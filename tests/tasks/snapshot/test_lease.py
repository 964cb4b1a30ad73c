"""Leases: live as long as their reader, whatever the clocks say."""

import multiprocessing
import os
import signal
import time

import pytest

from tasks.snapshot.lease import Lease, lease_folder, leased, leasing, this_machine

HOUR = 3600


def hold(lake, snapshot_id, ready):
    """Hold a lease until killed."""
    with leasing(lake, snapshot_id):
        ready.set()
        time.sleep(300)


@pytest.fixture
def reader(tmp_path):
    """A process that holds a lease on snapshot s1."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path, "s1", ready))
    process.start()
    assert ready.wait(timeout=60)
    yield process
    process.kill()
    process.join()


def elsewhere(lake, snapshot_id="s1", seconds=HOUR, age=0.0):
    """Leave the lease of a reader on another machine, this old."""
    path = lease_folder(lake) / f"{snapshot_id}.far.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lease = Lease(snapshot_id=snapshot_id, machine="far", pid=1, host="far", seconds=seconds)
    path.write_text(lease.model_dump_json(), encoding="utf-8")
    stamp = path.stat().st_mtime - age
    os.utime(path, (stamp, stamp))
    return path


def files(lake):
    """Names of what lies in the folder of leases."""
    return sorted(path.name for path in lease_folder(lake).iterdir() if path.name != ".clock")


def test_a_lease_lasts_as_long_as_its_block(tmp_path):
    """Two readers of one snapshot hold one each; afterwards nothing is left."""
    assert leased(tmp_path) == frozenset()
    with leasing(tmp_path, "s1"), leasing(tmp_path, "s2"):
        with leasing(tmp_path, "s1"):
            assert leased(tmp_path) == {"s1", "s2"}
        assert leased(tmp_path) == {"s1", "s2"}
    assert leased(tmp_path) == frozenset()
    assert files(tmp_path) == []


def test_an_error_while_reading_gives_the_lease_back(tmp_path):
    """The error is the reader's own."""
    with pytest.raises(KeyError, match="mine"), leasing(tmp_path, "s1"):
        raise KeyError("mine")
    assert files(tmp_path) == []


def test_a_living_reader_keeps_its_lease_however_old_it_looks(tmp_path, reader):
    """On one machine no clock is asked: not after years, and not after a jump backwards."""
    (name,) = files(tmp_path)
    for stamp in (0, time.time() + 1e9):
        os.utime(lease_folder(tmp_path) / name, (stamp, stamp))
        assert leased(tmp_path) == {"s1"}


def test_the_lease_of_a_killed_reader_ends_at_once(tmp_path, reader):
    """The kernel let its lock go; what it left behind is removed."""
    os.kill(reader.pid, signal.SIGKILL)
    reader.join()
    assert len(files(tmp_path)) == 1
    assert leased(tmp_path) == frozenset()
    assert files(tmp_path) == []


@pytest.mark.parametrize(("age", "counts"), [(0, True), (HOUR - 60, True), (HOUR + 60, False)])
def test_a_reader_elsewhere_is_protected_until_its_lease_expires(tmp_path, age, counts):
    """Its lock may not be seen here."""
    path = elsewhere(tmp_path, age=age)
    assert (leased(tmp_path) == {"s1"}) is counts
    assert path.exists() is counts


def test_a_clock_that_goes_back_ends_no_lease_and_keeps_none_for_ever(tmp_path):
    """A stamp from the future becomes one of now: the lease ends one term later."""
    path = elsewhere(tmp_path, age=-1000 * HOUR)
    assert leased(tmp_path) == {"s1"}
    assert abs(path.stat().st_mtime - (lease_folder(tmp_path) / ".clock").stat().st_mtime) < 60
    stamp = path.stat().st_mtime - 2 * HOUR
    os.utime(path, (stamp, stamp))
    assert leased(tmp_path) == frozenset()


@pytest.mark.parametrize("name", [".s1.cafe.json.new", "s1.cafe.json"])
def test_a_lease_cut_short_counts_for_its_term(tmp_path, name):
    """A reader killed before its lease was whole leaves a file that goes in time."""
    path = lease_folder(tmp_path) / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert leased(tmp_path) == {"s1"}
    os.utime(path, (0, 0))
    assert leased(tmp_path) == frozenset()
    assert files(tmp_path) == []


def test_a_place_that_cannot_be_written_is_read_without_a_lease(tmp_path, caplog):
    """A debug line says so, and the reader reads."""
    caplog.set_level("DEBUG")
    lease_folder(tmp_path).parent.mkdir()
    lease_folder(tmp_path).write_text("not a folder", encoding="utf-8")
    with leasing(tmp_path, "s1"):
        pass
    assert "read without a lease" in caplog.text


def test_the_machine_has_one_name(tmp_path):
    """Of the running kernel."""
    assert this_machine() == this_machine() != ""
