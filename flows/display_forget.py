"""What forgetting people shows: numbers and places, never an id."""

from rich.table import Table

from data_contracts.forgetting import Forgetting, Proof
from flows.display import OUT, print_json, say


def confirmed(n_people: int, lake: str) -> bool:
    """Ask whether it is to be done."""
    who = f"{n_people:,} people" if n_people else "everybody on the list"
    answer = OUT.input(f"Forget {who} in {lake}? It cannot be taken back. [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def forgetting(done: Forgetting, *, as_json: bool) -> None:
    """Show what was taken out, and the proof."""
    if as_json:
        print_json(done)
        return
    say(
        f"{done.people:,} people",
        f" forgotten, {done.new:,} of them new; {done.listed:,} are refused from now on",
    )
    places = Table("place", "rows taken out", box=None)
    for place, rows in done.rows.items():
        places.add_row(place, f"{rows:,}")
    OUT.print(places)
    for name in done.snapshots:
        OUT.print(f"Snapshot {name} is rewritten, under its name")
    for name in done.remote:
        OUT.print(f"Snapshot {name} is rewritten in the object store")
    proof(done.proof, as_json=False)


def proof(found: Proof, *, as_json: bool) -> None:
    """Show what a look at every file has found."""
    if as_json:
        print_json(found)
        return
    OUT.print(
        f"Looked into {found.files:,} files ({found.bytes / 1e6:,.1f} MB): {found.tables:,} tables "
        f"for {found.people:,} people, {found.texts:,} other files for {found.ids:,} ids"
    )
    if found.ids_too_short:
        OUT.print(
            f"{found.ids_too_short:,} of the ids are numbers or shorter than five letters: texts "
            "are searched for them only where a user's id is marked as one"
        )
    if found.found:
        say(f"{len(found.found):,} files name somebody:", f" {', '.join(found.found[:10])}")
    else:
        say("No file of the lake", " names any of them")
    if found.yours:
        say(
            f"{len(found.yours):,} files of your own do,",
            f" and stay as they are: {', '.join(found.yours[:5])}",
        )
