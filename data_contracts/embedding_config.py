"""Configuration of SimpleCF, of a network of one's own, and of SVAE."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from data_contracts.kind_config import Consumed, KindConfig
from data_contracts.surface import Share

Setting = bool | int | float | str


class PairConfig(KindConfig):
    """What networks of pairs of a user and an item have in common."""

    stops_early: ClassVar[bool] = True
    has_vectors: ClassVar[bool] = True
    n_epochs: PositiveInt = 20
    """Most passes over the entries."""
    batch_size: PositiveInt = 4096
    """Entries per step; as many pairs for each are drawn besides as n_negatives says."""
    learning_rate: PositiveFloat = 0.01
    """Step size of AdamW."""
    weight_decay: NonNegativeFloat = 0.0
    """Ridge weight on all parameters, as AdamW has it."""
    n_negatives: PositiveInt = 4
    """Pairs drawn at random for every entry; those that are entries do not count."""
    objective: Literal["square", "logistic"] = "square"
    """Loss of a pair against 1 for an entry and 0 for a drawn pair."""
    confidence: Literal["one", "weight"] = "one"
    """How much an entry counts in training: 1, or its weight."""
    l2: PositiveFloat = 1.0
    """Ridge weight of the vector that serves a user."""
    weight: PositiveFloat = 1.0
    """Confidence of an entry, times its weight, when a user is served; that of all others is 1."""
    patience: PositiveInt = 3
    """Epochs without a better validation nDCG@100 before training stops."""


class SimpleCFConfig(PairConfig):
    """SimpleCF (cf_step 0.2.3), the product of a user's and an item's embedding."""

    kind: Literal["simple_cf"] = "simple_cf"
    """Which model."""
    n_factors: PositiveInt = 64
    """Length of an embedding."""
    spread: PositiveFloat = 0.1
    """Spread of the numbers that both tables begin with."""


class ModuleConfig(PairConfig):
    """A torch.nn.Module of your own, found by an entry point: see bring-your-own-model.md."""

    kind: Literal["module"] = "module"
    """Which model."""
    name: str = ""
    """Name of the entry point in the group hoarfrost.models."""
    settings: dict[str, Setting] = Field(default_factory=dict)
    """What the module is made with, besides the numbers of users and items."""


class SVAEConfig(KindConfig):
    """SVAE (Sachdeva et al., WSDM 2019), a GRU over a user's items in their order."""

    consumes: ClassVar[Consumed] = "order"
    stops_early: ClassVar[bool] = True
    has_vectors: ClassVar[bool] = True
    kind: Literal["svae"] = "svae"
    """Which model."""
    n_embedding: PositiveInt = 256
    """Length of an item's embedding."""
    n_state: PositiveInt = 200
    """Width of the GRU."""
    n_hidden: PositiveInt = 150
    """Width of the layers on both sides of the code."""
    n_factors: PositiveInt = 64
    """Width of the code."""
    ahead: Literal["next", "next_k", "rest"] = "next_k"
    """What is guessed after every item: the next one, the next n_ahead, or all that follow."""
    n_ahead: PositiveInt = 4
    """Items guessed, for "next_k"."""
    max_length: PositiveInt = 200
    """Last items of a user that are read."""
    max_output: PositiveInt | None = None
    """Items of a step's softmax, those guessed and others at random; by default all."""
    n_epochs: PositiveInt = 25
    """Most passes over the users."""
    batch_size: PositiveInt = 8
    """Users per step; those of a batch have histories of about the same length."""
    learning_rate: PositiveFloat = 0.003
    """Step size of Adam."""
    weight_decay: NonNegativeFloat = 0.0001
    """Ridge weight on all parameters."""
    cap: Share = 0.2
    """Largest weight of the divergence, which grows with every step."""
    anneal_steps: PositiveInt = 25_000
    """Steps in which it would grow to 1."""
    patience: PositiveInt = 5
    """Epochs without a better validation nDCG@100 before training stops."""
