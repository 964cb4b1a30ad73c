"""Networks of plug-ins: found by their entry points, trained, and what is refused of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from data_contracts.embedding_config import ModuleConfig, SimpleCFConfig
from data_contracts.errors import ConfigError
from models.factors.factor_baseline import IALS
from tasks.training.fit_data import FitData
from tasks.training.fitting import fit_model
from tasks.training.plugin_model import plugin_inputs
from tests.models.contract import checkerboard, first_choices
from tests.plugin_package import install_plugin

MORE = """

class Bare(nn.Module):
    def __init__(self, n_users, n_items):
        super().__init__()


def takes_nothing():
    return Bare(1, 1)


class Wide(Taste):
    def forward(self, users, items):
        return super().forward(users, items)[:, None]


class Computed(nn.Module):
    # vectors of items are content through a layer; users are looked up
    def __init__(self, n_users, n_items):
        super().__init__()
        self.user_embeddings = nn.Parameter(0.1 * torch.randn(n_users, 4))
        self.layer = nn.Linear(n_items, 4)

    @property
    def item_embeddings(self):
        return self.layer.weight.T + self.layer.bias

    def forward(self, users, items):
        return (self.user_embeddings[users] * self.item_embeddings[items]).sum(dim=1)


def few(n_users, n_items):
    return Taste(n_users, n_items - 1)


def no_module(n_users, n_items):
    return {"item_embeddings": torch.zeros(n_items, 2)}
"""
POINTS = {
    "bare": "taste:Bare", "nothing": "taste:takes_nothing", "wide": "taste:Wide",
    "few": "taste:few", "computed": "taste:Computed",
    "no_module": "taste:no_module", "gone": "taste:Gone",
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the page, with further models."""
    return install_plugin(tmp_path_factory.mktemp("plugin"), more=MORE, points=POINTS)


@pytest.fixture
def plugin(installed, monkeypatch):
    """The package on the path of this process."""
    monkeypatch.syspath_prepend(str(installed))
    yield
    sys.modules.pop("taste", None)


def fit(name: str, X: sp.csr_array | None = None, **keys: object) -> IALS:
    """A short fit of a plug-in's network."""
    config = ModuleConfig(name=name, **{"batch_size": 64, "learning_rate": 0.02} | keys)
    rows = checkerboard() if X is None else X
    n_epochs = config.n_epochs
    return fit_model(FitData(rows, None), config, n_epochs=n_epochs, seed=1, device="cpu")


@pytest.mark.parametrize("name", ["taste", "computed"])
def test_network_is_trained_and_its_items_are_kept(plugin, name):
    """The held-out item of everybody's camp comes first; the same bits twice; arrays only."""
    X = checkerboard()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    models = [fit(name, n_epochs=80, l2=0.1) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(models[0].decoder, models[1].decoder)
    np.testing.assert_array_equal(first_choices(models[0], X), np.arange(16))
    assert type(models[0]) is IALS


def test_settings_reach_the_network(plugin):
    """By name; n_epochs and the rest are the training's."""
    assert fit("taste", n_epochs=1, settings={"width": 5}).decoder.shape == (16, 5)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tast", r"entry point of the group hoarfrost.models \(.*few.*, taste, wide\), got tast:"),
        ("", r"must name an entry point .* got nothing"),
        ("nothing", r"\(taste:takes_nothing\) must return .* got TypeError"),
        ("gone", r"\(taste:Gone\) must return .* got AttributeError"),
        ("no_module", r"must be a torch.nn.Module, got dict"),
        ("few", r"item_embeddings must have the shape \(16, n_factors\), got \(15, 32\)"),
        ("wide", r"wide must be trained on pairs .* one number for each pair"),
    ],
)
def test_what_cannot_be_trained_is_refused(plugin, name, said):
    """With the entry point, what must hold, and what came."""
    with pytest.raises(ConfigError, match=said):
        fit(name, n_epochs=1)


def test_network_without_embeddings_is_refused(plugin):
    """Named after its class."""
    with pytest.raises(ConfigError, match=r"Bare must have user_embeddings, a torch.nn.Embedding"):
        fit("bare", n_epochs=1)


def test_night_knows_which_package_made_its_model(plugin):
    """Another version of it trains anew; other kinds have none."""
    assert plugin_inputs(ModuleConfig(name="taste")) == {"plugin": "taste:Taste of taste 0.1"}
    assert plugin_inputs(SimpleCFConfig()) == {}
    with pytest.raises(ConfigError, match="must name an entry point"):
        plugin_inputs(ModuleConfig(name="tast"))


def test_setting_that_the_network_does_not_take_is_named(plugin):
    """With those that were given."""
    with pytest.raises(ConfigError, match=r"model.settings \(depth\), got TypeError: .*'depth'"):
        fit("taste", settings={"depth": 3})


def test_without_any_plugin_that_is_said():
    """The package is not on the path of this process."""
    with pytest.raises(ConfigError, match=r"\(none is installed\), got taste: install the package"):
        fit("taste")
