"""What the commands of model owners show."""

from data_contracts.decision import Decision
from flows.display import OUT, print_json


def decision(made: Decision, *, as_json: bool) -> None:
    """Show what a person decided, and what follows from it."""
    if as_json:
        print_json(made)
        return
    OUT.print(f"Champion is version {made.champion}, until now version {made.before}.")
    if made.entry.forced:
        OUT.print(f"The gate said {made.entry.verdict}; the ledger has this as forced.")
    if made.snapshot is not None:
        OUT.print(f"The tables are those of {made.snapshot} again, checked file by file.")
    else:
        OUT.print("The tables follow with the next night, or run the last one again.")
    if made.entry.bad_version is not None:
        OUT.print(
            f"Version {made.entry.bad_version} is marked: no night promotes it or a model like it."
        )
