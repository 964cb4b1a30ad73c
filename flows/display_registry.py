"""What the commands of model owners show: decisions, and the state of a lake."""

from rich.table import Table

from data_contracts.answer import LakeStatus
from data_contracts.decision import Decision
from data_contracts.ledger import ForgetEntry, LedgerLine
from flows.display import OUT, print_json, say


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


def status(lake: LakeStatus, *, as_json: bool) -> None:
    """Show a lake: what disagrees comes last, where eyes rest."""
    if as_json:
        print_json(lake)
        return
    OUT.print(f"Lake {lake.lake}")
    made_by = f" (version {lake.model_version})" if lake.latest else ""
    OUT.print(f"latest: {lake.latest or 'nothing published'}{made_by}")
    if lake.registry is not None:
        aliases = lake.registry.model_dump(exclude={"model"})
        shown = ", ".join(f"{alias} {version or 'none'}" for alias, version in aliases.items())
        OUT.print(f"registry: {lake.registry.model}, {shown}")
    if lake.vocabulary is not None:
        items, retired = lake.vocabulary.items, lake.vocabulary.retired
        OUT.print(f"vocabulary: {items:,} items, {retired:,} of them retired")
    nights = Table("run date", "finished steps", "next step", box=None)
    for night in lake.nights:
        nights.add_row(str(night.run_date), str(len(night.finished)), night.next_step or "done")
    OUT.print(nights)
    say("\nLedger", f" {len(lake.promotions)} decisions, {'whole' * lake.whole or 'changed'}")
    for number, line in enumerate(lake.promotions, start=1):
        _decision_line(number, line)
    for note in lake.notes:
        say("\nNote ", note)
    for problem in lake.problems:
        say("\nDisagreement ", problem)
    if not lake.problems and lake.registry is not None:
        OUT.print("\nLedger and registry agree.")


def _decision_line(number: int, line: LedgerLine) -> None:
    entry = line.entry
    if isinstance(entry, ForgetEntry):
        say(f"{number}. forget", f" {entry.people} people: {entry.reason}")
        OUT.print(f"   {line.at:%Y-%m-%d %H:%M} UTC by {line.by}, seal {line.seal[:12]}")
        return
    forced = ", forced" * entry.forced
    say(
        f"{number}. {entry.run_date} {entry.action}",
        f" {entry.verdict}{forced}: champion {entry.champion}, previous "
        f"{entry.previous or 'none'}, challenger {entry.challenger}; {entry.reason}",
    )
    facts = [f"{line.at:%Y-%m-%d %H:%M} UTC by {line.by}"]
    facts += [f"{name} {mean:+.4f}" for name, mean in entry.figures.items()]
    facts += [f"configuration {entry.config_digest}"] * bool(entry.config_digest)
    facts += [f"data {entry.data_digest}"] * bool(entry.data_digest)
    facts += [f"tables {entry.snapshot}"] * bool(entry.snapshot)
    facts += [f"version {entry.bad_version} marked bad"] * bool(entry.bad_version)
    OUT.print(f"   {', '.join(facts)}, seal {line.seal[:12]}")
