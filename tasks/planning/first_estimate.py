"""What a first night may take: simple constants, and a matrix product timed on this machine.

The constants are wide on purpose. After one recorded night they are not used any more.
"""

import time

import numpy as np

from data_contracts.model_config import ELSAConfig
from data_contracts.plan import Expected, Range
from models.elsa.elsa import usual_batch_size, usual_rank
from models.ranking.ranking_engine import BUDGET
from tasks.lake import Night

_SIDE, _TRIES = 1024, 4  # of the product that is timed
_ROWS_PER_SECOND = {
    "ingest": (2e5, 2e6), "table_rules": (1e6, 1e7), "log_drift": (1e6, 5e7),
    "history": (5e5, 1e7), "matrices": (5e5, 1e7),
}  # fmt: skip
_LISTED_PER_SECOND = {
    "materialise": (2e5, 2e6), "check": (5e5, 5e6), "compare": (5e5, 1e9), "publish": (5e6, 1e9),
}  # fmt: skip
_FIXED = {  # seconds, whatever the data
    "ingest": (0.02, 3), "table_rules": (0.02, 3), "log_drift": (0.02, 3),
    "history": (0.02, 2), "matrices": (0.02, 2),
    "train": (0.5, 30), "judge": (0.05, 20), "promote": (0.3, 30), "materialise": (0.1, 15),
    "check": (0.02, 5), "compare": (0.0, 5), "publish": (0.01, 3),
}  # fmt: skip
_PROCESS_MB = (300.0, 1500.0)  # Python, Prefect, MLflow, torch
BYTES_PER_ROW = {"top_n": (3.0, 45.0), "similar_items": (3.0, 40.0), "short_lists": (2.0, 60.0)}


def product_rate() -> float:
    """Return the multiplications and additions per second of a float32 matrix product here."""
    A = np.full((_SIDE, _SIDE), 0.5, np.float32)
    best = float("inf")  # of a few: the first one starts the threads, others may be disturbed
    for _ in range(_TRIES):
        started = time.perf_counter()
        A @ A
        best = min(best, time.perf_counter() - started)
    return 2.0 * _SIDE**3 / best


def first_seconds(night: Night, expected: Expected, rate: float) -> dict[str, Range]:
    """Return the time of every step; without ELSA nothing is said of its training and memory."""
    listed = listed_places(night, expected)
    seconds = {name: Range(low=low, high=high) for name, (low, high) in _FIXED.items()}
    rows = Range(low=expected.rows, high=expected.rows)
    for work, speeds in ((rows, _ROWS_PER_SECOND), (listed, _LISTED_PER_SECOND)):
        for name, (slow, fast) in speeds.items():
            seconds[name] = seconds[name].plus(work.times(1 / fast, 1 / slow))
    rank = model_rank(night, expected)
    if rank is None:
        return {name: each for name, each in seconds.items() if name not in ("train", "judge")}
    products = _products(night, expected, rank)
    for name, flops in products.items():
        seconds[name] = seconds[name].plus(flops.times(1 / rate, 4 / rate))
    return seconds


def first_memory(night: Night, expected: Expected) -> dict[str, Range]:
    """Return the peak of training and ranking in MB, of ELSA only."""
    rank = model_rank(night, expected)
    if rank is None:
        return {}
    process = Range(low=_PROCESS_MB[0], high=_PROCESS_MB[1])
    factors = expected.items.times(rank.low * 4e-6, rank.high * 4e-6)
    matrix = expected.interactions.times(8e-6)
    blocks = Range(low=0.0, high=BUDGET * 1e-6)
    batch = expected.items.times(_batch(night, expected.users.high) * 4e-6)
    training = process.plus(factors.times(3, 8)).plus(matrix.times(1, 4)).plus(batch.times(0, 3))
    ranking = process.plus(factors.times(1, 3)).plus(matrix.times(0.2, 2)).plus(blocks)
    return {"training": training, "ranking": ranking}


def model_rank(night: Night, expected: Expected) -> Range | None:
    """Return the number of factors, or None where the model is none that is known here."""
    model = night.config.model
    if not isinstance(model, ELSAConfig):
        return None
    if model.n_factors is not None:
        return Range(low=model.n_factors, high=model.n_factors)
    low, high = (
        usual_rank(max(int(users), 1), max(int(items), 1), with_neighbours=model.n_neighbours > 0)
        for users, items in (
            (expected.users.low, expected.items.low),
            (expected.users.high, expected.items.high),
        )
    )
    return Range(low=min(low, high), high=max(low, high))


def listed_places(night: Night, expected: Expected) -> Range:
    """Return the rows of top_n if every list were full."""
    places = sum(surface.n_top for surface in night.config.surfaces.values())
    return expected.users.times(places)


def _products(night: Night, expected: Expected, rank: Range) -> dict[str, Range]:
    config = night.config
    users, items, known = expected.users, expected.items, expected.interactions
    fits = 2 if config.training.refit else 1
    batch = _batch(night, users.high)
    # a step costs its interactions and the Gram matrix, or the dense output, whichever is less
    sparse = known.times(4 * rank.low, 16 * rank.high).plus(
        items.times(users.low / batch * rank.low**2, 8 * (users.high / batch + 1) * rank.high**2)
    )
    dense = 6 * users.high * items.high * rank.high
    epoch = Range(low=min(sparse.low, dense), high=max(min(sparse.high, dense), sparse.low))
    scored = Range(
        low=users.low * items.low * rank.low * 2, high=users.high * items.high * rank.high * 2
    )
    judged = min(config.evaluation.max_users / max(users.high, 1), 1.0)
    return {
        "train": epoch.times(1, getattr(config.model, "n_epochs", 1) * fits),
        "judge": scored.times(0, 3 * judged),
        "materialise": scored.times(0.5 * len(config.surfaces), 4 * len(config.surfaces)),
    }


def _batch(night: Night, users: float) -> int:
    given = getattr(night.config.model, "batch_size", None)
    return int(given or usual_batch_size(max(int(users), 1)))
