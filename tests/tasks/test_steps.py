"""Steps: done once, done again when something changed, never half-done."""

import errno
from datetime import date

import polars as pl
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.frozen import Frozen
from data_contracts.manifests import Manifest
from tasks.files import StorageError
from tasks.lake import Night
from tasks.steps import entries, is_whole, once, read_manifest, run_step


@pytest.fixture
def night(tmp_path):
    """A night on an empty lake."""
    return Night(config=NightlyConfig(lake=str(tmp_path)), run_date=date(2026, 9, 28))


class Work:
    """A step's work that counts how often it was done."""

    def __init__(self, night, fail=False):
        self.night, self.fail, self.times = night, fail, 0

    def __call__(self, staging, key):
        self.times += 1
        (staging / "rows.txt").write_text("frost", encoding="utf-8")
        if self.fail:
            raise KeyboardInterrupt
        files = entries(staging, {"rows.txt": 1})
        return Manifest(step="some", run_date=self.night.run_date, key=key, files=files)


def run(night, work, **settings):
    """Run the step with these settings."""
    return run_step(night, "some", Manifest, settings=settings, work=work)


def test_finished_step_is_used_again(night):
    """The second call does no work and returns the same manifest."""
    work = Work(night)
    assert run(night, work, n=1) == run(night, work, n=1)
    assert work.times == 1


def test_changed_setting_does_the_step_again(night):
    """A setting is part of the key."""
    work = Work(night)
    run(night, work, n=1)
    run(night, work, n=2)
    assert work.times == 2


def test_changed_input_does_the_step_again(night):
    """What an earlier step left behind is part of the key, how it was asked for is not."""
    work = Work(night)
    first, second = (Manifest(step="in", run_date=night.run_date, key=key) for key in "ab")
    other = Manifest(step="other", run_date=night.run_date, key="a")
    for inputs, times in (([first], 1), ([second], 1), ([other], 2)):
        run_step(night, "some", Manifest, settings={}, inputs=inputs, work=work)
        assert work.times == times


def test_missing_file_does_the_step_again(night):
    """A manifest without its files is no finished step."""
    work = Work(night)
    manifest = run(night, work)
    (night.step("some") / "rows.txt").unlink()
    assert not is_whole(night.step("some"), manifest)
    run(night, work)
    assert work.times == 2


def test_killed_step_leaves_nothing(night):
    """Staged files are not the step; the next call starts anew."""
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        run(night, Work(night, fail=True))
    assert read_manifest(night.step("some"), Manifest) is None
    work = Work(night)
    run(night, work)
    assert work.times == 1


def test_manifest_of_an_older_version_counts_as_none(night):
    """A manifest that does not parse is not trusted."""
    run(night, Work(night))
    (night.step("some") / "manifest.json").write_text('{"step": "some"}', encoding="utf-8")
    work = Work(night)
    run(night, work)
    assert work.times == 1


class Count(Frozen):
    """The note of a finished file."""

    rows: int


class PartWork:
    """A step of three files that dies in the middle of one of them."""

    def __init__(self, night, dies_at=None):
        self.night, self.dies_at, self.written = night, dies_at, []

    def __call__(self, staging, key):
        rows = {f"part-{n}.txt": once(staging / f"part-{n}.txt", Count, self.part(n)).rows
                for n in range(3)}  # fmt: skip
        files = entries(staging, rows)
        return Manifest(step="some", run_date=self.night.run_date, key=key, files=files)

    def part(self, n):
        """Return what writes one file."""

        def write(path):
            path.write_text("frost" * n, encoding="utf-8")
            if n == self.dies_at:
                raise KeyboardInterrupt
            self.written.append(n)
            return Count(rows=n)

        return write


def resume(night, work, **settings):
    """Run a step that keeps its finished files."""
    return run_step(night, "some", Manifest, settings=settings, work=work, resume=True)


def test_finished_files_of_a_killed_step_are_not_written_again(night):
    """Only the file that was cut short and those after it are written, with the same manifest."""
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        resume(night, PartWork(night, dies_at=1))
    work = PartWork(night)
    manifest = resume(night, work)
    assert work.written == [1, 2]
    assert [(file.path, file.rows, file.bytes) for file in manifest.files] == [
        ("part-0.txt", 0, 0), ("part-1.txt", 1, 5), ("part-2.txt", 2, 10)
    ]  # fmt: skip


def test_another_key_begins_anew(night):
    """What was staged under other settings is not used."""
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        resume(night, PartWork(night, dies_at=2), n=1)
    work = PartWork(night)
    resume(night, work, n=2)
    assert work.written == [0, 1, 2]


@pytest.mark.parametrize("damage", ["shorter file", "no file", "no note", "bad note", "old note"])
def test_a_note_without_its_file_is_not_trusted(tmp_path, night, damage):
    """File and note must both be there and fit."""
    path, note = tmp_path / "part.txt", tmp_path / ".part.txt.note"
    work = PartWork(night)
    assert once(path, Count, work.part(2)) == once(path, Count, work.part(2)) == Count(rows=2)
    assert work.written == [2]
    {
        "shorter file": lambda: path.write_text("fro", encoding="utf-8"),
        "no file": path.unlink,
        "no note": note.unlink,
        "bad note": lambda: note.write_text('{"bytes"', encoding="utf-8"),
        "old note": lambda: note.write_text('{"bytes": 10, "note": {"n": 2}}', encoding="utf-8"),
    }[damage]()
    once(path, Count, work.part(2))
    assert work.written == [2, 2]
    assert path.read_text(encoding="utf-8") == "frost" * 2


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "no space left on device.*free some space"),
        (errno.EROFS, "read-only file system.*mount it for writing"),
        (errno.EACCES, "permission denied.*let the user of this process write there"),
    ],
)
def test_a_disk_that_cannot_be_written_is_explained(night, number, advice):
    """The sentence names the path, says that nothing published is lost, and what to do."""

    def work(staging, key):
        raise OSError(number, "as the kernel says", str(staging / "part"))

    with pytest.raises(StorageError, match=f"staging/some/part must be writable, got: {advice}"):
        run_step(night, "some", Manifest, settings={}, work=work)


def test_a_polars_error_of_a_full_disk_is_explained_too(night):
    """Polars names the kernel's error in words only."""

    def work(staging, key):
        raise pl.exceptions.ComputeError("parquet: No space left on device (os error 28)")

    with pytest.raises(StorageError, match="must be writable, got: no space left on device"):
        run_step(night, "some", Manifest, settings={}, work=work)


def test_a_full_disk_keeps_what_was_finished(night):
    """With space again only the rest is written."""
    full = PartWork(night)
    part = full.part

    def until_full(n):
        def write(path):
            raise OSError(errno.ENOSPC, "no space", str(path))

        return write if n == 2 else part(n)

    full.part = until_full
    with pytest.raises(StorageError, match=r"part-2.txt.new must be writable, got: no space left"):
        resume(night, full)
    work = PartWork(night)
    resume(night, work)
    assert (full.written, work.written) == ([0, 1], [2])


def test_an_error_that_a_second_try_may_mend_stays_an_os_error(night):
    """The night's tasks are tried again after one."""

    def work(staging, key):
        raise OSError(errno.EIO, "input/output error")

    with pytest.raises(OSError, match="input/output error"):
        run_step(night, "some", Manifest, settings={}, work=work)
