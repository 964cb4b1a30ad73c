"""What doctor shows."""

from rich.table import Table

from data_contracts.health import Health
from flows.display import OUT, print_json, say

_MARKS = {"ok": "ok", "advice": "advice", "problem": "PROBLEM"}


def health(found: Health, *, as_json: bool) -> None:
    """Show what was looked at, and what to do."""
    if as_json:
        print_json(found)
        return
    rows = Table("", "", "", box=None, show_header=False)
    for each in found.findings:
        rows.add_row(_MARKS[each.state], each.name, each.found)
    OUT.print(rows)
    for each in found.findings:
        if each.remedy is not None and each.state != "ok":
            OUT.print(f"{each.name}: {each.remedy}", soft_wrap=True)
    problems = sum(each.state == "problem" for each in found.findings)
    say("Well" if found.is_well else "Not well", f": {problems} problem{'s' * (problems != 1)}")
