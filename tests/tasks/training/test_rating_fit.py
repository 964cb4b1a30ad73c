"""Models of ratings fitted from their configuration on public ratings, one split for all."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from data_contracts.rating_config import AutoRecConfig, BiasedMFConfig, DeepRecConfig
from models.rating.rating_bias import fit_rating_bias
from models.rating.rating_metric import rmse
from tasks.training.fit_data import FitData
from tasks.training.rating_fit import fit_rating_model
from tests.models.ratings import one_thread

N_EPOCHS = {"biased_mf": 5, "autorec": 6, "deeprec": 10}


def split(folder, seed=0):
    """A tenth of the ratings at random to ask for."""
    told = pl.read_parquet(folder / "ml-latest-small" / "interactions.parquet")
    row, item = (np.unique(told[name], return_inverse=True)[1] for name in ("user_id", "item_id"))
    asked = np.random.default_rng(seed).permutation(len(row)) < len(row) // 10
    shown = (told["rating"].to_numpy()[~asked], (row[~asked], item[~asked]))
    R = sp.csr_array(sp.coo_array(shown, shape=(row.max() + 1, item.max() + 1)))
    return R, row[asked], item[asked], told["rating"].to_numpy()[asked]


@pytest.mark.slow
@pytest.mark.realdata
def test_networks_are_as_good_as_factors(realdata):
    """AutoRec and DeepRec within 3 % of biased matrix factorisation, all below biases alone."""
    R, row, item, observed = split(realdata)
    errors = {}
    with one_thread():
        for config in (BiasedMFConfig(), AutoRecConfig(), DeepRecConfig()):
            how = {"n_epochs": N_EPOCHS[config.kind], "seed": 0, "device": "cpu"}
            how |= {"on_epoch": None, "resume": None}
            model = fit_rating_model(FitData(R, None), config, how)
            errors[config.kind] = rmse(model.predict_ratings(R, row, item), observed)
    bias = fit_rating_bias(R, item_l2=5.0, user_l2=5.0)
    errors["bias"] = rmse(bias.predict_ratings(R, row, item), observed)
    mean = np.full(len(observed), R.data.mean())
    assert errors["autorec"] <= 1.03 * errors["biased_mf"]
    assert errors["deeprec"] <= 1.03 * errors["biased_mf"]
    assert max(errors["autorec"], errors["deeprec"]) < errors["bias"] < rmse(mean, observed)
