"""People are forgotten: nothing a lake keeps names them, and it is as if they had never come."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from data_contracts.errors import ConfigError, ContractViolationError, LakeLockedError
from data_contracts.ledger import ForgetEntry
from data_contracts.manifests import IngestManifest, MatrixManifest, PartManifest
from tasks.forgetting.forgetting import check_forgotten, forget_people, read_users
from tasks.forgetting.forgotten import folder_of, read_list, unfinished
from tasks.history.history import build_history
from tasks.history.history_part import parts_folder
from tasks.history.last_event import keep_last_events
from tasks.history.matrix import build_matrices
from tasks.history.matrix_shard import load_shard
from tasks.ingest.ingest import ingest
from tasks.lock import lake_lock
from tasks.registry.ledger import read_lines
from tasks.snapshot.snapshot import reading, snapshots, verify_snapshot
from tasks.steps import read_manifest
from tests.forgotten_lake import NAMES, NUMBERS, copy_lake, make_lake, naming, table_bytes
from tests.tiny_lake import at, night, write_day

BOTH = pytest.mark.parametrize("ids", [NAMES, NUMBERS], ids=["names", "numbers"])


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """Lakes that are made once."""
    return {ids: make_lake(tmp_path_factory.mktemp("lake"), ids) for ids in (NAMES, NUMBERS)}


@pytest.fixture
def fresh(templates):
    """Make a copy of one of them."""
    return lambda lake, ids=NAMES: copy_lake(templates[ids], lake)


def texts(*ids):
    """Ids as a command gets them."""
    return tuple(str(each) for each in ids)


@BOTH
def test_nothing_names_them_and_all_else_is_as_if_they_had_never_come(tmp_path, ids, fresh):
    """State and tables are, byte for byte, those of a lake that did not know them."""
    gone = (ids[1], ids[2])  # others have met the same items
    made = fresh(tmp_path / "lake", ids)
    make_lake(tmp_path / "other", ids, without=gone)
    assert len(naming(tmp_path / "lake", gone)) > 20
    done = forget_people(made[1].config, texts(*gone), reason="asked")
    assert naming(tmp_path / "lake", gone) == []
    assert table_bytes(tmp_path / "lake") == table_bytes(tmp_path / "other")
    assert (done.people, done.new, done.listed, done.proof.found) == (2, 2, 2, ())
    assert done.rows["quarantine"] == 6
    assert len(done.snapshots) == 2
    assert all(each in done.proof.yours for each in ("segments/s.parquet",))
    assert len(done.proof.yours) == 5


@BOTH
def test_snapshots_keep_their_names_and_fit_their_manifests(tmp_path, ids, fresh):
    """Readers find them as before."""
    made = fresh(tmp_path, ids)
    before = [each.snapshot_id for each in snapshots(tmp_path)]
    rows = snapshots(tmp_path)[0].rows
    forget_people(made[1].config, texts(ids[2]), reason="asked")
    assert [each.snapshot_id for each in snapshots(tmp_path)] == before
    for name in before:
        manifest = verify_snapshot(tmp_path / "snapshots" / name)
        for table, n in manifest.rows.items():
            files = tmp_path / "snapshots" / name / table / "**" / "*.parquet"
            assert pl.scan_parquet(files).select(pl.len()).collect().item() == n
        assert manifest.rows["top_n"] < rows["top_n"]
        assert manifest.rows["similar_items"] == rows["similar_items"]
    with reading(tmp_path) as (folder, _):
        assert folder == tmp_path / "snapshots" / before[1]
        night = made[1].step("materialise") / "top_n" / "surface=home"
        for path in sorted(night.iterdir()):
            shown = folder / "top_n" / "surface=home" / path.name
            assert shown.stat().st_ino == path.stat().st_ino


def test_manifests_count_who_is_left(tmp_path, fresh):
    """They tell what lies there, and stand for what did."""
    made = fresh(tmp_path)[1]
    forget_people(made.config, NAMES[:2], reason="asked")
    matrices = read_manifest(made.step("matrices"), MatrixManifest)
    assert matrices.n_users == 7
    shards = [load_shard(made.step("matrices"), shard) for shard in range(3)]
    assert matrices.n_interactions == sum(each.full.nnz for each in shards)
    assert matrices.n_heldout_users == sum((each.target.sum(1) > 0).sum() for each in shards)
    for folder in parts_folder(tmp_path).iterdir():
        part = read_manifest(folder, PartManifest)
        rows = pl.read_parquet(folder / "shard-*.parquet")
        counts = [each.history for day in part.days.values() for each in day.accounts]
        assert sum(counts) == rows.height


def test_a_night_that_is_run_again_uses_what_is_there(tmp_path, fresh):
    """Nothing is built again, so nothing is trained again; their rows are refused if it is."""
    made = fresh(tmp_path)[1]
    forget_people(made.config, NAMES[:2], reason="asked")
    before = table_bytes(tmp_path)
    written = made.step("matrices") / "shard-000" / "users.parquet"
    stamp = written.stat().st_mtime_ns
    log = ingest(made)
    matrices = build_matrices(made, build_history(made, log))
    keep_last_events(made)
    assert written.stat().st_mtime_ns == stamp
    assert table_bytes(tmp_path) == before
    (made.step("ingest") / "manifest.json").unlink()
    again = ingest(made)
    assert again.quarantined["forgotten"] == 6
    assert build_matrices(made, build_history(made, again)).files == matrices.files
    assert naming(tmp_path, NAMES[:2]) == []


def test_matrices_of_an_earlier_version_go(tmp_path, fresh):
    """They are made again by a night that needs them, and hold nobody until then."""
    made = fresh(tmp_path)[1]
    shards = [made.step("matrices") / f"shard-00{number}" for number in range(3)]
    for shard in shards:
        (shard / "asked.npy").unlink()
    forget_people(made.config, NAMES[:2], reason="asked")
    assert not any(shard.exists() for shard in shards)
    assert naming(tmp_path, NAMES[:2]) == []
    matrices = build_matrices(made, build_history(made, ingest(made)))
    assert (matrices.n_users, shards[0].exists()) == (7, True)


def test_reports_lose_their_examples(tmp_path, fresh):
    """JSON and page show who is left, and no more than before."""
    made = fresh(tmp_path)
    forget_people(made[1].config, NAMES[:2], reason="asked")
    for each in made:
        report = json.loads((each.folder / "report.json").read_text(encoding="utf-8"))
        assert [example["user_id"] for example in report["examples"]] == [NAMES[2], NAMES[3]]
        page = (each.folder / "report.html").read_text(encoding="utf-8")
        assert NAMES[2] in page
        assert NAMES[1] not in page


def test_a_report_of_another_version_is_removed(tmp_path, fresh):
    """Its page cannot be made again."""
    made = fresh(tmp_path)[1]
    (made.folder / "report.json").write_text("{}", encoding="utf-8")
    forget_people(made.config, NAMES[:2], reason="asked")
    assert not (made.folder / "report.html").exists()


def test_the_ledger_tells_how_many_and_why(tmp_path, fresh):
    """One line a command, sealed, without a name."""
    made = fresh(tmp_path)[1]
    forget_people(made.config, NAMES[:2], reason="žádost 17")
    forget_people(made.config, NAMES[1:3], reason="another")
    lines = read_lines(tmp_path)
    assert [(line.entry.people, line.entry.reason) for line in lines] == [
        (2, "žádost 17"),
        (2, "another"),
    ]
    assert all(isinstance(line.entry, ForgetEntry) for line in lines)
    assert unfinished(tmp_path) is None


def test_doing_it_again_changes_nothing(tmp_path, fresh):
    """Same bytes, same inodes; without a file the list is enforced on what a backup brought."""
    made = fresh(tmp_path)[1]
    (shard, *_) = sorted(parts_folder(tmp_path).iterdir())
    shutil.copytree(shard, tmp_path / "backup")
    forget_people(made.config, NAMES, reason="asked")
    again = forget_people(made.config, NAMES, reason="asked")
    assert (again.new, again.rows, again.snapshots) == (0, {}, ())
    shutil.rmtree(shard)
    (tmp_path / "backup").rename(shard)
    assert check_forgotten(made.config).found
    assert forget_people(made.config, reason="backup").rows[shard.name] > 0
    assert check_forgotten(made.config, NAMES).found == ()


def test_everybody_can_be_forgotten(tmp_path, fresh):
    """Then the tables are empty and open all the same."""
    made = fresh(tmp_path)[1]
    forget_people(made.config, NAMES, reason="asked")
    assert naming(tmp_path, NAMES) == []
    with reading(tmp_path) as (folder, manifest):
        assert manifest.rows["top_n"] == 0
        assert pl.read_parquet(folder / "top_n" / "**" / "*.parquet").height == 0


def test_somebody_unknown_can_be_listed_before_they_come(tmp_path):
    """Nothing is rewritten, and their rows are refused."""
    made = make_lake(tmp_path, without=NAMES[:1])
    before = table_bytes(tmp_path)
    done = forget_people(made[1].config, NAMES[:1], reason="asked")
    assert (done.rows, done.snapshots) == ({}, ())
    assert table_bytes(tmp_path) == before


def test_what_a_killed_night_staged_is_removed(tmp_path, fresh):
    """It may hold anybody, and nobody would look there."""
    made = fresh(tmp_path)[1]
    raw = tmp_path / "state" / "staging" / "ingest" / "raw"
    raw.mkdir(parents=True)
    pl.DataFrame({"user_id": NAMES}).write_ipc(raw / "shard-000.arrow")
    forget_people(made.config, NAMES[:1], reason="asked")
    assert not raw.exists()


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("state/nights/notes.txt", b"seen: person-1."),
        ("mlflow/artifacts/evidence/lists.json", b'{"id":"person-1"}'),
        ("state/loose.bin", b"\xff" * (2**24 - 5) + b" person-1 "),
        ("state/checkpoints.db", b"\0person-1\0"),
    ],
)
def test_the_scan_finds_a_name_in_any_file(tmp_path, place, content, fresh):
    """Also over the border of two blocks; nights wait until it is mended."""
    made = fresh(tmp_path)[1]
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(content)
    with pytest.raises(ContractViolationError, match=f"got 1 that do: {place}"):
        forget_people(made.config, NAMES[1:2], reason="asked")
    assert unfinished(tmp_path) is not None
    (tmp_path / place).write_bytes(content.replace(b"person-1", b"person-11"))
    forget_people(made.config, NAMES[1:2], reason="asked")
    assert unfinished(tmp_path) is None


def test_numbers_are_looked_for_where_they_are_marked_as_users(tmp_path, fresh):
    """A number stands for many things; as a user's id it is found."""
    made = fresh(tmp_path, NUMBERS)[1]
    path = tmp_path / "state" / "notes.json"
    path.write_text('{"n_rows": 70001}', encoding="utf-8")
    done = forget_people(made.config, texts(NUMBERS[1]), reason="asked")
    assert done.proof.ids_too_short == 1
    path.write_text('{"user_id": 70001, "n": 1}', encoding="utf-8")
    assert check_forgotten(made.config, texts(NUMBERS[1])).found == ("state/notes.json",)


def test_a_look_changes_nothing(tmp_path, fresh):
    """Whoever is asked for is found, whether listed or not."""
    made = fresh(tmp_path)[1]
    found = check_forgotten(made.config, NAMES[:1]).found
    assert len(found) > 10
    assert not folder_of(tmp_path).exists()
    assert set(naming(tmp_path, NAMES[:1])) == set(found)


def test_who_cannot_be_forgotten_is_told(tmp_path, fresh):
    """Before anything is done."""
    made = fresh(tmp_path / "lake", NUMBERS)[1]
    with pytest.raises(ConfigError, match="whole numbers as in the log of this lake, got 2 of 3"):
        forget_people(made.config, ("70001", "ann", "007"), reason="asked")
    with pytest.raises(ConfigError, match="somebody must be forgotten"):
        forget_people(made.config, reason="asked")
    with lake_lock(tmp_path / "lake"), pytest.raises(LakeLockedError, match="holds the lake"):
        forget_people(made.config, ("70001",), reason="asked")
    assert read_list(tmp_path / "lake").hashes == frozenset()


def test_users_are_read_from_a_file(tmp_path):
    """Strings or integers, each once; what is wrong is told without an id."""
    path = tmp_path / "users.parquet"
    pl.DataFrame({"user_id": ["b", "a", "b"], "x": 1}).write_parquet(path)
    assert read_users(path) == ("a", "b")
    pl.DataFrame({"user_id": pl.Series([7, -8], dtype=pl.Int32)}).write_parquet(path)
    assert read_users(path) == ("-8", "7")
    for values, words in (
        (["ann", None], "row 1"), (["", "ann"], "row 0"), ([1.5], "strings or integers, got Float"),
    ):  # fmt: skip
        pl.DataFrame({"user_id": values}).write_parquet(path)
        with pytest.raises(ConfigError, match=words) as told:
            read_users(path)
        assert "ann" not in str(told.value)
    for content in (b"", b"user_id\nann\n"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="a Parquet file with a column user_id"):
            read_users(path)


def test_no_log_line_names_them(tmp_path, caplog, fresh):
    """Nor does what the command returns."""
    made = fresh(tmp_path)[1]
    caplog.set_level("DEBUG")
    caplog.clear()
    done = forget_people(made.config, NAMES[:3], reason="asked")
    assert caplog.messages
    assert not any(name in text for name in NAMES for text in caplog.messages)
    assert not any(name in done.model_dump_json() for name in NAMES)


def test_the_log_s_own_column_name_is_known(tmp_path):
    """Refused rows keep it, under another name where it is one of ours."""
    lake = tmp_path
    renamed = {"user_id": "rule", "item_id": "sku"}
    rows = [
        ("ann", "i1", "view", at(1)),
        ("ann", "i1", "what", at(2)),
        ("eve", "i1", "what", at(3)),
    ]
    path = write_day(lake, rows)
    pl.read_parquet(path).rename(renamed).write_parquet(path)
    made = night(lake, interactions={"columns": renamed})
    ingest(made)
    assert naming(lake, ["ann"])
    done = forget_people(made.config, ("ann",), reason="asked")
    assert naming(lake, ["ann"]) == []
    assert naming(lake, ["eve"])
    assert done.rows == {"ingest": 1, "quarantine": 1}


def test_ingest_counts_stay_and_rows_go(tmp_path, fresh):
    """A manifest's accounts tell what was read; the next night's tell what was taken out."""
    made = fresh(tmp_path)[1]
    before = read_manifest(made.step("ingest"), IngestManifest)
    forget_people(made.config, NAMES[:2], reason="asked")
    after = read_manifest(made.step("ingest"), IngestManifest)
    assert after.log_files == before.log_files
    assert sum(file.rows for file in after.files) < sum(file.rows for file in before.files)


def test_a_reader_keeps_the_old_tables_until_done_or_until_the_wait_is_over(tmp_path, fresh):
    """Meanwhile latest shows the new ones, whole."""
    made = fresh(tmp_path)[1]
    with ThreadPoolExecutor(1) as pool:
        with reading(tmp_path) as (folder, manifest):
            under_way = pool.submit(
                forget_people, made.config, NAMES[:2], reason="asked", wait_seconds=60.0
            )
            while not folder_of(tmp_path).is_dir() or (tmp_path / "latest").resolve() == folder:
                assert not under_way.done()
                time.sleep(0.05)
            assert verify_snapshot(folder) == manifest
            shown = verify_snapshot((tmp_path / "latest").resolve())
            assert shown.rows["top_n"] < manifest.rows["top_n"]
        under_way.result(timeout=60)
    assert (tmp_path / "latest").resolve() == folder
    with reading(tmp_path) as (folder, manifest):
        forget_people(made.config, NAMES[2:4], reason="asked", wait_seconds=0.0)
        assert verify_snapshot(folder) != manifest
    assert naming(tmp_path, NAMES[:4]) == []
