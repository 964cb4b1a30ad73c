"""SANSA against the reference package at equal density, EASE against LAPACK's Cholesky; JSON.

python tests/benchmarks/sansa.py --reference-python ~/sansa-venv/bin/python

The reference (sansa 1.1.0 with scikit-sparse 0.4.16, which is built from SuiteSparse) pins its own
world, so it is asked through an interpreter of its own; without one it is left out. Every item is
there at least once: sansa 1.1.0 fails on empty columns. Its functions are compiled on a small
matrix before the clock starts, as ours are. EASE at 20,000 items takes 1.7 GB and some minutes.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from measuring import in_child
from scipy.linalg.lapack import spotrf

from models.item_item.ease import fit_ease
from models.item_item.sansa import fit_sansa

N_SCANS, N_FINETUNE_STEPS = 4, 2
REFERENCE = """
import json, resource, sys, time
import numpy as np, scipy.sparse as sp
from sansa import SANSA, ICFGramianFactorizerConfig, SANSAConfig
from sansa import UMRUnitLowerTriangleInverterConfig

path, l2, density, scans, finetune_steps = sys.argv[1], *map(float, sys.argv[2:])
X = sp.load_npz(path)
def fit(X, density):
    inverter = UMRUnitLowerTriangleInverterConfig(int(scans), int(finetune_steps))
    model = SANSA(SANSAConfig(l2, density, ICFGramianFactorizerConfig(), inverter))
    started = time.perf_counter()
    model.fit(X)
    return model, time.perf_counter() - started
fit(sp.random(200, 50, 0.2, "csr", np.float32, 0), 0.2)
model, seconds = fit(X, density)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": round(seconds, 1), "nonzeros": [w.nnz for w in model.weights],
                  "peak_mb": round(peak / 1024)}))
"""


def generate(users: int, items: int, per_user: int) -> sp.csr_matrix:
    """Return 0/1 interactions with a head and a long tail, every item there; (users, items)."""
    rng = np.random.default_rng(0)
    user = np.append(np.repeat(np.arange(users), per_user), rng.integers(0, users, items))
    chosen = (items * rng.random(users * per_user) ** 3).astype(np.int32)
    item = np.append(chosen, np.arange(items))
    X = sp.csr_matrix((np.ones(len(item), np.float32), (user, item)), shape=(users, items))
    X.data[:] = 1.0
    return X


def ours(*, path: str, l2: float, density: float) -> dict[str, Any]:
    """Return seconds and size of our fit."""
    X = sp.csr_array(sp.load_npz(path))
    fit_sansa(X[:200, :200], l2=l2, density=0.1)  # compiles the loops
    started = time.perf_counter()
    model = fit_sansa(X, l2=l2, density=density, n_scans=N_SCANS, n_finetune_steps=N_FINETUNE_STEPS)
    seconds = round(time.perf_counter() - started, 1)
    right = model.right.nnz if model.right is not None else 0
    return {"seconds": seconds, "nonzeros": [model.left.nnz, right]}


def reference(python: str, path: str, l2: float, density: float) -> dict[str, Any]:
    """Return the same of the reference package."""
    arguments = [path, l2, density, N_SCANS, N_FINETUNE_STEPS]
    done = subprocess.run(
        [python, "-c", REFERENCE, *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def ease(*, items: int) -> dict[str, Any]:
    """Return the rates of LAPACK's Cholesky and of EASE, in billions of operations a second."""
    X = sp.csr_array(generate(2 * items, items, 40))
    fit_ease(X[:200, :200], l2=1.0)
    G = np.asfortranarray((X.T @ X).toarray())
    G.flat[:: items + 1] += 100.0
    seconds = {}
    started = time.perf_counter()
    spotrf(G, overwrite_a=1)
    seconds["cholesky"] = time.perf_counter() - started
    del G
    started = time.perf_counter()
    fit_ease(X, l2=100.0)
    seconds["ease"] = time.perf_counter() - started
    work = {"cholesky": items**3 / 3, "ease": items**3}
    rates = {name: work[name] / seconds[name] / 1e9 for name in work}
    return {
        "seconds": {name: round(each, 1) for name, each in seconds.items()},
        "gflops": {name: round(each, 1) for name, each in rates.items()},
        "share_of_cholesky": round(rates["ease"] / rates["cholesky"], 2),
    }


def main() -> None:
    """Measure what is asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("users", 60_000), ("items", 100_000), ("per-user", 40), ("ease-items", 20_000),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--l2", type=float, default=20.0)
    parser.add_argument("--density", type=float, default=1e-4)
    parser.add_argument("--reference-python")
    a = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "sansa", "items": a.items, "density": a.density}
    if a.items:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "X.npz")
            X = generate(a.users, a.items, a.per_user)
            sp.save_npz(path, X, compressed=False)
            result |= {"users": a.users, "interactions": X.nnz}
            result["ours"] = in_child(ours, path=path, l2=a.l2, density=a.density)
            if a.reference_python:
                result["reference"] = reference(a.reference_python, path, a.l2, a.density)
    if a.ease_items:
        result["ease"] = {"items": a.ease_items} | in_child(ease, items=a.ease_items)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
