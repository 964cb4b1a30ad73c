"""What evaluate and tune show."""

from rich.table import Table

from data_contracts.evaluation import Evaluation
from data_contracts.model_config import model_kinds
from data_contracts.tuning_result import Trial, Tuning
from flows.display import OUT, print_json, say


def evaluation(result: Evaluation, *, as_json: bool) -> None:
    """Show the figures of a model, and everything they depend on."""
    if as_json:
        print_json(result)
        return
    figures = Table("metric", "mean", "standard error", box=None)
    for name, figure in result.metrics.items():
        error = figure.standard_error
        figures.add_row(name, f"{figure.mean:.5f}", "" if error is None else f"{error:.5f}")
    OUT.print(figures)
    for name, rule in result.rules.items():
        say(f"{name}: ", rule)
    given, where, whose = result.histories, "train", "own train rows"
    if given is not None:
        where, whose = "the histories", "own history"
    say(
        "users: ",
        f"{result.n_users:,} judged; {result.n_users_left_out:,} not in {where}, left out",
    )
    if given is not None:
        say(
            "histories: ",
            f"{given.n_users:,} users, {given.n_pairs:,} pairs; {given.n_unknown:,} of items not "
            f"in train, passed over; {given.n_duplicates:,} duplicates dropped",
        )
    say(
        "train: ",
        f"{result.n_train_users:,} users, {result.n_items:,} items, "
        f"{result.n_train_pairs:,} pairs; {result.n_duplicates_train:,} duplicates dropped",
    )
    say(
        "test: ",
        f"{result.n_targets:,} targets of the judged users, of which {result.n_targets_unknown:,} "
        f"are not in train and {result.n_targets_seen:,} are the user's {whose}; "
        f"{result.n_duplicates_test:,} duplicates dropped",
    )
    say("model: ", _pairs(result.model))
    if result.searched:
        say("searched: ", f"{result.n_trials} trials of study {result.study} chose")
        OUT.print(f"  {_pairs(result.searched)}")
    say(*_epochs(result))
    say(
        "run: ",
        f"seed {result.seed}, {result.device}, train {result.train_seconds} s, search "
        f"{result.search_seconds} s, peak memory {result.peak_memory_mb:,} MB, "
        f"model {result.model_digest}",
    )


def tuning(result: Tuning, *, as_json: bool) -> None:
    """Show the trials of a search and its best model, ready to be copied."""
    if as_json:
        print_json(result)
        return
    names = list(result.best_params)
    trials = Table("trial", result.metric, "best epoch", "epochs", "s", *names, "", box=None)
    for trial in result.trials:
        trials.add_row(*_row(trial, names))
    OUT.print(trials)
    configured = result.configured_value
    than = "" if configured is None else f", the model as configured has {configured:.5f}"
    epochs = f" after {result.best_epoch} epochs" if result.best_epoch else ""
    say("\nBest: ", f"{result.metric} {result.best_value:.5f}{epochs}{than}")
    OUT.print(
        f"{result.n_new_trials} of {len(result.trials)} trials in this call, {result.seconds} s on "
        f"{result.device}, judged on {result.validation_users:,} users held out of train"
    )
    OUT.print(f"Study {result.study} in {result.storage}\n")
    OUT.print(result.model_file, soft_wrap=True)
    if result.out is not None:
        OUT.print(f"Wrote {result.out}")


def _epochs(result: Evaluation) -> tuple[str, str]:
    kind = model_kinds()[result.model["kind"]]
    figure, name = result.validation_ndcg, "nDCG@100"
    if kind.consumes == "ratings":
        figure, name = result.validation_rmse, "rmse"
    told = f"validation {name} {'none' if figure is None else f'{figure:.5f}'}"
    if kind.stops_early:
        return "best epoch: ", f"{result.best_epoch}, {told}"
    return "epochs: ", f"{result.best_epoch or 'none, a closed form'}, {told}"


def _row(trial: Trial, names: list[str]) -> list[str]:
    value = "pruned" if trial.value is None else f"{trial.value:.5f}"
    epoch = str(trial.best_epoch) if trial.best_epoch else ""
    given = [_text(trial.params.get(name)) for name in names]
    note = "as configured" if trial.configured else trial.problem or ""
    return [
        str(trial.number),
        value,
        epoch,
        str(trial.epochs) if trial.epochs else "",
        f"{trial.seconds:.1f}",
        *given,
        note,
    ]


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items())


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
