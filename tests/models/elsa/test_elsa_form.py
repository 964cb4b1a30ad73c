"""Which step is taken, and that every form trains through the same door."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp

from models.elsa.elsa import fit_elsa
from models.elsa.elsa_cpu import CpuEngine
from models.elsa.elsa_form import ELSAForm
from models.elsa.elsa_start import xavier_start
from models.elsa.elsa_state import fresh_state
from models.elsa.elsa_torch import TorchEngine
from models.split.fold_in import fold_in_split

RNG = np.random.default_rng(0)
TASTE = RNG.integers(0, 4, 200)[:, None] == np.arange(40) % 4
X = sp.csr_array((RNG.random((200, 40)) < np.where(TASTE, 0.5, 0.05)).astype(np.float32))
SETTINGS = {"n_factors": 8, "n_epochs": 6, "batch_size": 32, "learning_rate": 0.1, "seed": 0}
FORMS = [
    ELSAForm(),
    ELSAForm(step="dense"),
    ELSAForm(loss="cosine"),
    ELSAForm(output="relu"),
    ELSAForm(output="relu", loss="cosine"),
    ELSAForm(max_output=30),
    ELSAForm(output="relu", max_output=30),
    ELSAForm(products="bfloat16"),
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_learns(form):
    """The loss falls, and held-out items of a user's taste are found."""
    fold_in, target = fold_in_split(X, target_share=0.2, seed=1)
    figures = []
    fit_elsa(
        X, **SETTINGS, form=form, validation=(fold_in, target),
        on_epoch=lambda _, metrics, __: figures.append(metrics),
    )  # fmt: skip
    assert figures[-1][form.loss] < 0.9 * figures[0][form.loss]
    assert figures[-1]["ndcg@100"] > figures[0]["ndcg@100"]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_resumes_to_the_same_bits(form):
    """Also the one that draws items at random."""
    states = []
    whole = fit_elsa(
        X, **SETTINGS, form=form, on_epoch=lambda *each: states.append(copy.deepcopy(each[2]))
    )
    resumed = fit_elsa(X, **SETTINGS, form=form, resume=states[2])
    np.testing.assert_array_equal(resumed.A, whole.A)


def test_exact_and_dense_steps_train_the_same_model():
    """They differ in cost, and in rounding."""
    exact, dense = (
        fit_elsa(X, **SETTINGS, form=ELSAForm(step=step)) for step in ("exact", "dense")
    )
    np.testing.assert_allclose(exact.A, dense.A, atol=1e-2)


def test_bfloat16_products_cost_next_to_nothing():
    """nDCG@100 moves by less than .001 and the factors hardly at all."""
    fold_in, target = fold_in_split(X, target_share=0.2, seed=1)
    best = []
    for products in ("float32", "bfloat16"):
        figures = []
        fit_elsa(
            X, **SETTINGS | {"n_epochs": 10}, form=ELSAForm(products=products),
            validation=(fold_in, target),
            on_epoch=lambda _, metrics, __, into=figures: into.append(metrics["ndcg@100"]),
        )  # fmt: skip
        best.append(max(figures))
    assert best[1] > best[0] - 0.001


@pytest.mark.parametrize(
    ("form", "n_factors", "batch_size", "exact"),
    [
        (ELSAForm(), 256, 1024, True),
        (ELSAForm(), 256, 128, True),
        (ELSAForm(), 256, 127, False),
        (ELSAForm(step="exact"), 256, 1, True),
        (ELSAForm(step="dense"), 256, 4096, False),
        (ELSAForm(output="relu"), 8, 4096, False),
        (ELSAForm(max_output=9), 8, 4096, False),
    ],
)
def test_cheaper_step_is_taken(form, n_factors, batch_size, exact):
    """By the number of operations, unless the user says which, or only one is possible."""
    assert form.is_exact(n_factors=n_factors, batch_size=batch_size) == exact


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_only_the_exact_float32_step_has_an_engine_of_its_own(form):
    """The compiled one, on the CPU."""
    state = fresh_state(*xavier_start(40, 8, 0))
    engine = form.engine(X, state.parameter, batch_size=32, seed=0, device="cpu")
    compiled = form.output == "linear" and form.max_output is None and form.step == "auto"
    compiled &= form.products == "float32"
    assert type(engine) is (CpuEngine if compiled else TorchEngine)


@pytest.mark.parametrize(
    "form", [ELSAForm("relu", step="exact"), ELSAForm(max_output=9, step="exact")]
)
def test_exact_step_of_another_output_is_refused(form):
    """There is no closed form for it."""
    with pytest.raises(ValueError, match="exact step needs a linear output of all items"):
        fit_elsa(X, **SETTINGS, form=form)
