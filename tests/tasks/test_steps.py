"""Steps: done once, done again when something changed, never half-done."""

from datetime import date

import pytest

from data_contracts.config import NightlyConfig
from data_contracts.manifests import Manifest
from tasks.lake import Night
from tasks.steps import entries, is_whole, read_manifest, run_step


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
