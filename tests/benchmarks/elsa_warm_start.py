"""Epochs that a warm start saves when 5 % of the items are new; prints JSON.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/elsa_warm_start.py --data yelp2018

Yesterday's model is the best epoch of a fit without those items. Both starts are asked after every
epoch for a fifth of the items of users who are not among the rows.
"""

import argparse
import json
import os

import numpy as np
import scipy.sparse as sp
from elsa_time_to_quality import FILES, read

from models.elsa.elsa import fit_elsa
from models.elsa.elsa_form import ELSAForm

N_EPOCHS, NEW_SHARE = 9, 0.05
SETTINGS = {
    "n_factors": 256, "batch_size": 512, "learning_rate": 0.1, "alpha": 0.1, "beta": 0.1,
    "form": ELSAForm(gamma=0.5), "seed": 0,
}  # fmt: skip


def without(X: sp.csr_array, items: np.ndarray) -> sp.csr_array:
    """Return X with some columns emptied."""
    kept = X.copy()
    kept.data = np.where(items[kept.indices], 0.0, kept.data).astype(np.float32)
    kept.eliminate_zeros()
    return kept


def main() -> None:
    """Fit yesterday's model, then tonight's from both starts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=sorted(FILES), default="yelp2018")
    data = parser.parse_args().data
    result = {"benchmark": "elsa_warm_start", "data": data}
    if not os.environ.get("HOARFROST_REALDATA"):
        print(json.dumps(result | {"note": "HOARFROST_REALDATA names no folder"}))
        return
    X, held_out = read(data)
    new = np.random.default_rng(0).random(X.shape[1]) < NEW_SHARE
    curves: dict[str, list[float]] = {"yesterday": [], "cold": [], "warm": []}

    def fit(name: str, rows: sp.csr_array, n_epochs: int, warm: np.ndarray | None) -> np.ndarray:
        return fit_elsa(
            rows, **SETTINGS, n_epochs=n_epochs, validation=held_out, warm=warm,
            on_epoch=lambda _, metrics, __: curves[name].append(metrics["ndcg@100"]),
        ).A  # fmt: skip

    earlier = fit("yesterday", without(X, new), N_EPOCHS, None).copy()
    earlier[new] = 0.0
    fit("cold", X, N_EPOCHS, None)
    fit("warm", X, N_EPOCHS // 3, earlier)
    rounded = {name: [round(value, 4) for value in curve] for name, curve in curves.items()}
    best = {name: max(curve) for name, curve in curves.items()}
    result |= {"ndcg@100": rounded, "warm_minus_cold": round(best["warm"] - best["cold"], 4)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
