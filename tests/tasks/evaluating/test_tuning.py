"""The search: it goes on, begins with what is configured, and says what it did."""

import functools
import tomllib

import optuna
import pytest
import scipy.sparse as sp
from mlflow import MlflowClient

from data_contracts.errors import (
    ConfigError,
    HoarfrostError,
    LakeLockedError,
    TooLittleDataError,
)
from data_contracts.model_file import ModelFile, load_model_file
from tasks.evaluating import tuning
from tasks.evaluating.fixed_split import read_train
from tasks.evaluating.search_log import SearchLog
from tasks.evaluating.tuned_model import tune_file, tune_lake
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.lock import study_lock
from tasks.training.epoch_fit import L2_TRIED
from tests.fixed_split import SMALL, model_file, tastes, write_pairs
from tests.tiny_lake import at, night, write_day

SPACE = {
    "learning_rate": {"low": 0.02, "high": 0.5, "log": True},
    "n_factors": {"low": 2, "high": 12, "step": 2},
    "batch_size": {"choices": [16, 64]},
    "alpha": {"low": 0.0, "high": 0.6},
}


@pytest.fixture
def train(tmp_path):
    """Users with tastes."""
    return write_pairs(tmp_path / "train.parquet", tastes(4)[0])


def tune(train, n_trials, name="study", space=SPACE, out=None, **sections):
    """Call the search as the command does."""
    file = model_file(tune={"n_trials": n_trials, "space": {"elsa": space}}, **sections)
    return tune_file(train, file, train.parent / f"{name}.db", mlflow_uri=None, out=out)


def facts(trial):
    """What does not depend on the clock."""
    return trial.model_dump(exclude={"seconds"})


def test_search_goes_on_and_is_the_same_in_one_go(train):
    """Two trials, then four: two more, and those that four at once would have tried."""
    first, more = tune(train, 2), tune(train, 4)
    assert (first.n_new_trials, more.n_new_trials) == (2, 2)
    assert [facts(trial) for trial in more.trials[:2]] == [facts(trial) for trial in first.trials]
    at_once = tune(train, 4, "other")
    assert [facts(trial) for trial in at_once.trials] == [facts(trial) for trial in more.trials]
    assert len({str(trial.params) for trial in more.trials}) == 4
    assert tune(train, 4).n_new_trials == 0
    assert more.best_value == max(trial.value for trial in more.trials)


def test_first_trial_is_the_configured_model(train):
    """Also where its values lie outside the space: the search never ends below it."""
    (trial,) = tune(train, 1).trials
    assert trial.configured
    given = {"learning_rate": 0.1, "n_factors": 8, "batch_size": 32, "alpha": 0.0}
    assert trial.params == given | {"l2": trial.params["l2"]}
    assert trial.params["l2"] in L2_TRIED  # chosen in the fit
    result = tune(train, 3)
    assert [trial.configured for trial in result.trials] == [True, False, False]
    assert result.configured_value == trial.value <= result.best_value
    for other in result.trials[1:]:
        assert other.params["batch_size"] in (16, 64)
        assert other.params["n_factors"] % 2 == 0
        assert 0.02 <= other.params["learning_rate"] <= 0.5


def test_other_data_or_settings_are_another_study(train, tmp_path):
    """Figures of different questions must not be compared."""
    studies = [tune(train, 1).study, tune(train, 1, seed=3).study]
    studies += [tune(train, 1, space={"alpha": {"low": 0.0, "high": 0.5}}).study]
    studies += [tune(train, 1, evaluation={"fold_in_share": 0.5}).study]
    studies += [tune(write_pairs(tmp_path / "b.parquet", tastes(5)[0]), 1).study]
    assert len(set(studies)) == 5
    assert tune(train, 1).n_new_trials == 0


def test_trial_left_running_by_a_kill_is_replaced(train):
    """The configured one too: it is still the first that counts."""
    X = read_train(train).X
    file = model_file(tune={"n_trials": 2, "space": {"elsa": SPACE}})
    search = tuning.prepare_search(X, file, train.parent / "study.db", device="cpu")
    study = tuning._study(search)
    tuning._enqueue_configured(study, search)
    study.ask()
    result = tune(train, 2)
    assert [trial.configured for trial in result.trials] == [True, False]
    study.ask()
    assert [facts(t) for t in tune(train, 3).trials[:2]] == [facts(t) for t in result.trials]
    states = [trial.state for trial in study.get_trials()]
    assert states.count(optuna.trial.TrialState.FAIL) == 2
    assert optuna.trial.TrialState.RUNNING not in states


def test_hopeless_trials_are_pruned(train):
    """They end early, take their place among the trials, and are never the best."""
    space = {"learning_rate": {"choices": [0.1, 1e-7]}}
    result = tune(train, 12, space=space, model=SMALL | {"n_neighbours": 0})
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned
    assert {(trial.value, trial.params["learning_rate"]) for trial in pruned} == {(None, 1e-7)}
    assert all(trial.epochs < SMALL["n_epochs"] for trial in pruned)
    assert len(result.trials) == 12
    assert result.best_params == {"learning_rate": 0.1}


def test_configured_model_is_never_pruned(train):
    """Its figure is what the others are compared with, however late and bad it comes."""
    space = {"learning_rate": {"choices": [0.1]}}
    bad = SMALL | {"learning_rate": 1e-7, "n_neighbours": 0}
    file = model_file(model=bad, tune={"n_trials": 8, "space": {"elsa": space}})
    search = tuning.prepare_search(
        read_train(train).X, file, train.parent / "study.db", device="cpu"
    )
    log = SearchLog(None, search.name)
    objective = functools.partial(tuning._objective, search=search, log=log, number=0)
    tuning._study(search).optimize(objective, n_trials=7)
    last = tune(train, 8, space=space, model=bad).trials[-1]
    assert (last.configured, last.state, last.epochs) == (True, "complete", 4)
    assert last.value < 0.8 * tune(train, 8, space=space, model=bad).best_value


def test_model_that_cannot_be_fitted_is_given_up(train):
    """A loss that is not finite ends a trial, not the search; a search of such trials ends."""
    space = {"learning_rate": {"choices": [1e38]}}
    result = tune(train, 2, space=space)
    assert result.best_params == {"learning_rate": 0.1, "l2": result.best_params["l2"]}
    assert result.best_params["l2"] in L2_TRIED
    assert result.trials[1].state == "pruned"
    assert "finite" in result.trials[1].problem
    broken = {"model": SMALL | {"learning_rate": 1e38}}
    with pytest.raises(HoarfrostError, match="no trial of 2 could be finished"):
        tune(train, 2, space=space, **broken)


def test_best_model_is_written_for_evaluate(train, tmp_path):
    """The file holds the best parameters, and everything that was configured."""
    result = tune(train, 3, seed=9, out=tmp_path / "best.toml")
    file = load_model_file(tmp_path / "best.toml")
    assert (file.seed, file.tune, file.training.validation_share) == (9, None, 0.3)
    assert result.best_params.items() <= file.model.model_dump().items()
    assert (tmp_path / "best.toml").read_text(encoding="utf-8") == result.model_file


def test_time_limit_keeps_what_is_done(train):
    """No further trial begins; a later call goes on."""
    tune(train, 1)
    file = model_file(tune={"n_trials": 5, "timeout_seconds": 1e-6, "space": {"elsa": SPACE}})
    result = tune_file(train, file, train.parent / "study.db", mlflow_uri=None, out=None)
    assert (result.n_new_trials, len(result.trials)) == (0, 1)


def test_two_searches_do_not_share_a_store(train):
    """Else each would take the other's running trial for one left by a kill."""
    with (
        study_lock(train.parent / "study.db"),
        pytest.raises(LakeLockedError, match=r"another search writes to .*study\.db"),
    ):
        tune(train, 1)


def test_store_that_is_none_is_refused(train):
    """A file of another kind is named, and kept."""
    (train.parent / "study.db").write_text("letters to nobody " * 99, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"study\.db must be a store of searches"):
        tune(train, 1)


def test_nothing_to_search_or_to_validate_on_is_refused(train):
    """Before any trial."""
    with pytest.raises(ConfigError, match=r"add \[tune\.space\.elsa\]"):
        tune(train, 1, space={})
    with pytest.raises(TooLittleDataError, match=r"150 users and .* leave none"):
        tune(train, 1, training={"device": "cpu", "validation_share": 0.0})
    with pytest.raises(TooLittleDataError, match="validation_share"):
        tuning.prepare_search(
            sp.csr_array((2, 2)), model_file(), train.parent / "s.db", device="cpu"
        )


def test_trials_of_a_file_are_logged_where_asked(train, mlflow_uri):
    """One run, nested ones with parameters, a figure per epoch and that of the whole model."""
    for n_trials in (1, 2):
        file = model_file(tune={"n_trials": n_trials, "space": {"elsa": SPACE}})
        result = tune_file(train, file, train.parent / "s.db", mlflow_uri=mlflow_uri, out=None)
    assert_logged(MlflowClient(mlflow_uri), "hoarfrost", result)


def assert_logged(client, experiment, result):
    """The runs say what the result says."""
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.info.run_name: run for run in runs if run is not parent}
    assert parent.data.metrics["best_ndcg_at_100"] == pytest.approx(result.best_value)
    assert set(children) == {f"trial-{trial.number}" for trial in result.trials}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for trial in result.trials:
        run = children[f"trial-{trial.number}"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.params == {name: str(value) for name, value in trial.params.items()}
        history = client.get_metric_history(run.info.run_id, "ndcg_at_100")
        assert [each.step for each in history] == list(range(1, trial.epochs + 1))
        assert run.data.metrics["validation_ndcg_at_100"] == pytest.approx(trial.value)


def test_lake_is_tuned_on_the_rows_of_a_night(tmp_path, mlflow_uri):
    """Matrices first; then the search lies in the lake, its trials in MLflow."""
    for day in (8, 10):
        rows = [(f"u{user}", f"i{item}", "view", at(1 + user / 20 - 48 * (day == 8)))
                for user, item in tastes(6)[0]]  # fmt: skip
        write_day(tmp_path, rows, day=at(0).date().replace(day=day))
    tonight = night(
        tmp_path,
        model=SMALL,
        training={"device": "cpu", "validation_share": 0.3},
        tune={"n_trials": 2, "space": {"elsa": SPACE}},
        mlflow={"tracking_uri": mlflow_uri},
    )
    with pytest.raises(HoarfrostError, match=r"make them with 'hoarfrost run --date 2026-09-10'"):
        tune_lake(tonight, out=None)
    build_matrices(tonight, build_history(tonight, ingest(tonight)))
    result = tune_lake(tonight, out=None)
    assert (tmp_path / "state" / "tuning" / f"{result.study}.db").is_file()
    assert result.validation_users == 45
    assert_logged(MlflowClient(mlflow_uri), "hoarfrost", result)
    assert tune_lake(tonight, out=None).n_new_trials == 0


def test_closed_form_is_searched_by_its_own_keys(train):
    """No epochs are told, none is pruned, and what is found is a file that can be read."""
    file = model_file(model={"kind": "edlae", "l2": 50.0}, tune={"n_trials": 3})
    found = tune_file(train, file, train.parent / "edlae.db", mlflow_uri=None, out=None)
    assert (found.kind, found.best_epoch, found.validation_users) == ("edlae", 0, 45)
    assert set(found.best_params) == {"l2", "dropout"}
    assert [(trial.state, trial.epochs) for trial in found.trials] == [("complete", 0)] * 3
    assert found.configured_value is not None
    told = ModelFile.model_validate(tomllib.loads(found.model_file))
    assert told.model.model_dump() == {"kind": "edlae"} | found.best_params


@pytest.mark.parametrize("kind", ["popularity", "random"])
def test_kind_without_keys_has_nothing_to_search(train, kind):
    """The error says which table would have to be there."""
    file = model_file(model={"kind": kind}, tune={"n_trials": 1})
    with pytest.raises(ConfigError, match=rf"add \[tune.space.{kind}\]"):
        tune_file(train, file, train.parent / "none.db", mlflow_uri=None, out=None)
