"""The command that compares models: on one split, each in a process of its own."""

import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from data_contracts.errors import HoarfrostError
from flows import display_compare
from flows.cli_model import Items, Pairs
from flows.flag import Json

Configs = Annotated[
    list[Path] | None, Parameter(negative="", help="model file, any number of times")
]
Kinds = Annotated[str | None, Parameter(help="kinds with their defaults, as ease,elsa; or all")]
Trials = Annotated[
    int | None, Parameter(help="trials of every search; by default what a model file says")
]
Timeout = Annotated[
    float | None, Parameter(help="seconds of one model; half of them for its search")
]
Metric = Annotated[str, Parameter(help="by which the table is sorted")]
Baseline = Annotated[
    str | None, Parameter(help="model that others are held against; by default the best")
]
Out = Annotated[Path, Parameter(help="folder of the results")]
About = Annotated[str | None, Parameter(help="the data and the split, in words")]
Page = Annotated[
    Path | None, Parameter(help="Markdown file of all comparisons that lie beside this one")
]


def compare(
    *,
    train: Pairs,
    test: Pairs,
    config: Configs = None,
    kinds: Kinds = None,
    items: Items = None,
    trials: Trials = None,
    timeout: Timeout = None,
    metric: Metric = "ndcg@100",
    baseline: Baseline = None,
    out: Out = Path("comparison"),
    about: About = None,
    page: Page = None,
    json: Json = False,
) -> None:
    """Compare models on a fixed split: quality with paired intervals, time, memory and size.

    Every model is searched on users held out of train, fitted and ranked in a process of its own;
    the test file chooses nothing. One that fails does not stop the others: the table says why,
    and the exit code is 0 as long as one of the models named has figures. Popularity and random
    stand in every table, the mean and biases in one of errors of ratings (--metric rmse). A
    repeated call fits only what is not finished. The folder gets comparison.json, comparison.md
    and comparison.svg.

    Example: hoarfrost compare --train train.parquet --test test.parquet --kinds ease,sansa,elsa
    --trials 10

    Example: hoarfrost compare --train train.parquet --test test.parquet --kinds all --metric rmse

    Example: hoarfrost compare --train train.parquet --test test.parquet --config wide.toml
    --config narrow.toml --baseline narrow --timeout 600
    """
    from tasks.compare.compare import compare_models, finished
    from tasks.compare.compare_entry import entries
    from tasks.compare.compare_page import check_page, write_page
    from tasks.evaluating.fixed_split import consumable

    if page is not None:
        check_page(page)
    named = [] if kinds is None else [each.strip() for each in kinds.split(",") if each.strip()]
    models = entries(
        config or [], named, trials=trials, timeout=timeout, has_items=items is not None,
        metric=metric, readable=consumable(train),
    )  # fmt: skip
    flags = {
        "train": train, "test": test, "config": config, "kinds": kinds, "items": items,
        "trials": trials, "timeout": timeout, "metric": metric, "baseline": baseline, "out": out,
        "page": page,
    }  # fmt: skip
    comparison = compare_models(
        train, test, models, metric=metric, baseline=baseline, timeout=timeout, out=out,
        about=about or f"{train.name}, {test.name}", command=_command(flags),
        today=datetime.now().astimezone().date(), items=items,
    )  # fmt: skip
    if page is not None:
        write_page(page, out.parent)
    display_compare.comparison(comparison, out, as_json=json)
    if not finished(comparison):
        raise HoarfrostError("none of the models named could be finished: the table says why")


def _command(flags: Mapping[str, object]) -> str:
    words = ["hoarfrost", "compare"]
    for name, value in flags.items():
        values = value if isinstance(value, list) else [value]
        words += [word for each in values if each is not None for word in (f"--{name}", str(each))]
    return shlex.join(words)
