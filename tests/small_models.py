"""Every kind of model so small that it is fitted in a moment: SMALL[kind], keys of its kind."""

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "elsa": {"n_factors": 8, "n_epochs": 2},
    "compressed_elsa": {"n_factors": 16, "n_nonzeros": 4, "n_stages": 3, "n_epochs": 2},
    "ials": {"n_factors": 8, "n_epochs": 3},
    "bpr": {"n_factors": 8, "n_epochs": 5},
    "multvae": {"n_factors": 8, "n_hidden": 16, "n_epochs": 3},
    "multdae": {"n_factors": 8, "n_epochs": 3},
    "cdae": {"n_factors": 8, "n_epochs": 3},
    "svae": {"n_embedding": 8, "n_state": 8, "n_hidden": 8, "n_factors": 4, "n_epochs": 2},
    "simple_cf": {"n_factors": 8, "n_epochs": 3},
    "biased_mf": {"n_factors": 8, "n_epochs": 3},
    "autorec": {"n_factors": 8, "n_epochs": 3},
    "deeprec": {"hidden": (8, 12), "n_epochs": 3},
    "rating_autoencoder": {"n_hidden": 12, "n_factors": 8, "k_sparse": 4, "n_epochs": 3},
    "combined_autoencoder": {"n_factors": 8, "n_hidden": 12, "n_head": 8, "n_epochs": 3},
}
