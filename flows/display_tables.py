"""What export and why show."""

from rich.table import Table

from data_contracts.answer import ExportResult
from data_contracts.report import Recommendation
from data_contracts.why import ItemStory, Origin, UserStory
from flows.display import OUT, print_json, say


def exported(result: ExportResult, *, as_json: bool) -> None:
    """Show what was copied where."""
    if as_json:
        print_json(result)
        return
    rows = ", ".join(f"{table} {n:,} rows" for table, n in result.rows.items())
    say("Copied ", f"{result.snapshot_id} to {result.into} in {result.seconds:.1f} s: {rows}")


def user_story(story: UserStory, *, as_json: bool) -> None:
    """Show a user's history and lists."""
    if as_json:
        print_json(story)
        return
    say(f"{story.user_id}", f" segment {story.segment or 'none'}; {_origin(story.origin)}")
    if not story.history_is_kept:
        say("\nHistory", " of that night is no longer kept")
    else:
        _history(story)
    for shown in story.lists:
        reason = f", short: {shown.short_reason}" if shown.short_reason else ""
        say(f"\n{shown.surface}", f" {len(shown.items)} items{reason}")
        _list(shown.items)


def _history(story: UserStory) -> None:
    say("\nHistory", f" {len(story.history)} items")
    rows = Table("item", "title", "weight", "events", "first", "last", box=None)
    for met in story.history:
        rows.add_row(
            str(met.item_id), met.title or "", f"{met.weight:.3f}", str(met.events),
            str(met.first_day), str(met.last_day),
        )  # fmt: skip
    OUT.print(rows)


def _list(items: tuple[Recommendation, ...]) -> None:
    rows = Table("rank", "item", "title", "score", "source", "because of", "share", box=None)
    for line in items:
        because = line.because_title or line.because_item_id
        share = "" if line.because_share is None else f"{line.because_share:.0%}"
        rows.add_row(
            str(line.rank), str(line.item_id), line.title or "", f"{line.score:.3f}",
            line.source, "" if because is None else str(because), share,
        )  # fmt: skip
    OUT.print(rows)


def item_story(story: ItemStory, *, as_json: bool) -> None:
    """Show an item's place in catalogue, model and lists."""
    if as_json:
        print_json(story)
        return
    say(f"{story.item_id}", f" {story.title or 'without a title'}; {_origin(story.origin)}")
    known = f"category {story.category or 'none'}" if story.in_catalogue else "not in the catalogue"
    OUT.print(f"{'available' if story.available else 'not available'}, {known}")
    met = "not kept" if story.users_met is None else f"{story.users_met:,}"
    learnt = "never met" if story.model_users is None else f"learnt from {story.model_users:,}"
    OUT.print(f"users with it in their history: {met}; by the model: {learnt}")
    _places(story)
    _neighbours(story)


def _places(story: ItemStory) -> None:
    lists = Table("surface", "lists", "share of users", "mean rank", "sources", box=None)
    for each in story.lists:
        sources = ", ".join(f"{name} {n:,}" for name, n in each.sources.items())
        lists.add_row(
            each.surface, f"{each.users:,}", f"{each.share_of_users:.2%}",
            f"{each.mean_rank:.1f}", sources,
        )  # fmt: skip
    say("\nLists", " with the item" if story.lists else " none hold the item")
    if story.lists:
        OUT.print(lists)


def _neighbours(story: ItemStory) -> None:
    say("\nSimilar", f" {len(story.similar)} items")
    similar = Table("rank", "item", "title", "score", "source", box=None)
    for near in story.similar:
        similar.add_row(
            str(near.rank), str(near.item_id), near.title or "", f"{near.score:.3f}", near.source
        )
    OUT.print(similar)


def _origin(origin: Origin) -> str:
    return f"{origin.snapshot_id}, model version {origin.model_version}"
