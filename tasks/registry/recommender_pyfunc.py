"""The model as MLflow serves it: numpy only, nothing of ours is imported.

MLflow stores this very file with the version (models from code), so an old version keeps
working whatever becomes of the package.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

ROWS = 16384  # items scored at once: all in float64 would be twice the model
BEFORE_KINDS = '{"form": "elsa", "parameters": {}}'  # of a training that did not write it down
Arrays = dict[str, np.ndarray]
Scores = Callable[[np.ndarray], np.ndarray]  # of the items of a history to those of all items


class Recommender(PythonModel):
    """Recommend items for a list of item ids; unknown ids are passed over."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the arrays of the model, memory-mapped, and what says how they score."""
        files = {name: Path(path) for name, path in context.artifacts.items()}
        self.item_ids: list[str | int] = json.loads(files.pop("item_ids").read_text("utf-8"))
        model = files.pop("model").read_text("utf-8") if "model" in files else BEFORE_KINDS
        told: dict[str, Any] = json.loads(model)
        arrays = {name: np.load(files[name], "r", allow_pickle=False) for name in files}
        form = told["form"]
        self.ordered = form == "svae"  # a history is read from its earliest item to its latest
        self.read, self.listed = _masks(form, arrays, told["parameters"])
        self.scores: Scores = FORMS[form](arrays, told["parameters"])
        # a sparse model says nothing of items without an entry
        self.above = 0.0 if form == "sparse_item_item" else -np.inf
        self.index = {item_id: item for item, item_id in enumerate(self.item_ids)}

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow gives it
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, list[Any]]]:
        """Return item ids and scores, best first, for the list in every row of column item_ids.

        Raises:
            MlflowException: n is not positive.
        """
        n = int((params or {}).get("n", 20))
        if n < 1:
            raise MlflowException.invalid_parameter_value(f"n must be positive, got {n}")
        return [self._recommend(list(history), n) for history in model_input["item_ids"]]

    def _recommend(self, history: list[str | int], n: int) -> dict[str, list[Any]]:
        latest_first = [self.index[item_id] for item_id in history[::-1] if item_id in self.index]
        listed = list(dict.fromkeys(latest_first))
        seen = np.array(listed[::-1] if self.ordered else sorted(listed), dtype=np.int64)
        seen = seen[self.read[seen]]  # what nobody had in training says nothing
        if not len(seen):
            return {"item_ids": [], "scores": []}
        scores = self.scores(seen)
        scores[seen] = -np.inf
        scores[~self.listed] = -np.inf
        order = np.lexsort((np.arange(len(scores)), -scores))[:n]
        order = order[scores[order] > self.above]
        return {
            "item_ids": [self.item_ids[item] for item in order],
            "scores": [float(score) for score in scores[order]],
        }


def elsa(arrays: Arrays, _parameters: dict[str, float]) -> Scores:
    """Score as ELSA: unit rows of factors, tempered by popularity, and weights beside them."""
    A, (input_scale, output_scale) = arrays["factors"], _tempering(arrays)

    def scores(seen: np.ndarray) -> np.ndarray:
        user = (A[seen] * input_scale[seen, None]).sum(axis=0, dtype=np.float32).astype(np.float64)
        more = _rows_of(arrays, "residual", seen)
        return _rounded(lambda rows: A[rows] * output_scale[rows, None] @ user + more[rows], len(A))

    return scores


def elsa_content(arrays: Arrays, parameters: dict[str, float]) -> Scores:
    """Score as ELSA with item information: another side reads items than lists them."""
    E, D, counts = arrays["encoder"], arrays["decoder"], np.asarray(arrays["counts"])
    usual = counts[counts > 0].mean() if counts.any() else 1.0
    powers = np.where(counts > 0, counts, usual).astype(np.float64) ** parameters["beta"]
    scale = powers.astype(np.float32)
    return lambda seen: _products(
        lambda rows: D[rows] * scale[rows, None], len(D), E[seen].sum(axis=0, dtype=np.float32)
    )


def compressed_elsa(arrays: Arrays, parameters: dict[str, float]) -> Scores:
    """Score as ELSA whose factors are kept sparse: a row of them for every item."""
    indptr, columns, values = (arrays[f"factors_{each}"] for each in ("indptr", "indices", "data"))
    width, (input_scale, output_scale) = int(parameters["n_factors"]), _tempering(arrays)
    row = np.repeat(np.arange(len(output_scale)), np.diff(indptr))

    def scores(seen: np.ndarray) -> np.ndarray:
        user = _rows_of(arrays, "factors", seen, input_scale[seen], width)
        total = np.bincount(row, values * user[columns], minlength=len(output_scale))
        return total.astype(np.float32) * output_scale

    return scores


def item_item(arrays: Arrays, _parameters: dict[str, float]) -> Scores:
    """Score as an item-item model: the sum of the rows of its weights."""
    B = arrays["weights"]
    nothing = np.zeros(B.shape[1], np.float32)
    return lambda seen: sum((B[item] for item in seen), start=nothing)


def sparse_item_item(arrays: Arrays, _parameters: dict[str, float]) -> Scores:
    """Score as a sparse item-item model: rows of left, or of left right plus the identity."""

    def scores(seen: np.ndarray) -> np.ndarray:
        total = _rows_of(arrays, "left", seen)
        if "right_data" in arrays:
            middle = np.flatnonzero(total)
            total = _rows_of(arrays, "right", middle, total[middle])
            total[seen] += np.float32(1.0)
        return total

    return scores


def ials(arrays: Arrays, parameters: dict[str, float]) -> Scores:
    """Score as implicit ALS: the user is solved for, every item of the history counts 1."""
    known = arrays["counts"] > 0
    Y = (arrays["factors"] * known[:, None]).astype(np.float64)
    common = Y.T @ Y + parameters["l2"] * np.eye(Y.shape[1])
    trust = parameters["weight"]

    def scores(seen: np.ndarray) -> np.ndarray:
        own = Y[seen]
        A = common + own.T @ (own * (trust - 1.0))
        user = np.linalg.solve(A, own.T @ np.full(len(seen), trust)).astype(np.float32)
        return (Y @ user.astype(np.float64)).astype(np.float32)

    return scores


def bpr(arrays: Arrays, _parameters: dict[str, float]) -> Scores:
    """Score as BPR: the mean item of the history, brought to a user."""
    Y, projection = arrays["factors"], arrays["projection"]

    def scores(seen: np.ndarray) -> np.ndarray:
        mean = Y[seen].sum(axis=0, dtype=np.float32) / np.float32(len(seen))
        return _products(lambda rows: Y[rows], len(Y), mean[None] @ projection)

    return scores


def autoencoder(arrays: Arrays, parameters: dict[str, Any]) -> Scores:
    """Score as an autoencoder: the layers of a history of ones, the last one linear."""
    (first, bias, activation), *rest = _layers(arrays, parameters)

    def scores(seen: np.ndarray) -> np.ndarray:
        length = np.sqrt(len(seen)) if parameters["unit_rows"] else 1.0
        h = activation(first[seen].astype(np.float64).sum(axis=0) / length + bias)
        return _last_linear(rest, h)

    return scores


def svae(arrays: Arrays, parameters: dict[str, Any]) -> Scores:
    """Score as SVAE: a GRU reads the items in their order, layers follow, the last one linear."""
    embedding, most = arrays["embedding"], int(parameters["max_length"])
    names = ("W_in", "W_state", "b_in", "b_state")
    W_in, W_state, b_in, b_state = (arrays[f"gru_{name}"].astype(np.float64) for name in names)
    layers = _layers(arrays, parameters)
    n, sigmoid = len(W_state), ACTIVATIONS["sigmoid"]

    def scores(seen: np.ndarray) -> np.ndarray:
        h = np.zeros(n)
        for item in seen[-most:]:
            given, own = embedding[item].astype(np.float64) @ W_in + b_in, h @ W_state + b_state
            gates = sigmoid(given[: 2 * n] + own[: 2 * n])
            new = np.tanh(given[2 * n :] + gates[:n] * own[2 * n :])
            h = (1.0 - gates[n:]) * new + gates[n:] * h
        return _last_linear(layers, h)

    return scores


def _layers(arrays: Arrays, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (arrays[f"layer_{n}_weights"], arrays[f"layer_{n}_bias"], ACTIVATIONS[name])
        for n, name in enumerate(parameters["activations"].split())
    ]


def _last_linear(layers: list[tuple[Any, ...]], h: np.ndarray) -> np.ndarray:
    for weights, bias, activation in layers[:-1]:
        h = activation(h @ weights.astype(np.float64) + bias)
    last, bias, _ = layers[-1]
    user = np.append(h, 1.0).astype(np.float32)
    return _products(lambda rows: np.column_stack([last[:, rows].T, bias[rows]]), len(bias), user)


def popularity(arrays: Arrays, _parameters: dict[str, float]) -> Scores:
    """Score by the number of users who had an item."""
    return lambda _seen: np.asarray(arrays["counts"], dtype=np.float32)


def at_random(arrays: Arrays, parameters: dict[str, float]) -> Scores:
    """Score by a hash of seed, history and item."""
    n_items = len(arrays["counts"])
    seed = _mixed(np.full(1, int(parameters["seed"]), np.uint64))
    item = _mixed(np.arange(n_items, dtype=np.uint64) ^ seed)

    def scores(seen: np.ndarray) -> np.ndarray:
        bits = _mixed(_mixed(item[seen].sum(dtype=np.uint64, keepdims=True)) ^ item)
        return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)

    return scores


def rating_bias(arrays: Arrays, _parameters: dict[str, float]) -> Scores:
    """Score by the mean and the bias of an item: ratings of the history are not told."""
    return lambda _seen: np.asarray(arrays["numbers"][0] + arrays["bias"], dtype=np.float32)


def rating_ridge(arrays: Arrays, _parameters: dict[str, float]) -> Scores:
    """Score by predicted rating from features of items, weights of the history being solved for.

    Ratings of the history are not told: every item of it counts as rated at the top of the scale.
    """
    biased = "factors" in arrays  # a ridge for every rating, no offset of users
    codes = arrays["factors" if biased else "codes"]
    H, own_l2 = np.column_stack([codes, np.ones(len(codes))]), arrays["numbers"][-1]

    def scores(seen: np.ndarray) -> np.ndarray:
        own = H[seen].astype(np.float64)
        left, offset = _rated_highest(arrays, seen, np.inf if biased else arrays["numbers"][4])
        ridge = np.full(own.shape[1], own_l2 * len(seen) if biased else own_l2)
        ridge[-1] *= biased
        w = np.linalg.solve(own.T @ own + np.diag(ridge), own.T @ left.astype(np.float64))
        user = np.concatenate([w[:-1], [w[-1] + offset, 1.0]]).astype(np.float32)
        return _products(
            lambda rows: np.column_stack([H[rows], arrays["item"][rows]]), len(H), user
        )

    return scores


def rating_network(arrays: Arrays, parameters: dict[str, Any]) -> Scores:
    """Score by the rating that a network predicts; the history is taken as in rating_ridge."""
    user_l2, unit = arrays["numbers"][4:]

    def scores(seen: np.ndarray) -> np.ndarray:
        left, offset = _rated_highest(arrays, seen, user_l2)
        *_, h = _outputs(arrays, parameters, seen, left / np.float32(unit))
        return (h * unit + offset + arrays["item"]).astype(np.float32)

    return scores


def combined_autoencoder(arrays: Arrays, parameters: dict[str, Any]) -> Scores:
    """Score by an autoencoder of items, one of users, a head over both codes, or their mean."""
    numbers, way = arrays["numbers"], parameters["way"]  # those of items, and the users' unit
    ways = {
        "item": rating_ridge({**arrays, "numbers": numbers[:6]}, parameters),
        "user": rating_network({**arrays, "numbers": np.delete(numbers, 5)}, parameters),
        "head": _head(arrays, parameters),
    }
    if way != "mean":
        return ways[way]
    return lambda seen: np.asarray(
        sum(np.clip(each(seen), *numbers[:2]) for each in ways.values()) / 3, dtype=np.float32
    )


def _head(arrays: Arrays, parameters: dict[str, Any]) -> Scores:
    codes, unit = arrays["embedding"], arrays["numbers"][-1]
    of_item, of_user, of_both = np.split(arrays["head_0_weights"].astype(np.float64), 3)
    before, after = (ACTIVATIONS[name] for name in parameters["head_activations"].split())
    last, last_bias = arrays["head_1_weights"].astype(np.float64)[:, 0], arrays["head_1_bias"]

    def scores(seen: np.ndarray) -> np.ndarray:
        outputs = _outputs(arrays, parameters, seen, np.ones(len(seen)))  # rated highest
        u = outputs[parameters["code"]].astype(np.float64)
        W, own = of_item + u[:, None] * of_both, u @ of_user + arrays["head_0_bias"]
        return _rounded(
            lambda rows: unit * after(before(codes[rows] @ W + own) @ last + last_bias), len(codes)
        )

    return scores


def _outputs(arrays: Arrays, told: dict[str, Any], seen: np.ndarray, ratings: Any) -> list[Any]:
    """What every layer makes of ratings; the code is rounded, its k largest numbers are kept."""
    outputs, h = [], ratings.astype(np.float64)
    for place, (weights, bias, activation) in enumerate(_layers(arrays, told)):
        W = (weights[seen] if place == 0 else weights).astype(np.float64)
        h = activation(h @ W + bias)
        if place == told["code"]:
            least = np.sort(h)[-(told["k_sparse"] or len(h))]
            h = np.where(h >= least, h, 0.0).astype(np.float32)
        outputs.append(h)
    return outputs


def _rated_highest(arrays: Arrays, seen: np.ndarray, user_l2: float) -> tuple[np.ndarray, float]:
    """What offsets leave of a history rated at the top of the scale, and mean and user's offset."""
    _, highest, _, mean = arrays["numbers"][:4]
    left = highest - mean - arrays["item"][seen].astype(np.float64)
    user = left.sum() / (len(seen) + user_l2)
    return (left - user).astype(np.float32), mean + user


def _sigmoid(h: np.ndarray) -> np.ndarray:
    below = np.exp(-np.abs(h))  # never overflows
    return np.asarray(np.where(h >= 0.0, 1.0, below) / (1.0 + below))


def _selu(h: np.ndarray) -> np.ndarray:
    """Reference: Klambauer et al., NeurIPS 2017, arXiv:1706.02515."""
    below = 1.6732632423543772 * np.expm1(np.minimum(h, 0.0))
    return np.asarray(1.0507009873554805 * np.where(h > 0.0, h, below))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": np.asarray,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "relu": lambda h: np.maximum(h, 0.0),
    "selu": _selu,
}
FORMS: dict[str, Callable[[Arrays, dict[str, Any]], Scores]] = {
    "elsa": elsa, "compressed_elsa": compressed_elsa, "elsa_content": elsa_content,
    "item_item": item_item, "sparse_item_item": sparse_item_item, "ials": ials, "bpr": bpr,
    "autoencoder": autoencoder, "svae": svae, "popularity": popularity, "random": at_random,
    "rating_bias": rating_bias, "biased_mf": rating_ridge, "item_codes": rating_ridge,
    "rating_network": rating_network, "combined_autoencoder": combined_autoencoder,
}  # fmt: skip


def _masks(form: str, arrays: Arrays, told: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Items that are read from a history, and items that are listed: those that somebody had.

    With item information also those that are known by their content, on the side that is given.
    """
    known = arrays["counts"] > 0
    if form != "elsa_content":
        return known, known
    read, listed = (np.asarray(arrays[side].any(axis=1)) for side in ("encoder", "decoder"))
    by_content = bool(told["lists_by_content"])
    return (known & read, listed) if by_content else (read, known & listed)


def _tempering(arrays: Arrays) -> np.ndarray:
    """Popularity to the power of -alpha and of beta."""
    powers = np.maximum(arrays["counts"], 1).astype(np.float64)
    return (powers ** (np.array([[-1.0], [1.0]]) * arrays["tempering"][:, None])).astype(np.float32)


def _rows_of(
    arrays: Arrays, name: str, items: np.ndarray, weights: Any = None, width: int | None = None
) -> np.ndarray:
    """Sum some rows of a sparse matrix, if there is one, each times its weight, 1 by default."""
    total = np.zeros(width or len(arrays["counts"]), np.float32)
    if f"{name}_data" not in arrays:
        return total
    indptr, indices, data = (arrays[f"{name}_{part}"] for part in ("indptr", "indices", "data"))
    weights = np.ones(len(items), np.float32) if weights is None else weights
    for start, stop, x in zip(indptr[items], indptr[items + 1], weights, strict=True):
        total[indices[start:stop]] += x * data[start:stop]  # a row holds no item twice
    return total


def _products(rows_of: Callable[[slice], np.ndarray], n_items: int, user: np.ndarray) -> np.ndarray:
    """Scores of all items as the tables have them: products in float64, rounded to float32."""
    wide = user.ravel().astype(np.float64)
    return _rounded(lambda rows: rows_of(rows).astype(np.float64) @ wide, n_items)


def _rounded(scores_of: Callable[[slice], np.ndarray], n_items: int) -> np.ndarray:
    scores = np.empty(n_items, np.float32)
    for start in range(0, n_items, ROWS):
        scores[start : start + ROWS] = scores_of(slice(start, start + ROWS))
    return scores


def _mixed(keys: np.ndarray) -> np.ndarray:
    """Mix bits; reference: Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195."""
    z = keys + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


mlflow.models.set_model(Recommender())
