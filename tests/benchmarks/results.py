"""The page models/RESULTS.md: every kind of model on public data; run by ``make results``.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/results.py --data ml-latest-small

HOARFROST_NOTE may hold a sentence for the page, such as what else the machine was doing.
Splits and all that is fitted lie in build/results. What is finished there for the same code is not
fitted again. MovieLens and Goodbooks: ratings of four stars and more, users with five items and
more, a fifth of each user's items drawn by a seed; titles, genres, authors and descriptions are the
content of items, and MovieLens alone has the moments that ordered models need. Their names with
-ratings: all ratings, a tenth of them drawn by a seed, for the models that predict ratings.
Yelp2018: the published split, without a search: a fit of EASE takes minutes there; it has no
catalogue, so that a model that learns with content is not in its table. YOOCHOOSE: the last item of
every session of the last day is asked; networks learn for a few epochs, as each takes minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.model_config import model_kinds
from models.split.split_by_draw import random_pairs

ROOT = Path(__file__).resolve().parents[2]
OUT, PAGE = Path("build/results"), Path("models/RESULTS.md")
HOARFROST = (sys.executable, "-c", "from flows.cli import main; main()")
SEED, SHARE, RATED_SHARE = 0, 0.2, 0.1
DRAWN = (
    f"Ratings of 4 and more, users with 5 items and more; {SHARE:.0%} of each user's items, drawn "
    f"by seed {SEED}, are asked."
)
CHOSEN = {
    "ease": "tests/benchmarks/yelp2018_ease.toml",
    "elsa": "tests/benchmarks/yelp2018.toml",
}
YELP = f"""Yelp2018, published split
The split of NGCF and LightGCN; their recall@20 is plain_recall@20 here. Nothing was searched in
this run: ease is {CHOSEN["ease"]} and elsa {CHOSEN["elsa"]}, both
chosen on users held out of train; the others stand as they are by default. Published, tuned
(plain_recall@20, ndcg@20): EASE .0657, .0552; LightGCN .0649, .0530; BSPM .0720, .0593."""
PUBLISHED = (
    "item_knn", "ials", "bpr", "sansa", "simple_cf", "cdae", "multvae", "multdae",
    "compressed_elsa", "mrf", "edlae",
)  # fmt: skip
YOOCHOOSE = """YOOCHOOSE clicks, 17 days
Sessions are users, a click counts once. Asked is the last item of every session of the last day
that has two and more; the rest of it and all other sessions are train. Nothing was searched."""
SESSIONS = ("item_knn", "ials", "bpr", "sansa", "ease", "mrf", "edlae")
SHORT = (  # sessions by the hundred thousand: as by default each would take hours
    {"kind": "elsa", "n_factors": 256, "n_epochs": 4, "patience": 1},
    {"kind": "svae", "batch_size": 512, "max_output": 1000, "n_epochs": 3, "patience": 1,
     "anneal_steps": 5000},
    {"kind": "cdae", "n_epochs": 5, "patience": 1},
    {"kind": "simple_cf", "batch_size": 65536, "learning_rate": 0.02, "n_epochs": 8, "patience": 1},
    {"kind": "compressed_elsa", "n_factors": 256, "n_stages": 3, "stage_epochs": 1, "n_epochs": 2},
    {"kind": "multdae", "n_factors": 64, "n_epochs": 2, "patience": 1},
    {"kind": "multvae", "n_factors": 64, "n_hidden": 0, "n_epochs": 2, "patience": 1},
)  # fmt: skip
SMALLER = {  # networks over ten thousand items: as by default they would take hours
    "multvae": {"n_hidden": 0, "n_epochs": 15, "learning_rate": 0.003, "patience": 3},
    "multdae": {"n_epochs": 15, "learning_rate": 0.003, "patience": 3},
    "cdae": {"n_epochs": 25, "patience": 3},
    "simple_cf": {"n_epochs": 15, "patience": 3},
    "compressed_elsa": {"n_factors": 512, "n_stages": 4, "stage_epochs": 1, "n_epochs": 4},
    "combined_autoencoder": {"n_hidden": 32, "n_factors": 32, "n_epochs": 6, "batch_size": 256},
}
UNSEARCHED = {"elsa_content", "bpr"}  # a search over many users would take minutes more
WORDS = ("genres", "authors", "genre_shelves", "llama31_description")  # columns of catalogues
RATED = f"All ratings; a tenth of them, drawn by seed {SEED}, is asked."
RATINGS = "-ratings"
NAMES = {
    "ml-latest-small": "MovieLens latest-small",
    "goodbooks-10k-v1": "Goodbooks-10k, version 1",
}


def draw_split(source: Path, folder: Path) -> None:
    """Write train and test files of data with ratings, moments where there are any."""
    rated = pl.read_parquet(source / "interactions.parquet").filter(pl.col("rating") >= 4)
    moments = [pl.max("timestamp")] if "timestamp" in rated.columns else []
    pairs = rated.group_by("user_id", "item_id").agg(moments).sort("user_id", "item_id")
    if moments:
        pairs = pairs.with_columns(pl.from_epoch("timestamp"))
    pairs = pairs.filter(pl.len().over("user_id") >= 5)
    user, item = (pairs[name].rank("dense").to_numpy().astype(np.int64) - 1
                  for name in ("user_id", "item_id"))  # fmt: skip
    split = random_pairs(user, item, share=SHARE, seed=SEED)
    pairs.filter(pl.Series(split.train)).write_parquet(folder / "train.parquet")
    pairs.filter(pl.Series(split.target)).write_parquet(folder / "test.parquet")
    write_items(source, folder)


def draw_ratings(source: Path, folder: Path) -> None:
    """Write train and test files of ratings; of a pair that was rated twice, the last row."""
    rated = pl.read_parquet(source / "interactions.parquet")
    pairs = rated.unique(["user_id", "item_id"], keep="last", maintain_order=True)
    pairs = pairs.sort("user_id", "item_id").select("user_id", "item_id", "rating")
    asked = pl.Series(np.random.default_rng(SEED).random(pairs.height) < RATED_SHARE)
    pairs.filter(~asked).write_parquet(folder / "train.parquet")
    pairs.filter(asked).write_parquet(folder / "test.parquet")


def draw_last(source: Path, folder: Path) -> None:
    """Write train and test files of sessions: the last item of those of the last day is asked."""
    clicks = pl.read_parquet(source / "interactions.parquet")
    pairs = clicks.group_by("user_id", "item_id").agg(pl.max("order", "period"))
    last_day = pl.max("period").over("user_id") == clicks["period"].max()
    last = pl.col("order") == pl.max("order").over("user_id")
    pairs = pairs.with_columns(
        timestamp=pl.from_epoch("order"), asked=last_day & last & (pl.len().over("user_id") > 1)
    ).sort("user_id", "item_id")  # only the order is known; it stands for the moment
    columns = ("user_id", "item_id", "timestamp")
    for name, rows in (("train", ~pl.col("asked")), ("test", pl.col("asked"))):
        pairs.filter(rows).select(columns).write_parquet(folder / f"{name}.parquet")


def write_items(source: Path, folder: Path) -> None:
    """Write the catalogue of data with titles, in the columns that content is made of."""
    items = pl.read_parquet(source / "items.parquet").with_columns(pl.col(pl.String).fill_null(""))
    told = [name for name in WORDS if name in items.columns]
    text = pl.concat_str(told, separator=" ").str.replace_all(r"[|,]", " ")
    items.select("item_id", "title", text=text).write_parquet(folder / "items.parquet")


def copy_split(source: Path, folder: Path) -> None:
    """Write the published files anew."""
    for name in ("train", "test"):
        pl.read_parquet(source / f"{name}.parquet").write_parquet(folder / f"{name}.parquet")


def hoarfrost(*arguments: object) -> None:
    """Call the command line in the root of the repository; tables go to standard error."""
    subprocess.run([*HOARFROST, *map(str, arguments)], check=True, cwd=ROOT, stdout=sys.stderr)


def compare(data: str, about: str, *models: object) -> None:
    """Compare on one split, and write the page anew."""
    folder = OUT / data
    hoarfrost(
        "compare", "--train", folder / "train.parquet", "--test", folder / "test.parquet",
        *models, "--out", folder, "--about", noted(about), "--page", PAGE,
    )  # fmt: skip


def noted(about: str) -> str:
    """Return what is said of the data, and the sentence in HOARFROST_NOTE if there is one."""
    return " ".join([about, *filter(None, [os.environ.get("HOARFROST_NOTE")])])


def drawn(data: str, *, trials: int, timeout: float) -> None:
    """Compare every kind, each searched."""
    compare(
        data, f"{NAMES[data]}\n{DRAWN}", "--kinds", "all", "--items", OUT / data / "items.parquet",
        "--trials", trials, "--timeout", timeout,
    )  # fmt: skip


def drawn_large(data: str, *, trials: int, timeout: float) -> None:
    """Compare every kind that reads no moments; what takes minutes is not searched."""
    configs = model_files(OUT / data / "configs", "weights", trials)
    compare(
        data, f"{NAMES[data]}\n{DRAWN}", *configs, "--items", OUT / data / "items.parquet",
        "--timeout", timeout,
    )  # fmt: skip


def compare_errors(data: str, configs: Sequence[object], timeout: float) -> None:
    """Compare what models of ratings predict."""
    compare(
        data, f"{NAMES[data.removesuffix(RATINGS)]}, ratings\n{RATED}", *configs,
        "--metric", "rmse", "--timeout", timeout,
    )  # fmt: skip


def rated(data: str, *, trials: int, timeout: float) -> None:
    """Compare every kind that predicts ratings."""
    configs = model_files(OUT / data / "configs", "ratings", trials)
    compare_errors(data, configs, timeout)


def rated_large(data: str, *, trials: int, timeout: float) -> None:
    """Compare the same kinds on a million ratings: few epochs, and nothing is searched."""
    del trials
    folder = OUT / data / "configs"
    kinds = [(kind, of) for kind, of in model_kinds().items() if of.consumes == "ratings"]
    configs: list[object] = []
    for kind, of in kinds:
        few = {"n_epochs": 12, "patience": 2} if "n_epochs" in of.model_fields else {}
        one = {"n_epochs": 1} if kind == "combined_autoencoder" else {}
        configs += model_file(folder, smaller(kind) | few | one)
    compare_errors(data, configs, timeout)


def model_files(folder: Path, consumes: str, trials: int) -> list[object]:
    """Write a file for every kind; return how a comparison is told of them."""
    configs: list[object] = []
    for kind, of in model_kinds().items():
        if of.consumes == consumes and kind != "module":
            searched = kind not in UNSEARCHED | SMALLER.keys()
            configs += model_file(folder, smaller(kind), trials if searched else 0)
    return configs


def smaller(kind: str) -> dict[str, object]:
    """Return the settings of a kind for ten thousand items and more."""
    return {"kind": kind} | SMALLER.get(kind, {})


def model_file(folder: Path, keys: Mapping[str, object], trials: int = 0) -> list[object]:
    """Write a file of settings; return how a comparison is told of it."""
    text = "[model]\n" + "".join(f"{key} = {json.dumps(keys[key])}\n" for key in keys)
    if trials:
        text += f"\n[tune]\nn_trials = {trials}\n"
    path = folder / f"{keys['kind']}.toml"
    (ROOT / folder).mkdir(exist_ok=True)
    (ROOT / path).write_text(text, encoding="utf-8")
    return ["--config", path]


def published(data: str, *, trials: int, timeout: float) -> None:
    """Compare on Yelp2018; nothing is searched, two configurations were chosen before."""
    del trials
    folder = OUT / data / "configs"
    configs: list[object] = []
    (ROOT / folder).mkdir(exist_ok=True)
    for name, source in CHOSEN.items():
        shutil.copy(ROOT / source, ROOT / folder / f"{name}.toml")
        configs += ["--config", folder / f"{name}.toml"]
    configs += [each for kind in PUBLISHED for each in model_file(folder, smaller(kind))]
    compare(data, YELP, *configs, "--timeout", timeout, "--metric", "ndcg@20")


def sessions(data: str, *, trials: int, timeout: float) -> None:
    """Compare on YOOCHOOSE, networks for few epochs; nothing is searched."""
    del trials
    folder = OUT / data / "configs"
    configs = [each for kind in SESSIONS for each in model_file(folder, {"kind": kind})]
    configs += [each for keys in SHORT for each in model_file(folder, keys)]
    compare(data, YOOCHOOSE, *configs, "--metric", "ndcg@20", "--timeout", timeout)


RUNS = {
    "ml-latest-small": (draw_split, drawn, 6, 1800.0),
    "ml-latest-small-ratings": (draw_ratings, rated, 6, 240.0),
    "goodbooks-10k-v1": (draw_split, drawn_large, 3, 900.0),
    "goodbooks-10k-v1-ratings": (draw_ratings, rated_large, 0, 2400.0),
    "yelp2018": (copy_split, published, 0, 3600.0),
    "yoochoose-ader": (draw_last, sessions, 0, 5400.0),
}


def main() -> None:
    """Run the data sets named, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--trials", type=int, help="of every search; by default as on the page")
    parser.add_argument("--timeout", type=float, help="seconds of one model, likewise")
    arguments = parser.parse_args()
    source = os.environ.get("HOARFROST_REALDATA")
    if not source:
        sys.exit("HOARFROST_REALDATA must name the folder of public data sets, got nothing")
    for data in arguments.data:
        split, run, trials, timeout = RUNS[data]
        (ROOT / OUT / data).mkdir(parents=True, exist_ok=True)
        split(Path(source) / data.removesuffix(RATINGS), ROOT / OUT / data)
        run(
            data,
            trials=trials if arguments.trials is None else arguments.trials,
            timeout=arguments.timeout or timeout,
        )


if __name__ == "__main__":
    main()
