"""Kill ingest and history anywhere and start them again: state and quarantine are the same bytes.

``HOARFROST_KILLS`` says how often (10); the kills are spread evenly over all touches of the lake.
"""

import os
import shutil
import signal
from datetime import timedelta

import pytest

from data_contracts.manifests import HistoryManifest, IngestManifest
from tasks.files import sha256_of
from tasks.history.history import build_history
from tasks.ingest.ingest import ingest
from tasks.steps import is_whole, read_manifest
from tests.tasks.kill_ingest import SETTINGS, ingest_and_build
from tests.tiny_lake import DAY, at, good_rows, night, write_day

N_KILLS = int(os.environ.get("HOARFROST_KILLS", "10"))
YESTERDAY = DAY - timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    """A night is done; for the next one there is a changed file, a late, a broken and a bad one."""
    lake = tmp_path / "lake"
    for name in ("changed", "kept"):
        write_day(lake, good_rows(6, YESTERDAY), day=YESTERDAY, name=name)
    build_history(*(before := night(lake, YESTERDAY, **SETTINGS), ingest(before)))
    write_day(lake, good_rows(3, YESTERDAY), day=YESTERDAY, name="changed")
    write_day(lake, good_rows(9, YESTERDAY), day=YESTERDAY, name="late")
    old = DAY - timedelta(days=2)
    write_day(lake, good_rows(3, old), day=old, name="broken").write_bytes(b"PAR1")
    write_day(lake, [*good_rows(9), (None, "i1", "view", at(8)), good_rows(1)[0]])
    return lake


def run(forkserver, lake, die_at=None):
    """Run the night in a process; return its exit code and what it told."""
    said = forkserver.SimpleQueue()
    process = forkserver.Process(target=ingest_and_build, args=(lake, die_at, said))
    process.start()
    process.join()
    return process.exitcode, None if said.empty() else said.get()


def digests(lake):
    """Return the digest of everything that nights have left, but for their staging."""
    places = [lake / "state" / "nights", lake / "state" / "history", lake / "quarantine"]
    left = [path for place in places for path in place.rglob("*")]
    return {str(path.relative_to(lake)): sha256_of(path) for path in left if path.is_file()}


def assert_no_half_step(lake):
    """A step is whole, or not there."""
    for name, kind in (("ingest", IngestManifest), ("history", HistoryManifest)):
        folder = night(lake).step(name)
        manifest = read_manifest(folder, kind)
        assert not folder.exists() if manifest is None else is_whole(folder, manifest)


@pytest.mark.slow
def test_killed_night_leaves_what_an_undisturbed_one_does(lake, tmp_path, forkserver):
    """Wherever it was killed; and the moment after, every step is whole or not there."""
    undisturbed = shutil.copytree(lake, tmp_path / "undisturbed")
    code, n_touches = run(forkserver, undisturbed)
    assert code == 0
    expected = digests(undisturbed)
    assert len(expected) > 10
    for number in range(N_KILLS):
        die_at = 1 + number * (n_touches - 1) // max(N_KILLS - 1, 1)
        killed = shutil.copytree(lake, tmp_path / f"killed-{number}")
        assert run(forkserver, killed, die_at)[0] == -signal.SIGKILL, die_at
        assert_no_half_step(killed)
        assert run(forkserver, killed)[0] == 0, die_at
        assert digests(killed) == expected, die_at
