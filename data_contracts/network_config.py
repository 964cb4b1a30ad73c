"""Configuration of networks that learn which items a user had: MultVAE, MultDAE, CDAE."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from data_contracts.kind_config import KindConfig, ShareBelowOne

Likelihood = Literal["multinomial", "gaussian", "logistic"]
PositiveShare = Annotated[float, Field(gt=0.0, le=1.0)]


class NetworkConfig(KindConfig):
    """What these networks have in common."""

    stops_early: ClassVar[bool] = True
    has_vectors: ClassVar[bool] = True
    n_epochs: PositiveInt = 100
    """Most passes over the users."""
    batch_size: PositiveInt | None = None
    """Users per step; by default a 16th of them, between 32 and 500."""
    dropout: ShareBelowOne = 0.5
    """Share of a user's items that is left out of the input."""
    patience: PositiveInt = 10
    """Epochs without a better validation nDCG@100 before training stops."""


class MultConfig(NetworkConfig):
    """What the two of Liang et al. have in common."""

    n_factors: PositiveInt = 200
    """Width of the code."""
    learning_rate: PositiveFloat = 0.001
    """Step size of Adam."""
    likelihood: Likelihood = "multinomial"
    """Of a user's items."""
    weight: PositiveFloat = 10.0
    """Of an item that a user had against one not had; for the likelihood "gaussian"."""


class MultVAEConfig(MultConfig):
    """MultVAE (Liang et al., WWW 2018), a variational autoencoder with a multinomial likelihood."""

    kind: Literal["multvae"] = "multvae"
    """Which model."""
    n_hidden: NonNegativeInt = 600
    """Width of the layers on both sides of the code; 0 for none."""
    cap: PositiveShare = 0.2
    """Largest weight of the divergence, which grows with every step."""
    anneal_steps: PositiveInt | None = None
    """Steps in which it would grow to 1; by default 200,000, or so that the cap is met in time."""
    l2: NonNegativeFloat = 0.0
    """Ridge weight, against the losses of a batch."""


class MultDAEConfig(MultConfig):
    """MultDAE (Liang et al., WWW 2018), a denoising autoencoder with a multinomial likelihood."""

    kind: Literal["multdae"] = "multdae"
    """Which model."""
    n_hidden: NonNegativeInt = 0
    """Width of the layers on both sides of the code; 0 for none."""
    l2: NonNegativeFloat = 0.01
    """Ridge weight, against the losses of a batch."""


class CDAEConfig(NetworkConfig):
    """CDAE (Wu et al., WSDM 2016), a denoising autoencoder on sampled items."""

    kind: Literal["cdae"] = "cdae"
    """Which model."""
    n_factors: PositiveInt = 50
    """Width of the code."""
    variant: Literal["M1", "M2", "M3", "M4"] = "M4"
    """M1, M3: squared errors; M2, M4: logistic; M3, M4: a code through a sigmoid."""
    n_negatives: NonNegativeInt = 5
    """Items not had that are drawn for each item had, anew in every epoch."""
    learning_rate: PositiveFloat = 0.1
    """Step size of AdaGrad."""
    l2: NonNegativeFloat = 0.0
    """Ridge weight on everything."""
    tied: bool = False
    """One matrix for input and output."""
    user_vectors: bool = False
    """Whether users have vectors while training; lists are made without them."""
