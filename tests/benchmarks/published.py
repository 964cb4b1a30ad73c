"""A published figure made again, from the user's own copy of its data; prints JSON.

python tests/benchmarks/published.py --data ml-20m --source ml-20m/ratings.csv --model ease

Splits, settings and figures are in published.toml. The split is made from the original files, as
published: where a seed was (98765, MovieLens 20M of Liang et al.), with its very draw. Then
hoarfrost evaluate fits and judges, in a process of its own; what stops a model early are users
held out of train, so that the published validation users take no part. Nothing is downloaded.
"""

import argparse
import fnmatch
import json
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_contracts.config import InteractionsConfig
from data_contracts.import_dataset import DATASETS
from data_contracts.import_source import LogFormat, LogSource
from tasks.importing.import_reading import read_chunks
from tasks.importing.import_rows import LogShape, log_rows

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".toml")
HOARFROST = (sys.executable, "-c", "from flows.cli import main; main()")
SEED, ASKED, LEAST = 98765, 0.2, 5
ALL_DAYS = InteractionsConfig(earliest=date(1970, 1, 1))
WORDS = {
    "users": "{kept}; {held} users, drawn, are judged and {held} more left out; a fifth of their "
    "items of train, drawn, are asked of those with five and more; items of training users",
    "last": "{kept}; {held} users, drawn, are judged and {held} more left out; the last fifth of "
    "their items of train by time is asked of those with five and more; items of training users",
    "ratings": "a tenth of all ratings, drawn, is asked",
}


def read_import(source: Path, dataset: str) -> pl.DataFrame:
    """Return the rows of an original file, in its order, by the converters of hoarfrost import."""
    forms = [each for variant in DATASETS[dataset].variants for each in variant.logs.items()]
    form = next((form for name, form in forms if fnmatch.fnmatchcase(source.name, name)), None)
    if form is None or not source.is_file():
        sys.exit(f"--source must be a file named {' or '.join(n for n, _ in forms)}, got {source}")
    parts = [_rows(source, form, chunk) for chunk in read_chunks(source, form, form.columns())]
    return pl.concat(parts)


def _rows(source: Path, form: LogFormat, chunk: Any) -> pl.DataFrame:
    day = None if form.timestamp else date(2000, 1, 1)
    log = LogSource(name="log", path=str(source), format=form, day=day)
    rows, faults = log_rows(LogShape(log, ALL_DAYS, date(2100, 1, 1)), chunk)
    if faults.height:
        sys.exit(f"every row of {source} must be readable, got {faults.height} that are not, the "
                 f"first by {faults['rule'][0]}: fetch the file again")  # fmt: skip
    return rows.select("user_id", "item_id", pl.col("rating").cast(pl.Float32), "timestamp")


def read_songs(source: Path) -> pl.DataFrame:
    """Return who heard which song, of a file of three columns."""
    names = ["user_id", "item_id", "plays"]
    return pl.read_csv(source, separator="\t", has_header=False, new_columns=names).drop("plays")


def read_netflix(source: Path) -> pl.DataFrame:
    """Return the ratings of files whose rows of a film follow its number and a colon."""
    files = sorted(source.glob("combined_data_*.txt")) or sorted(source.glob("mv_*.txt"))
    if not files:
        sys.exit(f"--source must be a folder with combined_data_*.txt or mv_*.txt, got {source}")
    names = dict.fromkeys(("user_id", "rating", "day"), pl.String)
    film = pl.when(pl.col("rating").is_null()).then(pl.col("user_id").str.strip_suffix(":"))
    return pl.concat(
        pl.scan_csv(file, has_header=False, schema=names, missing_columns="insert")
        .with_columns(item_id=film.cast(pl.Int64).forward_fill())
        .drop_nulls("rating")
        .select(pl.col("user_id").cast(pl.Int64), "item_id", pl.col("rating").cast(pl.Float32))
        .collect()
        for file in files
    )


READERS = {"goodbooks-10k": "goodbooks", "netflix": read_netflix, "msd": read_songs}


def read_source(data: str, source: Path) -> pl.DataFrame:
    """Return user_id and item_id, with rating and timestamp where the data have them."""
    if not source.exists():
        sys.exit(f"--source must be your copy of the data, got {source}, which is not there")
    reader = READERS.get(data, "movielens")
    return read_import(source, reader) if isinstance(reader, str) else reader(source)


def kept_rows(rows: pl.DataFrame, about: dict[str, Any]) -> pl.DataFrame:
    """Return what counts as liked, of items and then of users with enough of it, in order."""
    if "above" in about:
        rows = rows.filter(pl.col("rating") > about["above"])
    if "most_items" in about:
        rows = rows.filter(pl.len().over("user_id") <= about["most_items"])
    rows = rows.filter(pl.len().over("item_id") >= about.get("least_users", 0))
    return rows.filter(pl.len().over("user_id") >= about.get("least_items", LEAST))


def split_users(rows: pl.DataFrame, folder: Path, *, held: int, seed: int, last: bool) -> None:
    """Write train, histories and test files: judged users are not in train.

    Reference: Liang et al., WWW 2018, arXiv:1802.05814; the draws are those of its notebook.
    """
    users = rows["user_id"].unique().sort()
    if held < 1 or len(users) <= 2 * held:
        sys.exit(f"--users must be at least 1 and leave some of {len(users)} to train, got {held}")
    drawn = users.gather(np.random.RandomState(seed).permutation(len(users)))
    train = rows.filter(~pl.col("user_id").is_in(drawn[-2 * held :].implode()))
    theirs = rows.filter(
        pl.col("user_id").is_in(drawn[-held:].implode()),
        pl.col("item_id").is_in(train["item_id"].unique().implode()),
    )
    order = ["user_id", "timestamp"] if last else ["user_id"]
    theirs = theirs.sort(order, maintain_order=True)
    n_items = theirs.group_by("user_id", maintain_order=True).len()["len"]
    draw = None if last else np.random.RandomState(seed)
    asked = pl.Series(np.concatenate([_asked(n, draw) for n in n_items]))
    train.write_parquet(folder / "train.parquet")
    theirs.filter(~asked).write_parquet(folder / "histories.parquet")
    theirs.filter(asked).write_parquet(folder / "test.parquet")


def _asked(n_items: int, draw: np.random.RandomState | None) -> np.ndarray:
    """Tell which of a user's items are asked, of few items none."""
    asked = np.zeros(n_items, dtype=bool)
    if n_items < LEAST:
        return asked
    if draw is None:
        asked[int((1.0 - ASKED) * n_items) :] = True
    else:
        asked[draw.choice(n_items, int(ASKED * n_items), replace=False)] = True
    return asked


def split_ratings(rows: pl.DataFrame, folder: Path, *, seed: int) -> None:
    """Write train and test files: a tenth of the ratings is asked."""
    asked = np.zeros(rows.height, dtype=bool)
    asked[np.random.default_rng(seed).permutation(rows.height)[: rows.height // 10]] = True
    rows.filter(~pl.Series(asked)).write_parquet(folder / "train.parquet")
    rows.filter(pl.Series(asked)).write_parquet(folder / "test.parquet")


def evaluate(folder: Path, settings: dict[str, Any], *, histories: bool, seed: int) -> Any:
    """Return what hoarfrost evaluate says of a model on the files of a folder."""
    lines = [f"seed = {seed}", "[model]", *(f"{k} = {json.dumps(v)}" for k, v in settings.items())]
    (folder / "model.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = {name: folder / f"{name}.parquet" for name in ("train", "test")}
    files |= {"histories": folder / "histories.parquet"} if histories else {}
    named = [str(each) for name, path in files.items() for each in (f"--{name}", path)]
    command = [*HOARFROST, "evaluate", *named, "--config", str(folder / "model.toml"), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def beside(found: Any, published: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return measured figures with those published."""
    return {
        name: {
            "measured": found["metrics"][name]["mean"],
            "standard_error": found["metrics"][name]["standard_error"],
            "published": value,
            "difference": round(found["metrics"][name]["mean"] - value, 5),
        }
        for name, value in published.items()
    }


def make_again(data: str, source: Path, model: str, out: Path, users: int | None, seed: int) -> Any:
    """Return the figures of a model with those published, and all that they stand on."""
    about = tomllib.loads(TABLE.read_text(encoding="utf-8"))[data]
    told, held = about["models"][model], about.get("held_out", 0) if users is None else users
    folder = (out / data).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_source(data, source)
    if about["protocol"] == "ratings":
        split_ratings(rows, folder, seed=seed)
    else:
        rows = kept_rows(rows, about)
        split_users(rows, folder, held=held, seed=seed, last=about["protocol"] == "last")
    n_users = rows["user_id"].n_unique()
    settings = {"kind": model} | told.get("settings", {})
    found = evaluate(folder, settings, histories=about["protocol"] != "ratings", seed=seed)
    sizes = {"users": n_users, "items": found["n_items"]}
    kept = f"{n_users:,} users with {about.get('least_items', LEAST)} and more items that count"
    return {
        "data": data, "model": model, "figures": beside(found, told["figures"]),
        "published_in": told["from"], "note": told.get("note", ""), "settings": settings,
        "protocol": WORDS[about["protocol"]].format(kept=kept, held=held), "seed": seed,
        "sizes": sizes, "published_sizes": about.get("sizes", {}),
        "as_published": seed == SEED and held == about.get("held_out", 0)
        and sizes == about.get("sizes", sizes),
        "evaluation": found,
    }  # fmt: skip


def main() -> None:
    """Make one figure again, or list all of them."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    told = {name: f"{each['source']}: {', '.join(each['models'])}" for name, each in table.items()}
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name}: {words}" for name, words in told.items()),
    )  # fmt: skip
    parser.add_argument("--data", choices=table, required=True)
    parser.add_argument("--source", type=Path, required=True, help="your copy, see below")
    parser.add_argument("--model", required=True, help="one of those below")
    parser.add_argument("--users", type=int, help="judged; as many by default as published")
    parser.add_argument("--seed", type=int, default=SEED, help="of split and model")
    parser.add_argument("--out", type=Path, default=Path("build/published"), help="folder")
    given = parser.parse_args()
    if given.model not in table[given.data]["models"]:
        parser.error(f"--model must be one of {told[given.data]}, got {given.model}")
    if given.users is not None and "held_out" not in table[given.data]:
        parser.error(f"--users must be left out for {given.data}, which asks everybody")
    answer = make_again(given.data, given.source, given.model, given.out, given.users, given.seed)
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
