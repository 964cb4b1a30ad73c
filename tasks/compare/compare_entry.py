"""Which models a comparison holds: files and kinds, each with its search."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from data_contracts.embedding_config import ModuleConfig
from data_contracts.errors import ConfigError
from data_contracts.fixed_split import FOR_ROWS
from data_contracts.model_config import Consumed, model_kinds, needs_content
from data_contracts.model_file import ModelFile, load_model_file
from data_contracts.tuning import TuneConfig
from models.rating.rating_metric import ERRORS

logger = logging.getLogger(__name__)
ALWAYS = ("popularity", "random")  # the floor that every table of lists shows
OF_RATINGS = ("rating_mean", "rating_bias")  # that of every table of errors of ratings
_SEARCH_SHARE = 0.5  # of a model's time: the rest is for the final fit


class Entry(NamedTuple):
    """A model to compare."""

    name: str
    file: ModelFile


def entries(
    configs: Sequence[Path],
    kinds: Sequence[str],
    *,
    trials: int | None,
    timeout: float | None,
    has_items: bool = False,
    metric: str = "ndcg@100",
    readable: Collection[Consumed] = ("weights", "ratings", "order"),
) -> list[Entry]:
    """Return the models of files and of kinds, and those that stand in every table.

    Args:
        configs: model files; a model is named after its file.
        kinds: kinds of model with their defaults; "all" is every kind.
        trials: of every search; by default what a file says, and none for a kind.
        timeout: seconds that one model may take; half of them are for its search.
        has_items: whether there is a catalogue for models that learn with content of items;
            without one "all" leaves them out.
        metric: of the table; errors of ratings are of kinds that predict them only.
        readable: what models may consume of the training file; "all" leaves out other kinds.

    Raises:
        ConfigError: nothing is named, a file or kind does not exist, two have one name, a model
            lacks content of items, or predicts no ratings where these are compared.
    """
    if trials is not None and trials < 0:
        raise ConfigError(f"--trials must not be negative, got {trials}")
    if timeout is not None and timeout <= 0:
        raise ConfigError(f"--timeout must be positive, got {timeout:g}")
    if not configs and not kinds:
        raise ConfigError("name at least one model: --config model.toml, or --kinds ease,elsa")
    named = [Entry(path.stem, load_model_file(path)) for path in configs]
    named += [
        Entry(kind, _file_of(kind)) for kind in _kinds(kinds, metric, readable, has_items=has_items)
    ]
    for name, file in named:
        if needs_content(file.model) and not has_items:
            raise ConfigError(f"{name} needs content of items: give --items items.parquet")
    there = {each.file.model.kind for each in named}
    always = OF_RATINGS if metric in ERRORS else ALWAYS
    named += [Entry(kind, _file_of(kind)) for kind in always if kind not in there]
    if metric in ERRORS:
        _refuse_others(named)
    names = [each.name for each in named]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"models must have different names, got {twice[0]} twice: rename a file")
    return [Entry(name, _searched(file, trials, timeout)) for name, file in named]


def _kinds(
    kinds: Sequence[str], metric: str, readable: Collection[Consumed], *, has_items: bool
) -> list[str]:
    known = list(model_kinds())
    if "all" in kinds:
        lacks = {kind: _lack(kind, metric, readable, has_items=has_items) for kind in known}
        for kind, lack in lacks.items():
            if lack:
                logger.warning("%s is left out: it %s", kind, lack)
        return [kind for kind in known if not lacks[kind]]
    for kind in kinds:
        if kind not in known:
            raise ConfigError(f"--kinds must name some of {', '.join(known)} or all, got {kind}")
    return list(kinds)


def _lack(kind: str, metric: str, readable: Collection[Consumed], *, has_items: bool) -> str:
    """Say why a kind cannot be in a table of all, nothing if it can."""
    model = _file_of(kind).model
    if metric in ERRORS and model.consumes != "ratings":
        return "predicts no ratings"
    if model.consumes not in readable:
        return f"needs a column {FOR_ROWS[model.consumes][0]} in train"
    if needs_content(model) and not has_items:
        return "needs content of items (--items)"
    if isinstance(model, ModuleConfig) and not model.name:
        return "needs the name of a plug-in (model.name in a file)"
    return ""


def _refuse_others(named: Sequence[Entry]) -> None:
    """Refuse, where errors of ratings are compared, a model that predicts none."""
    able = [kind for kind, each in model_kinds().items() if each.consumes == "ratings"]
    for name, file in named:
        if file.model.consumes != "ratings":
            raise ConfigError(
                f"errors of ratings compare kinds that predict them ({', '.join(able)}), got "
                f"{name} of kind {file.model.kind}: leave it out, or name another --metric"
            )


def _file_of(kind: str) -> ModelFile:
    return ModelFile.model_validate({"model": {"kind": kind}})


def _searched(file: ModelFile, trials: int | None, timeout: float | None) -> ModelFile:
    """Return the file with the search it gets, none where there is nothing to search."""
    tune = file.tune or TuneConfig(n_trials=0)
    if trials is not None:
        tune = tune.model_copy(update={"n_trials": trials})
    if not tune.n_trials or not tune.space.get(file.model.kind):
        return file.model_copy(update={"tune": None})
    if timeout is not None:
        most = min(timeout * _SEARCH_SHARE, tune.timeout_seconds or timeout)
        tune = tune.model_copy(update={"timeout_seconds": most})
    return file.model_copy(update={"tune": tune})
