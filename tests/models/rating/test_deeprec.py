"""DeepRec: the shared rules, its layers, its two losses, going on."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from models.network.network_fit import Step
from models.network.network_state import NetworkState
from models.rating.deeprec import DeepRecForm, _DeepRec, fit_deeprec
from models.rating.rating_fit import rating_data
from models.rating.rating_network import Layers, torch_activated
from tests.models.ratings import RatingContract, one_thread, ratings_of, taste

R = ratings_of(taste())
ALL = tuple(each.ravel() for each in np.indices(R.shape))


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with one_thread():
        yield


def fit(ratings, **settings):
    """Few and narrow layers."""
    given = {
        "hidden": (8, 12), "dropout": 0.3, "n_refeeds": 1, "n_epochs": 20, "learning_rate": 0.02,
        "batch_size": 8, "seed": 0, "optimiser": "adam", "output_selu": False, "centre": "mean",
    } | settings  # fmt: skip
    form = DeepRecForm(**{each: given.pop(each) for each in DeepRecForm._fields if each in given})
    return fit_deeprec(ratings, form, **given)


class TestDeepRec(RatingContract):
    """The rules of every model of ratings."""

    def fit(self, R):
        """By Adam, for speed."""
        return fit(R)


def test_layers_mirror_each_other_with_selu_after_each():
    """Also after the last one, unless it is left out."""
    model = fit(R, hidden=(7, 6, 5), output_selu=True, n_epochs=1)
    assert [layer.W.shape[1] for layer in model.layers] == [7, 6, 5, 6, 7, 24]
    assert {layer.activation for layer in model.layers} == {"selu"}
    assert fit(R, n_epochs=1).layers[-1].activation == "identity"
    assert model.codes(R).shape == (24, 5)


def test_golden_selu_of_torch():
    """Scale 1.05070099, alpha 1.67326324."""
    got = torch_activated(torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], dtype=torch.float64), "selu")
    expected = [-1.52016647, -0.69175819, 0.0, 0.52535049, 2.10140197]
    np.testing.assert_allclose(got.numpy(), expected, atol=5e-9)


def test_tied_layers_are_transposed():
    """With biases of their own."""
    model = fit(R, tied=True, n_epochs=2)
    first, second, third, last = model.layers
    np.testing.assert_array_equal(first.W, last.W.T)
    np.testing.assert_array_equal(second.W, third.W.T)
    assert not np.array_equal(first.b[:8], last.b[:8])


def network(**settings):
    """An untrained one, without dropout."""
    data = rating_data(R, "none", lowest=None, highest=None, fallback=None)
    layers = Layers((5, 4, 5), ("selu",) * 4, dropout=(0.0, settings.pop("dropout", 0.0)))
    return _DeepRec(data, layers, settings.pop("n_refeeds", 1), settings.pop("l2", 0.0), 0, "cpu")


def test_losses_are_of_ratings_and_of_what_is_fed_back():
    """By hand: a mean over observed ratings, then over all of f(f(x)) - f(x)."""
    model, rows = network(), np.arange(24)
    with torch.no_grad():
        first, second = model.losses(rows, Step(0, 1, torch.Generator()))
        x = torch.tensor(R.toarray())
        out = model(x)
        again = model(out)
    seen = torch.zeros(R.shape, dtype=torch.bool)
    seen[np.repeat(rows, np.diff(R.indptr)), R.indices] = True
    torch.testing.assert_close(first, (out - x)[seen].square().mean())
    torch.testing.assert_close(second, (again - out).square().mean())


def test_what_is_fed_back_is_a_target_and_no_path():
    """The gradient of the second loss is that of one pass."""
    model, rows = network(), np.arange(24)
    _, second = model.losses(rows, Step(0, 1, torch.Generator()))
    second.backward()
    given = [each.grad.clone() for each in model.parameters()]
    model.zero_grad()
    fed = model(torch.tensor(R.toarray())).detach()
    (model(fed) - fed).square().mean().backward()
    for one, other in zip(given, model.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad)


def test_only_the_code_is_dropped():
    """A half of its numbers, the rest doubled; other layers stay."""
    model = network(dropout=0.5)
    rows = model._rows.take(np.arange(24))
    whole, some = (model.encoded(rows, noise) for noise in (None, torch.Generator().manual_seed(0)))
    kept = some != 0
    torch.testing.assert_close(some[kept], 2 * whole[kept])
    assert 0.3 < float(kept.float().mean()) < 0.7


def test_loss_shrinks_with_momentum_and_a_fit_goes_on_to_the_bit():
    """The paper's optimiser, over a milestone."""
    states: list[NetworkState] = []
    losses: list[float] = []

    def keep(_epoch, figures, state):
        states.append(state)
        losses.append(figures["loss"])

    settings = {"optimiser": "momentum", "n_epochs": 12, "milestones": (3,)}
    whole = fit(R, on_epoch=keep, **settings)
    again = fit(R, resume=states[4], **settings)
    assert losses[-1] < 0.8 * losses[0]
    np.testing.assert_array_equal(again.predict_ratings(R, *ALL), whole.predict_ratings(R, *ALL))


def test_long_gradients_do_not_end_in_nan():
    """A step size at which the paper's loss overflows."""
    raw = {"optimiser": "momentum", "learning_rate": 1.0, "centre": "none", "n_epochs": 30}
    with pytest.raises(ArithmeticError, match="the loss must be finite"):
        fit(R, max_gradient=None, **raw)
    model = fit(R, max_gradient=0.1, **raw)
    assert np.isfinite(model.scores(R)).all()


def test_squared_weights_are_added_to_the_loss_of_ratings():
    """Half of l2 times them, without biases."""
    rows, step = np.arange(24), Step(0, 1, torch.Generator())
    with torch.no_grad():
        more = network(l2=0.4).loss(rows, step) - network().loss(rows, step)
    torch.testing.assert_close(more, 0.2 * network().squared_weights().detach())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (Layers((4, 5), ("selu",) * 3, tied=True), "tied layers must mirror each other"),
        (Layers((4,), ("selu",)), "must have 2 activations"),
        (Layers((4,), ("selu",) * 2, dropout=(1.0,)), "dropout must be at least 0 and below 1"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, message):
    """What must hold is said."""
    data = rating_data(R, "none", lowest=None, highest=None, fallback=None)
    with pytest.raises(ValueError, match=message):
        _DeepRec(data, layers, 0, 0.0, 0, "cpu")
