"""What the command line shows: tables and sentences for people, JSON for scripts."""

import json
import logging
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from data_contracts.answer import LogCheck, QueryResult
from data_contracts.report import NightReport, UserExample
from data_contracts.table_rules import RuleOutcome
from tasks.report.report_rules import rule_notes, rule_rows
from tasks.report.report_text import metric_rows, plan_sentence

# no markup: a title in brackets is a title
OUT = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 140)
_LOGGERS = ("tasks", "models", "flows")
_HEADLINE = ("recall@20", "ndcg@100", "coverage@20", "popularity_lift@20", "fallback_share")


class JsonLines(logging.Formatter):
    """One JSON object per log line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        fields = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        return json.dumps({"time": self.formatTime(record)} | fields)


def start_logging() -> None:
    """Log readable lines to a terminal, JSON lines elsewhere; always to standard error."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False
    if not sys.warnoptions:  # what libraries warn of is for developers, who ask for it with -W
        warnings.simplefilter("ignore")


def error(message: str) -> None:
    """Print a failure to standard error."""
    print(f"hoarfrost: {message}", file=sys.stderr)


def report(night: NightReport, *, as_json: bool) -> None:
    """Show a night: lists first, then figures, log and paths."""
    if as_json:
        print_json(night)
        return
    for example in night.examples:
        _example(example)
    _metrics(night)
    _log(night)
    _rules(night.rules)
    _drift(night)
    if night.plan:
        outside = ", ".join(f"{each.what} ({each.unit})" for each in night.plan if not each.inside)
        say("\nPlan", f" {plan_sentence(night.plan)}{f'; outside: {outside}' * bool(outside)}")
    tables = ", ".join(f"{name} {rows:,} rows" for name, rows in night.table_rows.items())
    say("\nTables", f"      {night.snapshot}\n            {tables}")
    say("Quarantine", f"  {night.quarantine}")


def say(bold: str, plain: str) -> None:
    """Print a line that begins in bold."""
    OUT.print(Text.assemble((bold, "bold"), plain))


def _example(example: UserExample) -> None:
    say(f"\n{example.user_id}", f" liked: {'; '.join(example.history)}")
    lists = Table("rank", "item", "title", "score", "because of", "share", box=None)
    for line in example.recommendations:
        because = line.because_title or line.because_item_id or line.source
        share = "" if line.because_share is None else f"{line.because_share:.0%}"
        title = line.title or ""
        lists.add_row(
            str(line.rank), str(line.item_id), title, f"{line.score:.3f}", str(because), share
        )
    OUT.print(lists)


def _metrics(night: NightReport) -> None:
    say(f"\nVerdict: {night.verdict}", f" ({night.reason})")
    OUT.print(
        f"Champion is version {night.champion_version}, judged on {night.judged_users:,} users:"
    )
    gains = {"popularity": night.gain_over_popularity, "champion": night.gain_over_champion}
    against = "champion" if night.gain_over_champion else "popularity"
    columns = {**night.metrics, f"gain over {against}": gains[against]}
    figures = Table("metric", *columns, box=None)
    for row in metric_rows(columns, only=_HEADLINE):
        figures.add_row(*row)
    OUT.print(figures)


def _log(night: NightReport) -> None:
    say("\nLog", f" {night.accepted:,} of {night.rows:,} rows accepted; quarantined:")
    rules = Table("rule", "rows", box=None)
    for rule, count in sorted(night.quarantined.items()):
        rules.add_row(rule, f"{count:,}")
    OUT.print(rules)
    for file in night.refused_files:
        OUT.print(f"Refused {file.path} ({file.rule}): {file.reason}")


def _rules(outcomes: Sequence[RuleOutcome]) -> None:
    if not outcomes:
        return
    say("\nRules", " of the day:")
    shown = Table("rule", "day", "figure", "limit", "outcome", box=None)
    for row in rule_rows(outcomes):
        shown.add_row(*row)
    OUT.print(shown)
    for note in rule_notes(outcomes):
        say("Warning ", note)


def _drift(night: NightReport) -> None:
    if night.drift is None:
        return
    say("\nLists", f" against {night.drift.previous_snapshot}")
    figures = Table(
        "surface", "users", "new", "gone", "changed", "overlap", "rank overlap", "items in",
        "items out", "popular list", box=None,
    )  # fmt: skip
    for name, each in night.drift.surfaces.items():
        shares = (
            each.changed_users, each.overlap, each.rank_overlap, each.items_in, each.items_out,
            each.popular_users,
        )  # fmt: skip
        counts = (each.users, each.new_users, each.gone_users)
        figures.add_row(
            name, *(f"{count:,}" for count in counts), *(f"{share:.1%}" for share in shares)
        )
    OUT.print(figures)
    for warning in night.drift.warnings:
        say("Warning ", warning)


def validation(check: LogCheck, *, as_json: bool) -> None:
    """Show what a night's log would give."""
    if as_json:
        print_json(check)
        return
    OUT.print(f"Configuration is valid. Lake: {check.lake}, run date: {check.run_date}")
    OUT.print(f"{check.files} files to read, {check.accepted:,} of {check.rows:,} rows good")
    rules = Table("rule", "rows", "what it means", box=None)
    for rule, sentence in check.rules.items():
        rules.add_row(rule, f"{check.quarantined.get(rule, 0):,}", sentence)
    OUT.print(rules)
    for file in check.refused_files:
        OUT.print(f"Refused {file.path} ({file.rule}): {file.reason}")
    _rules(check.outcomes)
    if check.problem is not None:
        OUT.print(f"The night would stop: {check.problem}")


def table(result: QueryResult, *, as_json: bool) -> None:
    """Show the answer of a query."""
    if as_json:
        rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
        print(json.dumps(rows, default=str, ensure_ascii=False))
        return
    answer = Table(*result.columns, box=None)
    for row in result.rows:
        answer.add_row(*("" if value is None else str(value) for value in row))
    OUT.print(answer)


def print_json(value: BaseModel) -> None:
    """Print a value for scripts."""
    fields: dict[str, Any] = value.model_dump(mode="json")
    print(json.dumps(fields, ensure_ascii=False))
