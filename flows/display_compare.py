"""What compare shows."""

from pathlib import Path

from rich.table import Table

from data_contracts.comparison import Comparison
from flows.display import OUT, print_json, say
from tasks.compare.compare_text import header, machine_text, rows, verdict


def comparison(result: Comparison, folder: Path, *, as_json: bool) -> None:
    """Show the table, why models are missing from it, and where the rest lies."""
    if as_json:
        print_json(result)
        return
    title, _, more = result.about.partition("\n")
    say(title, f", {result.split.n_users:,} users judged")
    if more:
        OUT.print(more)
    names, body = header(result), rows(result)
    quality, costs = Table(*names[:4], "", box=None), Table(names[0], *names[4:], box=None)
    for model, row in zip(result.models, body, strict=True):
        quality.add_row(*row[:4], verdict(model.differences.get(result.metric), result.metric))
        costs.add_row(row[0], *row[4:])
    OUT.print(quality, costs, sep="\n")
    for model in result.models:
        if model.problem:
            say(f"{model.name}: ", model.problem)
    for name, rule in result.rules.items():
        say(f"{name}: ", rule)
    say("machine: ", machine_text(result.machine))
    say("results: ", f"{folder}/comparison.json, comparison.md, comparison.svg")
