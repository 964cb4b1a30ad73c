"""SVAE as MLflow serves it: the list that is given is read from its first item to its last."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from mlflow.pyfunc.model import PythonModelContext

from models.model_arrays import arrays_of
from models.network.multvae_network import Annealing
from models.network.svae import SVAE
from models.network.svae_fit import fit_svae
from models.network.svae_network import SVAEShape
from tasks.registry.recommender_pyfunc import Recommender

N_ITEMS = 10
RNG = np.random.default_rng(0)
X = sp.csr_array((RNG.random((50, N_ITEMS)) < 0.5) * RNG.permuted(
    np.tile(np.arange(1.0, N_ITEMS + 1), (50, 1)), axis=1
).astype(np.float32))  # fmt: skip
COUNTS = np.append(np.bincount(X.indices, minlength=N_ITEMS), 0)  # the last is a new one


@pytest.fixture(scope="module")
def model() -> SVAE:
    """A short fit that reads three items, laid over one more item."""
    shape = SVAEShape(n_embedding=4, n_state=5, n_hidden=6, n_factors=3, max_length=3)
    fitted = fit_svae(
        X, shape, n_epochs=2, batch_size=10, learning_rate=0.05, weight_decay=0.0,
        annealing=Annealing(0.2, 10), patience=2, seed=0,
    )  # fmt: skip
    return fitted.laid_over(COUNTS > 0)


@pytest.fixture
def served(model, tmp_path) -> Recommender:
    """The model from files, as a registered version holds them."""
    form, arrays, parameters = arrays_of(model)
    files = {"item_ids": tmp_path / "item_ids.json", "model": tmp_path / "model.json"}
    files["item_ids"].write_text(json.dumps([f"i{item}" for item in range(N_ITEMS + 1)]))
    files["model"].write_text(json.dumps({"form": form, "parameters": parameters}))
    for name, array in (arrays | {"counts": COUNTS}).items():
        files[name] = tmp_path / f"{name}.npy"
        np.save(files[name], array, allow_pickle=False)
    recommender = Recommender()
    recommender.load_context(context(files))
    return recommender


def context(files: dict[str, Path]) -> PythonModelContext:
    """What MLflow hands over."""
    return PythonModelContext({name: str(path) for name, path in files.items()}, None)


def answer(served: Recommender, history: list[str]) -> dict[str, float]:
    """Scores by item id."""
    asked = pd.DataFrame({"item_ids": [history]})
    (told,) = served.predict(context({}), asked, {"n": N_ITEMS})
    return dict(zip(told["item_ids"], told["scores"], strict=True))


@pytest.mark.parametrize(
    ("history", "order"),
    [
        (["i3", "i1"], [3, 1]), (["i1", "i3"], [1, 3]), (["i8"], [8]),
        (["i2", "i5", "i2"], [5, 2]),  # met again: its last time counts
        (["i4", "none", "i10", "i6"], [4, 6]),  # what nobody had is passed over
        (["i9", "i3", "i1", "i7"], [9, 3, 1, 7]),  # of which three are read
    ],
)  # fmt: skip
def test_order_of_the_list_is_that_of_time(served, model, history, order):
    """The scores are those of the fitted model for a row with such places."""
    row = np.zeros((1, N_ITEMS + 1), np.float32)
    row[0, order] = 1.0 + np.arange(len(order))
    expected = model.scores(sp.csr_array(row))[0]
    told = answer(served, history)
    unseen = [item for item in range(N_ITEMS) if item not in order]
    assert set(told) == {f"i{item}" for item in unseen}
    found = [told[f"i{item}"] for item in unseen]
    np.testing.assert_allclose(found, expected[unseen], rtol=1e-5, atol=1e-6)


def test_another_order_gives_another_answer(served):
    """Else the test above could not fail."""
    first, second = answer(served, ["i3", "i1"]), answer(served, ["i1", "i3"])
    assert max(abs(first[item] - second[item]) for item in first) > 1e-4
