"""Items nobody has met: B = E Dᵀ with content as decoder against content alone, on Goodbooks; JSON.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/cold_items.py

A tenth of the items is taken out of the log and asked in the end; another tenth chooses epochs,
after which the model is fitted once more on all items but the first tenth. Asked are users with
liked items (four stars or more) on both sides; only cold items may answer. Content alone ranks by
the cosine of an item and the mean of the user's items, in the same vectors. Intervals are those of
the paired difference over users, by bootstrap.

`descriptions` are the vectors of the usual recipe: TF-IDF of words in 5 to 3,000 descriptions, the
leading singular vectors, unit rows. `words` (title and description) and `all` (authors and shelves
besides) are made by models.content.text_vector, as in nights; content alone is stronger in them.
`squared` are the words with likeness squared, in twice as many dimensions.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from measuring import in_child
from sklearn.feature_extraction.text import CountVectorizer

from models.content.content import ContentModel, unit_or_zero
from models.content.text_vector import fit_text_vectors
from models.elsa.elsa_content import fit_elsa_content
from models.elsa.elsa_content_kernel import fit_squared_likeness
from models.elsa.elsa_content_split import ItemQuestion, draw_items, hold_out_items
from models.elsa.spectral import leading_right_vectors
from models.metric.metric import evaluate
from models.ranking.ranking import FactorModel

LEAST_STARS, SHARE, N_BOOTSTRAPS = 4, 0.1, 1000
SETTINGS = {"batch_size": 1024, "learning_rate": 0.002, "gamma": 2.0, "output": "linear"}
KINDS = ["descriptions", "words", "squared", "all"]


def read() -> tuple[sp.csr_array, pl.DataFrame]:
    """Return who liked what, (n_users, 10,000), and the items in the order of the columns."""
    folder = Path(os.environ["HOARFROST_REALDATA"]) / "goodbooks-10k-v1"
    liked = pl.read_parquet(folder / "interactions.parquet").filter(pl.col("rating") >= LEAST_STARS)
    pairs = liked.select("user_id", "item_id").unique().sort("user_id", "item_id")
    items = pl.read_parquet(folder / "items.parquet").sort("item_id")
    user = pairs["user_id"].rank("dense").to_numpy().astype(np.int64) - 1
    item = items["item_id"].search_sorted(pairs["item_id"]).to_numpy()
    shape = (int(user.max()) + 1, items.height)
    return sp.csr_array((np.ones(len(user), np.float32), (user, item)), shape=shape), items


def documents(items: pl.DataFrame, fields: str) -> list[str]:
    """Return the words of every item; an author is one word, a shelf is one."""
    described = items["llama31_description"].fill_null("")
    if fields == "descriptions":
        return described.to_list()
    text = (items["title"] + " " + described).to_list()
    if fields in ("words", "squared"):
        return text
    authors = items["authors"].str.replace_all(r"[ .]", "").str.replace_all(",", " ")
    shelves = (
        items["genre_shelves"].fill_null("").str.replace_all("-", "").str.replace_all(",", " ")
    )
    return [" ".join(each) for each in zip(text, authors, shelves, strict=True)]


def content_of(items: pl.DataFrame, fields: str, n_dimensions: int) -> np.ndarray:
    """Return unit rows; terms and topics are those of all items, as a catalogue has them."""
    limits = {"min_df": 5, "max_df": 3000} if fields == "descriptions" else {}
    vectorizer = CountVectorizer(token_pattern=r"\w+", dtype=np.float32, **limits)
    counts = sp.csr_array(vectorizer.fit_transform(documents(items, fields)))
    if fields == "descriptions":
        return usual_topics(counts, n_dimensions)
    made_with = fit_text_vectors(counts, n_dimensions=n_dimensions, seed=0)
    if made_with is None:
        raise ValueError("items must share a word, got none that do")
    V = made_with.vectors(counts)[0]
    if fields != "squared":
        return V
    return fit_squared_likeness(V, n_dimensions=2 * n_dimensions, n_landmarks=3000, seed=0).vectors(
        V
    )


def usual_topics(counts: sp.csr_array, n_dimensions: int) -> np.ndarray:
    """Return unit rows of TF-IDF, with log frequencies, in the leading singular vectors."""
    n_with = np.bincount(counts.indices, minlength=counts.shape[1])
    weights = (1.0 + np.log(counts.data)) * np.log(counts.shape[0] / n_with)[counts.indices]
    T = sp.csr_array((weights.astype(np.float32), counts.indices, counts.indptr), counts.shape)
    length = np.sqrt(T.multiply(T).sum(axis=1))
    T.data /= np.repeat(np.where(length > 0, length, 1.0), np.diff(T.indptr)).astype(np.float32)
    topics, _ = leading_right_vectors(T, n_dimensions, seed=0)
    return unit_or_zero(T @ topics)


def recall(model: FactorModel, asked: ItemQuestion) -> np.ndarray:
    """Return recall@20 of every user, over min(20, targets)."""
    return evaluate(
        model, fold_in=asked.fold_in, target=asked.target, eligible=asked.eligible
    )["recall@20"]  # fmt: skip


def compared(*, fields: str, n_dimensions: int, n_epochs: int, seed: int) -> dict[str, Any]:
    """Return both recalls on the last tenth, and the interval of their difference."""
    X, items = read()
    content = content_of(items, fields, n_dimensions)
    known, asked = hold_out_items(X, draw_items(X, share=SHARE, seed=seed))
    training, validation = hold_out_items(known, draw_items(known, share=SHARE, seed=seed + 1))
    tried: list[float] = []
    started = time.perf_counter()
    chosen = fit_elsa_content(
        training, content, mode="decoder", n_epochs=n_epochs, seed=seed, patience=2,
        validation=validation, on_epoch=lambda epoch, metrics, model: tried.append(
            round(metrics["recall@20"], 4)), **SETTINGS,
    ).best_epoch  # fmt: skip
    search_seconds = time.perf_counter() - started
    started = time.perf_counter()
    model = fit_elsa_content(
        known, content, mode="decoder", n_epochs=max(chosen, 1), seed=seed, **SETTINGS
    )
    fit_seconds = time.perf_counter() - started
    plain, learnt = recall(ContentModel(content), asked), recall(model, asked)
    return {
        "fields": fields, "dimensions": content.shape[1], "users": len(plain),
        "cold_items": int(asked.eligible.sum()),
        "validation": {"content": round(float(recall(ContentModel(content), validation).mean()), 4),
                       "epochs": tried[1:], "chosen": chosen},
        "recall@20": {"content": round(float(plain.mean()), 4),
                      "E_D": round(float(learnt.mean()), 4)},
        **intervals(plain, learnt),
        "search_seconds": round(search_seconds, 1), "fit_seconds": round(fit_seconds, 1),
    }  # fmt: skip


def intervals(plain: np.ndarray, learnt: np.ndarray) -> dict[str, Any]:
    """Return 95 % intervals of the difference and of the gain, over the same users."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(plain), np.full(len(plain), 1.0 / len(plain)), N_BOOTSTRAPS)
    means = drawn @ plain / len(plain), drawn @ learnt / len(plain)
    difference, gain = means[1] - means[0], means[1] / means[0] - 1.0
    return {
        "difference": _interval(learnt.mean() - plain.mean(), difference),
        "gain": _interval(learnt.mean() / plain.mean() - 1.0, gain),
    }


def _interval(value: float, drawn: np.ndarray) -> list[float]:
    return [round(float(each), 4) for each in (value, *np.quantile(drawn, [0.025, 0.975]))]


def main() -> None:
    """Compare in every kind of content that is asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    results = [
        in_child(compared, fields=each, n_dimensions=a.dimensions, n_epochs=a.epochs, seed=a.seed)
        for each in a.fields
    ]
    print(json.dumps({"benchmark": "cold_items", "settings": SETTINGS, "results": results}))


if __name__ == "__main__":
    main()
