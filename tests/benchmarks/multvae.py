"""MultVAE against RecBole's: users trained per second, memory, validation nDCG@100; JSON.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/multvae.py --reference-python PYTHON

The reference is the class MultiVAE of RecBole 1.2.1 (without its extras, the same torch), asked
through an interpreter of its own, step by step as its Trainer does: Adam, a check of the loss, one
`item()` a batch. It gets the histories through an object with the two methods of RecBole's data
set that the class calls. Same rows, layers (items, 600, 200), batch, dropout, cap and number of
processor threads. The sides take turns; rates are medians over all epochs but each first one, by
the clock and by processor time: with OMP_NUM_THREADS=1 the latter holds on a busy machine, too.
Both are judged by the same code: layers are layers. Without HOARFROST_REALDATA only the generated
items are timed.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from measuring import in_child
from sansa import generate

from models.metric.metric import evaluate
from models.network.autoencoder import Autoencoder
from models.network.dense_layer import Dense
from models.network.multvae import fit_multvae
from models.split.fold_in import fold_in_split

N_HIDDEN, N_FACTORS, BATCH, LEARNING_RATE, CAP = 600, 200, 500, 1e-3, 0.2
N_JUDGED, SEED = 1000, 0
REFERENCE = """
import json, resource, sys, time
import numpy as np, scipy.sparse as sp, torch
from recbole.model.general_recommender.multivae import MultiVAE

path, epochs, anneal, hidden, factors, batch, rate, cap = sys.argv[1], *map(float, sys.argv[2:])
X = sp.csr_array(sp.load_npz(path))

class Histories:
    def num(self, field):
        return {"user": X.shape[0], "item": X.shape[1] + 1}[field]  # item 0 is RecBole's padding
    def history_item_matrix(self):
        n = np.diff(X.indptr)
        ids = torch.zeros(X.shape[0], int(n.max()), dtype=torch.long)
        values = torch.zeros(ids.shape)
        row = np.repeat(np.arange(X.shape[0]), n)
        place = np.arange(X.nnz) - X.indptr[row]
        ids[row, place] = torch.from_numpy(X.indices.astype(np.int64) + 1)
        values[row, place] = 1.0
        return ids, values, torch.from_numpy(n.astype(np.int64))

config = {"USER_ID_FIELD": "user", "ITEM_ID_FIELD": "item", "NEG_PREFIX": "neg_", "device": "cpu",
          "mlp_hidden_size": [int(hidden)], "latent_dimension": 2 * int(factors),
          "dropout_prob": 0.5, "anneal_cap": cap, "total_anneal_steps": int(anneal)}
torch.manual_seed(0)
model = MultiVAE(config, Histories())
optimiser = torch.optim.Adam(model.parameters(), lr=rate)
seconds, busy = [], []
for epoch in range(int(epochs)):
    started, used = time.perf_counter(), time.process_time()
    model.train()
    for users in torch.randperm(X.shape[0]).split(int(batch)):
        optimiser.zero_grad()
        loss = model.calculate_loss({"user": users})
        loss.item()
        if torch.isnan(loss):
            raise ValueError("nan")
        loss.backward()
        optimiser.step()
    seconds.append(time.perf_counter() - started)
    busy.append(time.process_time() - used)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
linear = [each for each in model.modules() if isinstance(each, torch.nn.Linear)]
parts = [part for each in linear for part in (each.weight, each.bias)]
np.savez(path + ".layers.npz", *[part.detach().numpy() for part in parts])
print(json.dumps({"seconds": seconds, "busy": busy, "peak_mb": round(peak / 1024)}))
"""


def goodbooks(n_users: int) -> sp.csr_array:
    """Return who rated what 4 or better, users with five such items or more."""
    path = Path(os.environ["HOARFROST_REALDATA"]) / "goodbooks-10k-v1" / "interactions.parquet"
    liked = pl.read_parquet(path).filter(pl.col("rating") >= 4).unique(["user_id", "item_id"])
    liked = liked.filter(pl.len().over("user_id") >= 5).select(
        pl.col("user_id", "item_id").rank("dense").cast(pl.Int64) - 1
    )
    user, item = liked["user_id"].to_numpy(), liked["item_id"].to_numpy()
    X = sp.csr_array((np.ones(len(user), np.float32), (user, item)))
    return X[np.random.default_rng(SEED).permutation(X.shape[0])[:n_users]]


def ours(*, path: str, n_epochs: int, anneal_steps: int) -> dict[str, Any]:
    """Return the seconds of every epoch; the layers go beside the rows."""
    X = sp.csr_array(sp.load_npz(path))
    ends = [(time.perf_counter(), time.process_time())]
    model = fit_multvae(
        X, n_factors=N_FACTORS, n_hidden=N_HIDDEN, n_epochs=n_epochs, batch_size=BATCH,
        learning_rate=LEARNING_RATE, cap=CAP, anneal_steps=anneal_steps, seed=SEED,
        on_epoch=lambda *_: ends.append((time.perf_counter(), time.process_time())),
    )  # fmt: skip
    arrays = [part for layer in model.layers for part in (layer.W, layer.b)]
    np.savez(f"{path}.ours.npz", *arrays)
    seconds, busy = np.diff(ends, axis=0).T.tolist()
    return {"seconds": seconds, "busy": busy}


def reference(python: str, *, path: str, n_epochs: int, anneal_steps: int) -> dict[str, Any]:
    """Return the same of RecBole."""
    arguments = [n_epochs, anneal_steps, N_HIDDEN, N_FACTORS, BATCH, LEARNING_RATE, CAP]
    done = subprocess.run(
        [python, "-c", REFERENCE, path, *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def judged(path: str, side: str, train: sp.csr_array, held_out: sp.csr_array) -> float:
    """Return nDCG@100 of users that neither side has seen."""
    with np.load(path) as kept:
        arrays = [kept[f"arr_{place}"] for place in range(8)]
    if side == "reference":  # outputs x inputs, mean before log variance, item 0 is no item
        arrays = [each.T for each in arrays]
        arrays[0], arrays[6], arrays[7] = arrays[0][1:], arrays[6][:, 1:], arrays[7][1:]
        arrays[2], arrays[3] = arrays[2][:, :N_FACTORS], arrays[3][:N_FACTORS]
    names = ("tanh", "identity", "tanh", "identity")
    layers = [Dense(arrays[2 * n], arrays[2 * n + 1], name) for n, name in enumerate(names)]
    model = Autoencoder(tuple(layers), unit_rows=True)
    fold_in, target = fold_in_split(held_out, target_share=0.2, seed=SEED)
    known = np.bincount(train.indices, minlength=train.shape[1]) > 0
    values = evaluate(model, fold_in=fold_in, target=target, eligible=known)
    return round(float(values["ndcg@100"].mean()), 4)


def measured(X: sp.csr_array, python: str | None, epochs: int, rounds: int) -> dict[str, Any]:
    """Return rates, memory and nDCG@100 of both sides, which take turns."""
    train, held_out = X[N_JUDGED:], X[:N_JUDGED]
    n_updates = epochs * -(-train.shape[0] // BATCH)
    sides: dict[str, list[dict[str, Any]]] = {"ours": [], "reference": []}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "X.npz")
        sp.save_npz(path, sp.csr_matrix(train), compressed=False)
        how = {"path": path, "n_epochs": epochs, "anneal_steps": round(n_updates / CAP)}
        for _ in range(rounds):
            sides["ours"].append(in_child(ours, **how))
            if python:
                sides["reference"].append(reference(python, **how))
        files = {"ours": f"{path}.ours.npz", "reference": f"{path}.layers.npz"}
        found: dict[str, Any] = {
            side: told(runs, train.shape[0])
            | {"ndcg@100": judged(files[side], side, train, held_out)}
            for side, runs in sides.items()
            if runs
        }
    found |= {"users": train.shape[0], "items": train.shape[1], "interactions": train.nnz}
    if python:
        for name, key in (
            ("ratio", "users_per_second"),
            ("ratio_busy", "users_per_processor_second"),
        ):
            found[name] = round(found["ours"][key] / found["reference"][key], 2)
    return found


def told(runs: list[dict[str, Any]], n_users: int) -> dict[str, Any]:
    """Return the median rate of all epochs but each first one."""
    rates = {
        f"users_per_{name}": round(
            n_users / statistics.median(each for run in runs for each in run[key][1:])
        )
        for name, key in (("second", "seconds"), ("processor_second", "busy"))
    }
    return rates | {"peak_mb": max(run["peak_mb"] for run in runs)}


def main() -> None:
    """Measure Goodbooks, if it is at hand, and generated items."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("users", 6000), ("items", 20_000), ("per-user", 40), ("epochs", 4), ("rounds", 3),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--reference-python")
    a = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "multvae", "batch": BATCH, "epochs": a.epochs}
    data = {"generated": sp.csr_array(generate(a.users, a.items, a.per_user))}
    if os.environ.get("HOARFROST_REALDATA"):
        data = {"goodbooks-10k-v1": goodbooks(a.users)} | data
    for name, X in data.items():
        result[name] = measured(X, a.reference_python, a.epochs, a.rounds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
