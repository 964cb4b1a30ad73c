"""Models compared on a tiny split: the figures of evaluate, failures that stop nobody, resuming."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from importlib.util import find_spec
from xml.etree import ElementTree as ET

import psutil
import pytest

from data_contracts.comparison import Comparison
from data_contracts.errors import ConfigError, LakeLockedError
from data_contracts.tuning import TuneConfig
from tasks.compare.compare import compare_models, finished
from tasks.compare.compare_entry import Entry, entries
from tasks.compare.compare_process import _is_searched
from tasks.evaluating.evaluating import evaluate_files
from tasks.lock import study_lock
from tests.compared import fitted
from tests.fixed_split import model_file, tastes, write_pairs
from tests.tasks.compare.test_compare_text import table

pytestmark = pytest.mark.slow
EASE = Entry("ease", model_file(model={"kind": "ease", "l2": 5.0}, tune={"n_trials": 2}))
LARGE = Entry(
    "large", model_file(model={"kind": "ease"}, training={"device": "cpu", "max_memory_gb": 1e-9})
)
POPULARITY = Entry("popularity", model_file(model={"kind": "popularity"}))


def compared(folder, *models, **settings) -> Comparison:
    """Compare on the split of a folder."""
    given = {
        "metric": "ndcg@20", "baseline": None, "timeout": None, "about": "tastes",
        "command": "hoarfrost compare", "today": date(2026, 11, 21), "out": folder / "out",
    }  # fmt: skip
    paths = (folder / "train.parquet", folder / "test.parquet")
    return compare_models(*paths, models, **given | settings)


def split(folder):
    """Write the two files."""
    for name, rows in zip(("train", "test"), tastes(8), strict=True):
        write_pairs(folder / f"{name}.parquet", rows)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a comparison of a good model, one that is refused, and the popular list."""
    folder = split(tmp_path_factory.mktemp("compare"))
    return folder, compared(folder, LARGE, POPULARITY, EASE)


def test_figures_are_those_of_evaluate(made):
    """The same choice on held-out users, the same fit, the same means and errors."""
    folder, comparison = made
    paths = folder / "train.parquet", folder / "test.parquet"
    alone = evaluate_files(*paths, EASE.file, folder / "alone.db")
    best = comparison.models[0]
    assert (best.name, comparison.reference) == ("ease", "ease")
    assert set(best.metrics) == set(alone.metrics)
    for name, figure in alone.metrics.items():
        got = best.metrics[name]
        assert (got.mean, got.standard_error) == pytest.approx((figure.mean, figure.standard_error))
        assert got.low <= got.mean <= got.high
    fit = best.fit
    assert (fit.searched, fit.n_trials, fit.validation_ndcg) == (
        alone.searched, alone.n_trials, alone.validation_ndcg,
    )  # fmt: skip
    assert fit.model_mb == pytest.approx(60 * 60 * 4 / 1e6, abs=1e-3)
    assert fit.peak_memory_mb > 50
    assert comparison.split.n_users == alone.n_users


def test_one_that_is_refused_stops_nobody(made):
    """Its row says why; the others have figures and differences."""
    _, comparison = made
    large = comparison.models[-1]
    assert (large.name, large.fit, large.metrics) == ("large", None, {})
    assert "a model of kind ease over 60 items must fit into" in large.problem
    assert finished(comparison) == ["ease"]
    popular = comparison.models[1]
    assert popular.differences["ndcg@20"].high < 0
    assert popular.differences["ndcg@20"].p_value < 0.05


def test_all_that_is_written_agrees(made):
    """Markdown, JSON and SVG say the same."""
    folder, comparison = made
    text = (folder / "out" / "comparison.json").read_text(encoding="utf-8")
    assert Comparison.model_validate(json.loads(text)) == comparison
    shown = table((folder / "out" / "comparison.md").read_text(encoding="utf-8"))
    assert [row["model"] for row in shown] == [each.name for each in comparison.models]
    for row, model in zip(shown, comparison.models, strict=True):
        means = {name: f"{each.mean:.4f}" for name, each in model.metrics.items() if name in row}
        assert all(row[name].startswith(mean) for name, mean in means.items())
    root = ET.parse(folder / "out" / "comparison.svg").getroot()
    assert root.tag.endswith("svg")
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 6


def test_finished_models_are_used_again(made, tmp_path, caplog):
    """The same files and settings: no second fit; other settings or files: a new one."""
    folder = shutil.copytree(made[0], tmp_path / "again")
    with caplog.at_level(logging.INFO, logger="tasks"):
        again = compared(folder, POPULARITY, EASE, baseline="popularity")
    assert len([each for each in caplog.messages if "used again" in each]) == 2
    assert again.reference == "popularity"
    assert again.models[0].fit == made[1].models[0].fit
    other = Entry("popularity", POPULARITY.file.model_copy(update={"seed": 9}))
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="tasks"):
        compared(folder, other)
    assert not any("used again" in each for each in caplog.messages)


@pytest.mark.parametrize(
    ("n_trials", "limit", "asked", "given", "again"),
    [
        (3, 20.0, 3, 60.0, True),  # all trials are there
        (2, 20.0, 3, 60.0, False),  # it may go on now
        (2, 20.0, 3, None, False),
        (2, 20.0, 3, 10.0, True),
        (2, None, 3, 60.0, True),  # it had all the time it wanted
        (0, None, 0, None, True),
    ],
)
def test_search_that_ran_out_of_time_goes_on_with_more(n_trials, limit, asked, given, again):
    """Only then is a model fitted again for the sake of time."""
    fit = fitted("a", 0.5, n_trials=n_trials, search_limit=limit).fit
    tune = TuneConfig(n_trials=asked, timeout_seconds=given)
    assert _is_searched(fit, tune) is again
    assert _is_searched(fit, None)


def kill_child(pid: int) -> None:
    """Kill the process that fits a model as soon as there is one."""
    for _ in range(1000):
        for child in psutil.Process(pid).children():
            if "tasks.compare.compare_fit" in " ".join(child.cmdline()):
                child.send_signal(signal.SIGKILL)
                return
        time.sleep(0.01)


def test_crash_and_time_limit_are_told(tmp_path):
    """A process that is killed and one that takes too long; the comparison goes on to its end."""
    folder = split(tmp_path)
    killer = threading.Thread(target=kill_child, args=(os.getpid(),))
    killer.start()
    crashed = compared(folder, POPULARITY)
    killer.join()
    (row,) = crashed.models
    assert "was ended by SIGKILL, as the system does when memory runs out" in row.problem
    assert (crashed.reference, finished(crashed)) == (None, [])
    (late,) = compared(folder, POPULARITY, timeout=0.2).models
    assert late.problem.startswith("took more than 0.2 s and was stopped: allow more (--timeout)")


@pytest.mark.skipif(find_spec("sksparse") is not None, reason="the extra cholmod is installed")
def test_missing_extra_is_told(tmp_path):
    """The row names the package that is missing."""
    lacking = Entry("lacking", model_file(model={"kind": "sansa", "factorizer": "cholmod"}))
    (row,) = compared(split(tmp_path), lacking).models
    assert "needs scikit-sparse" in row.problem


def test_model_ends_with_the_comparison(tmp_path):
    """A killed comparison leaves no fit behind that eats the machine."""
    job = tmp_path / "job.json"
    job.write_text("{}", encoding="utf-8")
    code = "import threading, tasks.compare.compare_fit as f; "
    code += "threading.Thread(target=f._end_with_parent, daemon=True).start(); "
    code += "print('up', flush=True); threading.Event().wait()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"up\n"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(30) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"metric": "auc"}, "--metric must be one of ndcg@100, .*got auc"),
        ({"baseline": "none"}, "--baseline must be one of popularity, got none"),
    ],
)
def test_wrong_names_are_refused_first(tmp_path, settings, words):
    """Before the files are even looked for."""
    with pytest.raises(ConfigError, match=words):
        compared(tmp_path, POPULARITY, **settings)


def test_second_comparison_in_a_folder_is_turned_away(tmp_path):
    """Two would write over each other's models."""
    folder = split(tmp_path)
    with (
        study_lock(folder / "out" / "comparison"),
        pytest.raises(LakeLockedError, match=r"another search writes to .*comparison"),
    ):
        compared(folder, POPULARITY)


def test_entries_of_files_and_kinds(tmp_path):
    """Names, the floor of every table, and what is searched for how long."""
    path = tmp_path / "wide.toml"
    path.write_text('[model]\nkind = "ease"\n[tune]\nn_trials = 9\n', encoding="utf-8")
    found = {each.name: each.file for each in entries([path], ["random"], trials=None, timeout=60)}
    assert list(found) == ["wide", "random", "popularity"]
    assert (found["wide"].tune.n_trials, found["wide"].tune.timeout_seconds) == (9, 30)
    assert found["popularity"].tune is None
    (wide, *_) = entries([path], [], trials=4, timeout=None)
    assert (wide.file.tune.n_trials, wide.file.tune.timeout_seconds) == (4, None)
    (ease, *_) = entries([], ["ease"], trials=None, timeout=None)
    assert ease.file.tune is None
    every = [each.name for each in entries([], ["all"], trials=0, timeout=None)]
    assert {"elsa", "sansa", "popularity"} < set(every)
    assert "elsa_content" not in every  # nothing is known of the items
    assert "module" not in every  # no plug-in is named
    with_items = entries([], ["all"], trials=0, timeout=None, has_items=True)
    assert "elsa_content" in [each.name for each in with_items]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("kinds", "trials", "timeout", "words"),
    [
        ([], None, None, "name at least one model: --config model.toml, or --kinds"),
        (["nmf"], None, None, "--kinds must name some of elsa, .* or all, got nmf"),
        (["ease", "ease"], None, None, "different names, got ease twice"),
        (["elsa_content"], None, None, "elsa_content needs content of items: give --items"),
        (["ease"], -1, None, "--trials must not be negative, got -1"),
        (["ease"], None, 0.0, "--timeout must be positive, got 0"),
    ],
)
def test_wrong_entries_are_refused(kinds, trials, timeout, words):
    """Before anything is fitted."""
    with pytest.raises(ConfigError, match=words):
        entries([], kinds, trials=trials, timeout=timeout)
